"""Download a model of a hub: python -m pglore_host.hub_download, with what is asked as JSON on standard input.

Run by hub.py. Tells its progress as JSON lines, the last of them {"ended": null} or {"ended": "why"}. Files are taken
by an allowlist of endings, go on where an earlier run stopped, and are compared with the hashes that the hub states;
the folder gets its final name when all are there.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from .files import KEPT
from .hub import COMPLETE

PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")  # of a path: nothing hidden, nothing that leads up
DEPTH, FILES = 4, 1000
TELL_S = 10.0  # seconds between words on progress
SPARE_BYTES = 64 << 20  # to be left free on the disk


class Refused(Exception):
    """Why the download ends; fit for the operator."""


def main() -> None:
    """Do what standard input asks for."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    asked = json.load(sys.stdin)
    why = None
    try:
        fetch(**asked)
    except Refused as error:
        why = str(error)
    except Exception as error:
        why = reason(error)
        text = str(error).replace(asked["token"], "[...]") if asked["token"] else str(error)
        print(f"{type(error).__name__}: {text}", file=sys.stderr)
    tell(ended=why)
    sys.stdout.flush()
    os._exit(0 if why is None else 1)


def tell(**what: object) -> None:
    """A line for the host."""
    print(json.dumps(what), flush=True)


def fetch(name: str, revision: str, target: str, token: str | None, endpoint: str | None) -> None:
    """Put a model's files into the folder `target`; raises Refused and what huggingface_hub raises."""
    from huggingface_hub import HfApi, constants

    constants.DOWNLOAD_CHUNK_SIZE = 1 << 20  # what is in memory when the download is stopped is lost
    final = Path(target)
    partial = final.with_name(final.name + ".partial")
    partial.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(final.with_name(final.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one that was left behind by a killed host ends within the second
        if (final / COMPLETE).is_file():
            return
        api = HfApi(endpoint=endpoint, token=token or False)
        info = api.model_info(name, revision=revision, files_metadata=True, timeout=30)
        if info.sha != revision:
            raise Refused("the hub answers with another revision")
        files = [entry for entry in info.siblings or () if wanted(entry.rfilename)]
        if not any(entry.rfilename.endswith(".safetensors") for entry in files):
            raise Refused("the model has no weights as safetensors")
        if len(files) > FILES:
            raise Refused(f"the model has {len(files):,} files, over the limit of {FILES:,}")
        _room(partial, sum(entry.size or 0 for entry in files))
        listed = {}
        for entry in sorted(files, key=lambda entry: entry.size or 0):
            listed[entry.rfilename] = one(api, name, revision, entry, partial)
        (partial / COMPLETE).write_text(json.dumps({"name": name, "revision": revision, "files": listed}, indent=1))
        shutil.rmtree(final, ignore_errors=True)  # what is there is not complete
        os.rename(partial, final)


def wanted(path: str) -> bool:
    """Whether a file of the hub is taken: weights as safetensors and what describes a model, in plain folders."""
    parts = path.split("/")
    return path.endswith(KEPT) and len(parts) <= DEPTH and all(map(PART.fullmatch, parts)) and ".." not in path


def one(api, name: str, revision: str, entry, folder: Path) -> dict:
    """Download a file unless it is there; returns its size and hash."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    path = folder / entry.rfilename
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        headers = {**build_hf_headers(token=api.token), "Accept-Encoding": "identity"}
        url = hf_hub_url(name, entry.rfilename, revision=revision, endpoint=api.endpoint)
        about = get_hf_file_metadata(url, token=api.token, timeout=30, endpoint=api.endpoint)
        if about.commit_hash not in (None, revision):
            raise Refused("the hub answers with another revision")
        place = about.location or url
        if urlsplit(place).netloc != urlsplit(url).netloc:
            headers.pop("authorization", None)  # the token is for the hub, not for where it keeps its files
        for again in (False, True):
            size = 0 if again or not part.exists() else part.stat().st_size
            if about.size is not None and size > about.size:
                size = 0
            with _telling(entry.rfilename, part, about.size), part.open("r+b" if size else "wb") as file:
                file.seek(size)
                http_get(place, file, resume_size=size, headers=headers, expected_size=about.size)
                file.flush()
                os.fsync(file.fileno())
            if problem := differs(part, entry):
                part.unlink()
                if again or not size:  # it was put together from two downloads: once more from the start
                    raise Refused(f"the file {entry.rfilename} {problem}")
                continue
            os.rename(part, path)
            break
    tell(file=entry.rfilename, bytes=path.stat().st_size)
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def differs(path: Path, entry) -> str | None:
    """What is wrong with a file by what the hub states of it: size, sha256 of large files, git's hash of small ones."""
    size = path.stat().st_size
    if entry.size is not None and size != entry.size:
        return f"has {size:,} bytes, not {entry.size:,}"
    stated = (entry.lfs or {}).get("sha256")
    kind, given = ("sha256", stated) if stated else ("sha1", entry.blob_id)
    if not given or len(given) != len(hashlib.new(kind).hexdigest()):
        return None
    total = hashlib.new(kind, b"" if stated else b"blob %d\0" % size)
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            total.update(part)
    return None if total.hexdigest() == given else "is not what the hub states: its hash differs"


def reason(error: Exception) -> str:
    """What an error of huggingface_hub or of the system means, without its URL."""
    from huggingface_hub import errors as hub

    for kind, meaning in (
        (hub.GatedRepoError, "the hub wants a token that may read this model"),
        (hub.RevisionNotFoundError, "the hub does not know this revision"),
        (hub.RepositoryNotFoundError, "the hub does not know this model, or wants a token for it"),
        (hub.EntryNotFoundError, "a file of the model is missing on the hub"),
    ):
        if isinstance(error, kind):
            return meaning
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status:
        return f"the hub answers with the status {status}"
    if isinstance(error, OSError) and error.errno:
        return f"{error.strerror} on the model host's disk or network"
    return f"the hub cannot be reached or does not answer as one ({type(error).__name__})"


def _room(folder: Path, size: int) -> None:
    here = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(folder).free
    if size - here + SPARE_BYTES > free:
        raise Refused(f"the model takes {size - here:,} bytes, and {free:,} are free in the model host's cache")


@contextlib.contextmanager
def _telling(name: str, path: Path, size: int | None) -> Iterator[None]:
    """While the block runs, say now and then how much of a file is there."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(TELL_S):
            with contextlib.suppress(OSError):
                tell(file=name, bytes=path.stat().st_size, of=size)

    threading.Thread(target=run, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _end_with(parent: int) -> None:
    """End when the host that asked for this has ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main()
