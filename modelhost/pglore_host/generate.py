"""generate and chat: a text from a prompt or a conversation, at once or in pieces, from whatever model an alias names.

A result is {"text", "parsed", "tool_calls", "finish_reason", "usage", "timings", "model"}; one of the extractive
generator also has "citations" and, where it has no answer, a "reason".
"""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, cast

from . import errors
from .arguments import optional_text
from .entry import Use
from .errors import HostError
from .generation import Generation, GenerationRequest, Generator, arguments, complete, complete_all, document
from .generation.request import Timings, Usage
from .registry import Registry

if TYPE_CHECKING:
    from .generation import Piece

PROMPTS_LIMIT = 5000
TASK = "generate"


async def generate(registry: Registry, given: dict) -> dict:
    """The whole text; raises HostError LO101, LO102, LO103, LO105, LO201, LO204, LO206, LO301, LO302, LO303, LO304."""
    request = arguments.request(given, whole=True)
    started = time.perf_counter()
    async with registry.use(optional_text(given, "model"), TASK) as use:
        if not use.writes:
            return await _extracted(use, request, started)
        return _result(use, request, await complete(_generator(use), _settled(use, request)))


async def generate_many(registry: Registry, given: dict) -> list[dict]:
    """The texts of many prompts with the same options, in one batch; one that fails leaves {"error"} in its place."""
    prompts = given.get("prompts")
    if not isinstance(prompts, list) or len(prompts) > PROMPTS_LIMIT:
        raise HostError(errors.BAD_ARGUMENT, f"prompts must be an array of at most {PROMPTS_LIMIT:,} texts")
    found: list[Any] = [None] * len(prompts)
    first = arguments.request({**given, "prompt": "."}, whole=True)  # what they share is looked at once
    requests: dict[int, GenerationRequest] = {}
    for number, prompt in enumerate(prompts):
        try:
            shared = {"system": given.get("system"), "prompt": prompt}
            requests[number] = replace(first, messages=arguments.request(shared, whole=True).messages, lane="bulk")
        except HostError as error:
            found[number] = error
    async with registry.use(optional_text(given, "model"), TASK) as use:
        if use.writes:
            texts = await complete_all(_generator(use), [_settled(use, request) for request in requests.values()])
            for (number, request), text in zip(requests.items(), texts, strict=True):
                found[number] = text if isinstance(text, HostError) else _checked(use, request, text)
        else:
            for number, request in requests.items():
                found[number] = await _extracted(use, request, time.perf_counter())
    return [{"error": one.as_dict()} if isinstance(one, HostError) else one for one in found]


async def stream(registry: Registry, given: dict) -> AsyncIterator[tuple[bool, dict]]:
    """(whether more comes, {"text": piece}), and at last the result, whose text is the last piece alone.

    raises  HostError as generate
    """
    request = arguments.request(given, whole=False)
    started = time.perf_counter()
    async with registry.use(optional_text(given, "model"), TASK) as use:
        if not use.writes:
            yield False, await _extracted(use, request, started)
            return
        parts: list[str] = []
        async with aclosing(_generator(use).stream(_settled(use, request))) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                parts.append(piece.text)
                if piece.finish_reason is None:
                    yield True, {"text": _plain(piece.text)}
                    continue
                last = _result(use, request, _generation("".join(parts), piece))
                yield False, {**last, "text": _plain(piece.text)}


def _generation(text: str, last: "Piece") -> Generation:
    usage, timings = last.usage or Usage(), last.timings or Timings()
    return Generation(text, cast(str, last.finish_reason), last.complete, usage, timings, last.tool_calls)


def _settled(use: Use, request: GenerationRequest) -> GenerationRequest:
    """The request as the engine takes it: only a server elsewhere has a temperature of its own."""
    return request if use.is_remote or request.temperature is not None else replace(request, temperature=0.0)


def _generator(use: Use) -> Generator:
    return cast(Generator, use.model)


def _checked(use: Use, request: GenerationRequest, found: Generation) -> Any:
    try:
        return _result(use, request, found)
    except HostError as error:
        return error


def _result(use: Use, request: GenerationRequest, found: Generation) -> dict:
    """A text as callers get it; raises HostError LO901 for one that should keep its constraint and does not."""
    parsed = None
    if request.constraint and found.complete and not found.tool_calls:
        try:
            parsed = document.written(found.text) if request.constraint.kind == "schema" else None
        except ValueError:
            raise HostError(errors.INTERNAL_ERROR, f'what the model "{use.entry.alias}" wrote is no JSON') from None
    usage = asdict(found.usage)
    return {
        "text": _plain(found.text),
        "parsed": _plain(parsed),
        "tool_calls": _plain(list(found.tool_calls)) or None,
        "finish_reason": found.finish_reason,
        "complete": found.complete,
        "usage": usage if found.usage.prompt_tokens else {"completion_tokens": usage["completion_tokens"]},
        "timings": {name: ms for name, ms in asdict(found.timings).items() if ms is not None},
        "model": use.entry.alias,
    }


def _plain(value: Any) -> Any:
    """A value with the one character that PostgreSQL cannot hold replaced, and so shown, wherever it stands."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd") if "\0" in value else value
    if isinstance(value, dict):
        return {_plain(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


async def _extracted(use: Use, request: GenerationRequest, started: float) -> dict:
    from . import extracted

    found = await extracted.answer(use, request)
    total = round(1000 * (time.perf_counter() - started), 3)
    return {"parsed": None, "tool_calls": None, **found, "timings": {"total_ms": total}, "model": use.entry.alias}
