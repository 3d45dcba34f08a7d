"""Options of a remote model: what the operator registered, checked, and the key, which is read anew at each load."""

import os
import re
import stat
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .. import errors, log
from ..errors import HostError

PROTOCOLS = ("openai", "tei")
TASKS = ("embed", "rerank", "generate")
STRUCTURED = ("json_schema", "vllm", "sglang", "llama.cpp", "none")
OF_GENERATORS = {"timeout_s": 120, "concurrency": 16}  # where they are not given: a text takes longer than a vector
DIMENSIONS_LIMIT = 16_000  # of a pgvector column
URL_LIMIT = KEY_LIMIT = 4096  # characters
ENVIRONMENT_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
KEY = re.compile(r"[!-~]+")  # what a header carries unharmed; several lines are no key but some other file
NUMBERS: dict[str, tuple[type, float, float]] = {  # option: (type, lowest, highest)
    "dimensions": (int, 1, DIMENSIONS_LIMIT),
    "window_tokens": (int, 8, 1 << 20),
    "timeout_s": (float, 0.1, 3600),
    "concurrency": (int, 1, 256),
    "batch_texts": (int, 1, 2048),
    "queue_texts": (int, 1, 1 << 24),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteOptions:
    """How a remote model is asked; each field is an option of lore.add_model."""

    protocol: str = "openai"
    name: str | None = None  # what the server calls the model; None is the alias
    key_env: str | None = None  # variable of the host's environment that holds the key
    key_file: str | None = None  # file that holds the key
    ca_file: str | None = None  # certificates to trust beside the system's own
    dimensions: int | None = None  # asked of the server; None is the model's own width
    timeout_s: float = 30  # of a request with its retries
    concurrency: int = 4  # requests at a time, all callers together
    batch_texts: int = 32  # texts of a request
    queue_texts: int | None = None  # texts that may wait; None is the host's setting
    window_tokens: int | None = None  # tokens that the model reads at once, where the server does not tell
    query_prompt: str = ""  # put before a query
    document_prompt: str = ""  # put before a document
    structured: str = "json_schema"  # how the server takes schemas, choices and patterns; see chat.py

    def prompt(self, input_type: str) -> str:
        """What goes before a text of this type: document or query."""
        return self.query_prompt if input_type == "query" else self.document_prompt


OPTIONS = tuple(RemoteOptions.__dataclass_fields__)


def check(task: str, url: str, options: Mapping[str, object]) -> RemoteOptions:
    """The options of a remote model with its defaults; opens no file and no connection.

    raises  HostError LO103
    """
    if task not in TASKS:
        raise _bad(f"a remote server does {' or '.join(TASKS)}, not {task}")
    check_url(url)
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise _bad(f"a remote model has no option {unknown[0]!r:.64}", f"Options: {', '.join(OPTIONS)}.")
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        if name in NUMBERS:
            kind, low, high = NUMBERS[name]
            if type(value) not in (int, kind) or not low <= value <= high:  # type: ignore[operator]
                raise _bad(f"{name} must be {'a whole' if kind is int else 'a'} number from {low} to {high}")
        elif not isinstance(value, str) or any(unicodedata.category(letter) in ("Cs", "Cn") for letter in value):
            raise _bad(f"{name} must be a text")
        elif not name.endswith("_prompt") and (not value or len(value) > 1024 or not value.isprintable()):
            raise _bad(f"{name} must be a text of 1 to 1024 printable characters")
    if task == "generate":
        given = {**OF_GENERATORS, **given}
    elif "structured" in given:
        raise _bad("structured is an option of generators")
    found = RemoteOptions(**given)  # type: ignore[arg-type]
    if found.protocol not in PROTOCOLS:
        raise _bad(f"protocol must be one of {', '.join(PROTOCOLS)}")
    if task == "generate" and found.protocol != "openai":
        raise _bad("a remote generator speaks the protocol openai")
    if found.structured not in STRUCTURED:
        raise _bad(f"structured must be one of {', '.join(STRUCTURED)}")
    if found.key_env and found.key_file:
        raise _bad("a key comes from key_env or from key_file, not from both")
    if found.key_env and not ENVIRONMENT_NAME.fullmatch(found.key_env):
        raise _bad("key_env must be the name of a variable: capital letters, digits and underscores")
    for name in ("key_file", "ca_file"):
        if (path := getattr(found, name)) and not path.startswith("/"):
            raise _bad(f"{name} must be an absolute path on the database host")
    return found


def check_url(url: str) -> None:
    """Take an http or https URL with a host and perhaps a port and a path, nothing else; raises HostError LO103."""
    if len(url) > URL_LIMIT or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _bad("the URL must be of printable ASCII characters without a space")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _bad("the URL cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise _bad("the URL must be http://HOST or https://HOST, with a port and a path where there are some")
    if "@" in parts.netloc:
        raise _bad("the URL must not hold a user name or password", "Give a key with key_env or key_file.")
    if "?" in url or "#" in url or ".." in parts.path.split("/"):
        raise _bad("the URL must not hold a query, a fragment or '..'")


def read_key(key_env: str | None, key_file: str | None, what: str) -> str | None:
    """The key from a variable or a file, or None where neither is named; `what` it is for goes into the log.

    raises  HostError LO204; the log says what is wrong, without a letter of the key
    """
    if not key_env and not key_file:
        return None
    try:
        key = _from_file(Path(key_file)) if key_file else os.environ[key_env or ""]
    except KeyError:
        why = f"the environment of the model host has no variable {key_env}"
    except (OSError, ValueError) as error:
        why = f"{key_file}: {error.strerror if isinstance(error, OSError) else error}"
    else:
        if KEY.fullmatch(key := key.strip()) and len(key) <= KEY_LIMIT:
            return key
        why = "a key is one line of visible ASCII characters"
    log.write("key refused", of=what, reason=why)
    raise HostError(errors.MODEL_NOT_LOADED, "its key cannot be read")


def _from_file(path: Path) -> str:
    """A file's text, where only its owner reads it: root (its group may read it too) or this account."""
    # Not to hang on a pipe: what it is shows only after opening.
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("not a regular file")
        if about.st_uid not in (0, os.geteuid()):
            raise ValueError("it belongs neither to root nor to the account of the model host")
        if about.st_mode & (0o077 if about.st_uid else 0o037):
            raise ValueError("others may read or write it: chmod 600, or 640 where root owns it")
        return file.read(KEY_LIMIT + 2).decode("ascii", "replace")


def _bad(message: str, hint: str | None = None) -> HostError:
    return HostError(errors.BAD_ARGUMENT, message, hint)
