"""Files to load: which of a folder's are documents, and the key of each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MIME = {
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".txt": "text/plain",
    ".text": "text/plain",
}
LARGEST = 64_000_000  # bytes; a text of this size is data, not a document


@dataclass(frozen=True, slots=True)
class File:
    """A file to load: where it is, the key it gets, its size in bytes, and its MIME type where the name tells."""

    path: Path
    key: str
    size: int
    mime: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that was skipped: its key, why, the hint and the SQLSTATE where there is one."""

    key: str
    error: str
    hint: str | None = None
    sqlstate: str | None = None


def find(paths: Sequence[Path], base: Path | None = None) -> tuple[list[File], list[Failure]]:
    """The documents under paths in the order of their keys, and the files that cannot be taken.

    A file named outright is taken whatever its name; of a folder those that MIME knows, hidden ones left out.
    The key is the path below `base`: by default below the folder that was named, or the file's own name.
    """
    files: dict[str, File] = {}
    failures = []
    for named in paths:
        root = base or (named if named.is_dir() else named.parent)
        for path in documents(named) if named.is_dir() else [named]:
            key = Path(os.path.relpath(path, root)).as_posix()
            failure = None
            try:
                key.encode()
                size = path.stat().st_size
            except UnicodeEncodeError:
                key = os.fsencode(key).decode("utf-8", "replace")
                failure = "the file's name is not UTF-8"
            except OSError as error:
                failure = error.strerror or str(error)
            else:
                if key in files and files[key].path.resolve() == path.resolve():
                    continue
                if key in files:
                    failure = f"the key is taken by {files[key].path}: name a folder above both with --base"
                elif size > LARGEST:
                    failure = f"{size:,} bytes are more than the {LARGEST:,} that a document may have"
            if failure:
                failures.append(Failure(key, failure))
            else:
                files[key] = File(path, key, size, MIME.get(path.suffix.lower()))
    return [files[key] for key in sorted(files)], failures


def documents(folder: Path) -> Iterator[Path]:
    """The document files in a folder and below; links to folders are not followed, so there is no loop."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in MIME:
                yield Path(where, name)
