"""Options of a model: what add_model takes, checked once; what is not given is left to the host's settings."""

import re
from collections.abc import Callable
from typing import Any

from . import errors, sources
from .entry import OWN, TASKS, shown
from .errors import HostError
from .remote import options as remote
from .settings import DEVICES, ENGINES
from .sources import Source

DTYPES = ("auto", "float32", "bfloat16", "float16", "int8")
POOLINGS = ("mean", "cls", "max", "lasttoken", "mean_sqrt_len_tokens", "weightedmean")
PROMPT_LIMIT = 4000  # characters
REVISION = re.compile(r"[0-9a-f]{40}")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
ALIAS = re.compile(r"[a-z0-9._-]{1,64}")

Check = Callable[[Any], str | None]  # what is wrong with a value, or None


def _one_of(*allowed: str) -> Check:
    return lambda value: None if value in allowed else f"one of {', '.join(allowed)}"


def _whole(low: int, high: int) -> Check:
    return lambda value: None if type(value) is int and low <= value <= high else f"a whole number from {low} to {high}"


def _text(limit: int = PROMPT_LIMIT) -> Check:
    return lambda value: (
        None if isinstance(value, str) and len(value) <= limit else f"a text of at most {limit} characters"
    )


def _like(pattern: re.Pattern, what: str) -> Check:
    return lambda value: None if isinstance(value, str) and pattern.fullmatch(value) else what


def _yes_or_no(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _path(value: Any) -> str | None:
    return None if isinstance(value, str) and value.startswith("/") and value.isprintable() else "an absolute path"


QUEUE: dict[str, Check] = {"queue_texts": _whole(1, 1 << 24), "max_wait_ms": _whole(1, 86_400_000)}
KEY: dict[str, Check] = {
    "key_env": _like(VARIABLE, "the name of an environment variable of the model host"),
    "key_file": _path,
}
PROMPTS: dict[str, Check] = {"query_prompt": _text(), "document_prompt": _text()}
LOCAL: dict[str, Check] = {
    "device": _one_of(*DEVICES),
    "engine": _one_of(*ENGINES),
    "dtype": _one_of(*DTYPES),
    "threads": _whole(0, 4096),
    "window_tokens": _whole(8, 1 << 20),
    **QUEUE,
}
EMBED: dict[str, Check] = {"dimensions": _whole(1, 1 << 16), "pooling": _one_of(*POOLINGS), **PROMPTS}
WRITES: dict[str, Check] = {
    "device": _one_of(*DEVICES),
    "dtype": _one_of(*(dtype for dtype in DTYPES if dtype != "int8")),
    "quantize": _one_of("int8", "int4"),  # weights
    "threads": _whole(0, 4096),
    "window_tokens": _whole(8, 1 << 20),
    "queue_texts": QUEUE["queue_texts"],
    "cache_tokens": _whole(64, 1 << 24),  # whose states the cache may hold, of all sequences together
    "batch_rows": _whole(1, 1024),  # sequences that run together
    "thinking": _yes_or_no,  # whether a model that can think before it answers does
}
HUB: dict[str, Check] = {
    "revision": _like(REVISION, "a commit of 40 hexadecimal digits, so that it cannot change"),
    **KEY,
}
BUILTIN: dict[str, Check] = {"embedder": _like(ALIAS, "the alias of an embedder")}


def known(source: Source, task: str) -> dict[str, Check]:
    """The options that a model of this source and task takes, where it runs here."""
    if source.kind == "builtin":
        return BUILTIN
    own = WRITES if task == "generate" else {**LOCAL, **(EMBED if task == "embed" else {})}
    return {**own, **(HUB if source.kind == "hub" else {})}


def admit(alias: str, task: str, source: str, options: dict) -> dict:
    """The options of a model that may be registered so, without those that are null; raises HostError LO103, LO206."""
    if not isinstance(alias, str) or not ALIAS.fullmatch(alias):
        raise HostError(
            errors.BAD_ARGUMENT,
            f'"{shown(alias)}" cannot be an alias',
            "An alias is 1 to 64 of: small letters, digits, dot, underscore, hyphen.",
        )
    if alias in OWN:
        raise HostError(errors.BAD_ARGUMENT, f'"{alias}" is pglore\'s own model', "Choose another alias.")
    if task not in TASKS:
        raise HostError(errors.BAD_ARGUMENT, f'there is no task "{shown(task)}"', f"Tasks: {', '.join(TASKS)}.")
    origin = sources.parse(source)
    return check(origin, task, options)


def check(source: Source, task: str, options: dict) -> dict:
    """The options without those that are null; raises HostError LO103 for one that is not known or not allowed."""
    if source.kind == "remote":
        remote.check(task, source.name, options)
        return {name: value for name, value in options.items() if value is not None}
    allowed = known(source, task)
    for name, value in options.items():
        if name not in allowed:
            raise HostError(
                errors.BAD_ARGUMENT,
                f'there is no option "{" ".join(name.split())[:64]}" for this kind of model',
                f"Options: {', '.join(sorted(allowed))}.",
            )
        if value is not None and (wrong := allowed[name](value)):
            raise HostError(errors.BAD_ARGUMENT, f"the option {name} must be {wrong}")
    given = {name: value for name, value in options.items() if value is not None}
    if source.kind == "hub" and "revision" not in given:
        raise HostError(
            errors.BAD_ARGUMENT, "a model of a hub needs its revision", 'Options: {"revision": "<commit, 40 digits>"}.'
        )
    if "key_env" in given and "key_file" in given:
        raise HostError(errors.BAD_ARGUMENT, "a key comes from key_env or from key_file, not from both")
    return given
