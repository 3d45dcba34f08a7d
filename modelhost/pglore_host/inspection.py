"""Inspection: what lies in a model's folder, and whether anything in it could do harm. Nothing here runs or unpickles.

Messages name files relative to the folder: where the folder is, is the operator's affair.
"""

import json
import math
import os
import stat
from pathlib import Path
from typing import Any

from . import errors
from .errors import HostError

PICKLES = frozenset(
    {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill", ".ot", ".npz", ".npy", ".mar"}
)
CODE = frozenset({".py", ".pyc", ".pyx", ".so", ".pyd", ".dll", ".dylib"})
UNREAD = frozenset({".git", ".cache"})  # what git and a hub's client keep beside a model; never opened
VOCABULARIES = ("tokenizer.json", "vocab.json", "unigram.json", "added_tokens.json")  # words, not instructions
FILES_LIMIT = 2000
DEPTH_LIMIT = 8
JSON_LIMIT = 16 << 20  # bytes
VOCABULARY_LIMIT = 256 << 20
CODE_KEYS = frozenset({"auto_map", "custom_pipelines"})


def refused(why: str, hint: str | None = None) -> HostError:
    """The error for a folder that is not used."""
    return HostError(errors.MODEL_NOT_LOADED, f"the model is refused: {why}", hint)


def sweep(folder: Path) -> list[Path]:
    """Every file of a folder, sorted, with links followed inside it.

    raises  HostError LO204 for pickles, code, special files, links out of the folder, JSON that asks for code
    """
    try:
        if not folder.is_dir():
            raise refused("the folder is a file" if folder.exists() else "there is no such folder")
        base = folder.resolve(strict=True)
        found: list[Path] = []
        _walk(folder, folder, base, found, 0)
    except OSError as error:
        raise refused(f"its files cannot be read: {error.strerror or 'a fault of the disk'}") from None
    except RuntimeError:  # a ring of links
        raise refused("it holds a link that leads nowhere") from None
    for path in found:
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() in PICKLES and not _is_openvino(path):
            raise refused(
                f"it holds {name!r}, which can run code when it is opened",
                "Delete it: weights are read from safetensors only.",
            )
        if path.suffix.lower() in CODE:
            raise refused(f"it holds code of its own: {name!r}", "Delete it, or use a model that needs no code.")
        if path.suffix == ".json" and path.name not in VOCABULARIES and not path.name.endswith(".index.json"):
            _no_code(read_json(path), name)
    return sorted(found)


def _walk(place: Path, folder: Path, base: Path, found: list[Path], depth: int) -> None:
    if depth > DEPTH_LIMIT:
        raise refused("its folders are too deep")
    with os.scandir(place) as entries:
        for entry in entries:
            path = place / entry.name
            name = path.relative_to(folder).as_posix()
            real = path.resolve(strict=True) if entry.is_symlink() else path
            if entry.is_symlink() and not real.is_relative_to(base):
                raise refused(f"{name!r} is a link out of the folder", "Copy the files themselves into the folder.")
            mode = real.lstat().st_mode
            if stat.S_ISDIR(mode):
                if entry.name not in UNREAD:
                    _walk(path, folder, base, found, depth + 1)
            elif stat.S_ISREG(mode):
                found.append(path)
            else:
                raise refused(f"{name!r} is neither a file nor a folder")
            if len(found) > FILES_LIMIT:
                raise refused(f"it holds over {FILES_LIMIT:,} files")


def _is_openvino(path: Path) -> bool:
    """Whether a .bin is the weights beside an OpenVINO model, which nobody unpickles, rather than a pickle."""
    if path.suffix != ".bin" or not path.with_suffix(".xml").is_file():
        return False
    with path.open("rb") as file:
        return not file.read(2).startswith((b"PK", b"\x80"))


def read_json(path: Path, *, optional: bool = False) -> Any:
    """What a JSON file holds; an optional one that is missing is empty. Numbers are finite.

    raises  HostError LO204
    """
    try:
        if optional and not path.exists():
            return {}
        if path.stat().st_size > JSON_LIMIT:
            raise refused(f"{path.name} has over {JSON_LIMIT >> 20} MB")
        return json.loads(path.read_bytes(), parse_constant=_no_number, parse_float=_finite)
    except FileNotFoundError:
        raise refused(f"it has no {path.name}") from None
    except OSError as error:
        raise refused(f"{path.name} cannot be read: {error.strerror}") from None
    except RecursionError:
        raise refused(f"{path.name} is nested too deeply") from None
    except ValueError:
        raise refused(f"{path.name} is not JSON, or holds a number that is none") from None


def _no_number(name: str) -> float:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _no_code(value: Any, name: str) -> None:
    """Refuse JSON that names code to be run, at any depth."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if asked := CODE_KEYS & value.keys():
                raise refused(f"{name!r} asks for code of the model's own to be run ({min(asked)})")
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def inside(folder: Path, name: object, what: str) -> Path:
    """A path inside the folder that one of its files names; raises HostError LO204 for any other."""
    if not isinstance(name, str) or "\x00" in name or name.startswith("/") or ".." in Path(name).parts:
        raise refused(f"{what} names a file outside the folder")
    return folder / name
