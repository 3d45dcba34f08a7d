"""The registered models on disk: models.json in the host's folder, which a base backup takes along to a replica.

It holds aliases, sources, options and the hash of the files; never a key, only the name of where the key is.
"""

import json
import os
from pathlib import Path

from . import log

NAME = "models.json"
FORMAT = 1


def read(folder: Path) -> tuple[list[dict], dict[str, str]]:
    """Models and defaults by task; nothing where there is no file.

    raises  ValueError for a file that cannot be understood: it is not written over
    """
    path = folder / NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return [], {}
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    models = found.get("models") if isinstance(found, dict) else None
    defaults = found.get("defaults") if isinstance(found, dict) else None
    if not isinstance(models, list) or not isinstance(defaults, dict) or found.get("format") != FORMAT:
        raise ValueError(f"{path} is not a list of models in format {FORMAT}")
    return models, defaults


def write(folder: Path, models: list[dict], defaults: dict[str, str]) -> None:
    """Put a new file in the old one's place, in one step and on the disk."""
    text = json.dumps({"format": FORMAT, "models": models, "defaults": defaults}, indent=2) + "\n"
    replace(folder / NAME, text)
    log.write("models written", count=len(models))


def replace(path: Path, text: str) -> None:
    """Write a file in one step and on the disk: after a crash it is the old one or the new one."""
    part = path.with_suffix(f".{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
