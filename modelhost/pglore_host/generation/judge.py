"""The judge: checks a constraint, and texts against it, without holding anybody up.

The libraries that check keep Python's lock while they do, and some schemas and grammars take them hours for a short
text. So what is not plainly cheap is checked in a process of its own, which has a bounded time.
"""

import asyncio
import contextlib
import os
import resource
import sys
from collections import OrderedDict
from typing import Any

import orjson

from .. import errors
from ..errors import HostError
from . import checking
from .request import Constraint

LIMIT_S = 5
PROCESSES = 2  # at a time
ADMITTED = 64  # constraints that are known to be usable
MEMORY = 2 << 30  # bytes of address space that the process may take
PLAIN_SCHEMA = 1 << 14  # bytes
PLAIN_REGEX = 200  # characters
PLAIN_TEXT = 1 << 16  # characters
# What can only ask for time in proportion to schema and text.
PLAIN_WORDS = {
    "$schema", "title", "description", "default", "examples", "type", "properties", "required", "additionalProperties",
    "items", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength",
    "minItems", "maxItems",
}  # fmt: skip


class Judge:
    """Checks of one model, two at a time in processes of their own."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(PROCESSES)
        self._admitted: OrderedDict[bytes, None] = OrderedDict()

    async def admit(self, constraint: Constraint) -> None:
        """Raise HostError LO103 or LO105 for a constraint that nothing could keep or check."""
        if is_plain(constraint, ""):
            checking.admit(constraint)
            return
        key = orjson.dumps([constraint.kind, constraint.value])
        if key not in self._admitted:
            await self._elsewhere(constraint, None)
            self._admitted[key] = None
            if len(self._admitted) > ADMITTED:
                self._admitted.popitem(last=False)

    async def parsed(self, constraint: Constraint, text: str) -> Any:
        """What a text that keeps its constraint stands for; raises checking.Mismatch, and HostError as `admit`."""
        if is_plain(constraint, text):
            return checking.parsed(constraint, text)
        return await self._elsewhere(constraint, text)

    async def _elsewhere(self, constraint: Constraint, text: str | None) -> Any:
        async with self._room:
            return await _checked(constraint, text)


def is_plain(constraint: Constraint, text: str) -> bool:
    """Whether a check takes next to no time, whatever the text says."""
    kind, value = constraint.kind, constraint.value
    if kind == "choices":
        return True
    if len(text) > PLAIN_TEXT or kind == "grammar":
        return False
    if kind == "regex":
        return len(str(value)) <= PLAIN_REGEX
    return len(orjson.dumps(value)) <= PLAIN_SCHEMA and _is_plain_schema(value)


def _is_plain_schema(schema: object) -> bool:
    if not isinstance(schema, dict):
        return isinstance(schema, bool)
    if not PLAIN_WORDS.issuperset(schema):
        return False
    properties = schema.get("properties", {})
    inner = [*(properties.values() if isinstance(properties, dict) else [])]
    inner += [schema[word] for word in ("items", "additionalProperties") if word in schema]
    return all(map(_is_plain_schema, inner))


async def _checked(constraint: Constraint, text: str | None) -> Any:
    """The check in a process of its own; raises HostError where it takes more than it may."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        asked = orjson.dumps({"kind": constraint.kind, "value": constraint.value, "text": text})
        async with asyncio.timeout(LIMIT_S):
            said, _ = await process.communicate(asked)
        found = orjson.loads(said)
    except (TimeoutError, orjson.JSONDecodeError):  # its memory or its processor time has ended
        code = errors.BAD_SCHEMA if constraint.kind == "schema" else errors.BAD_ARGUMENT
        why = f"the {constraint.kind} takes more than {LIMIT_S} s or {MEMORY >> 30} GB to check"
        raise HostError(code, why, "Write a simpler one.") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if "error" in found:
        raise HostError(**found["error"])
    if "mismatch" in found:
        raise checking.Mismatch(found["mismatch"])
    return found["parsed"]


def _main() -> None:
    """The process: a check from standard input, its outcome to standard output."""
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    asked = orjson.loads(sys.stdin.buffer.read())
    constraint = Constraint(asked["kind"], asked["value"])
    try:
        checking.admit(constraint)
        found = {"parsed": None if asked["text"] is None else checking.parsed(constraint, asked["text"])}
    except HostError as error:
        found = {"error": error.as_dict()}
    except checking.Mismatch as wrong:
        found = {"mismatch": str(wrong)}
    sys.stdout.buffer.write(orjson.dumps(found))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    _main()
