"""Conversions: OpenVINO's form of a model, made once by a child process and kept on disk, checked before each use.

Converting runs in a process of its own: torch and transformers never enter the host, and a later start needs neither.
A folder of the cache holds model.xml, model.bin and manifest.json with the sha256 of both.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .. import errors, log
from ..errors import HostError
from ..files import ModelFiles

TIMEOUT_S = 1200
MANIFEST, GRAPH, WEIGHTS = "manifest.json", "model.xml", "model.bin"
FORMAT = 1  # of what lies in a folder: another number makes every conversion anew
SAID = "pglore: "  # how a line of the child begins that is meant for people


def folder(cache: Path, files: ModelFiles, version: str, int8: bool) -> Path:
    """Where the conversion of these files lies, made or not."""
    kind = "int8" if int8 else "float32"
    return cache / f"{files.content_hash[:32]}-{files.task}-{kind}-openvino-{version[:8].rstrip('-.')}"


def manifest(place: Path) -> dict | None:
    """What was written when a conversion was complete; None where there is no such thing, or it is damaged."""
    try:
        found = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        return found if found["format"] == FORMAT and {GRAPH, WEIGHTS} <= found["sha256"].keys() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def intact(place: Path, about: dict, name: str) -> bool:
    """Whether a file of a conversion is the one that was written."""
    try:
        with (place / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == about["sha256"][name]
    except OSError:
        return False


def seal(place: Path, quality: dict | None) -> None:
    """Write the manifest of a finished conversion."""
    hashes = {name: hashlib.sha256((place / name).read_bytes()).hexdigest() for name in (GRAPH, WEIGHTS)}
    about = {"format": FORMAT, "sha256": hashes, "quality": quality}
    (place / MANIFEST).write_text(json.dumps(about), encoding="utf-8")


def make(place: Path, files: ModelFiles, int8: bool) -> None:
    """Have a child process convert, and move what it wrote into the cache in one step.

    raises  HostError LO204, LO206
    """
    part = place.with_name(f"{place.name}.{os.getpid()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        for left in place.parent.glob("*.part"):  # by a host that ended while it converted
            if time.time() - left.stat().st_mtime > 2 * TIMEOUT_S:
                shutil.rmtree(left, ignore_errors=True)
        part.mkdir()
        log.write("converting", model=str(files.folder), to=str(place))
        asked = {
            "folder": str(files.folder),
            "content_hash": files.content_hash,
            "task": files.task,
            "pooling": files.pooling or None,
            "window_tokens": files.window_tokens,
            "target": str(part),
            "int8": int8,
        }
        command = [sys.executable, "-m", "pglore_host.convert", json.dumps(asked)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if done.returncode:
            _failed(done)
        shutil.rmtree(place, ignore_errors=True)
        try:
            part.rename(place)
        except OSError:
            if manifest(place) is None:  # else another host was quicker
                raise
    except (OSError, subprocess.TimeoutExpired) as error:
        log.write("conversion failed", error=str(error))
        why = "it took too long" if isinstance(error, subprocess.TimeoutExpired) else error.strerror
        raise HostError(
            errors.MODEL_NOT_LOADED,
            f"it cannot be converted for OpenVINO: {why}",
            'Check that the folder "cache" of host.json can be written, and its disk has room.',
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _failed(done: subprocess.CompletedProcess) -> None:
    said = [line[len(SAID) :] for line in done.stdout.splitlines() if line.startswith(SAID)]
    if said:
        raise HostError(**json.loads(said[-1]))
    log.write("conversion failed", returncode=done.returncode, stderr=done.stderr[-4000:])
    if done.returncode == -9:
        raise MemoryError("the machine has too little memory to convert the model")
    raise HostError(errors.MODEL_NOT_LOADED, "it cannot be converted for OpenVINO", 'Set "engine" to "torch".')
