"""Calls of tools in what a model writes: found, taken out of the text, and returned as data. Nothing is called here.

Models write them in one of three ways: <tool_call>{...}</tool_call> (Qwen, Hermes), or as nothing but a JSON object or
an array of them (Llama, Mistral), with "arguments" or "parameters" beside "name".
"""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from .request import Piece
from .text import overlap

BEGIN, END = "<tool_call>", "</tool_call>"
MARKED = re.compile(rf"{BEGIN}(.*?)(?:{END}|\Z)", re.DOTALL)


async def calling(pieces: AsyncIterator[Piece], tools: Sequence[Mapping]) -> AsyncIterator[Piece]:
    """The pieces of a text without what calls a tool, and the calls in the last of them."""
    names = {tool.get("function", tool).get("name") for tool in tools}
    whole, told, tokens = "", 0, 0
    async with aclosing(pieces) as given:  # type: ignore[type-var]
        async for piece in given:
            whole, tokens = whole + piece.text, tokens + piece.tokens
            if piece.finish_reason is not None:
                text, calls = found(whole, names)
                reason = "tool_calls" if calls and piece.finish_reason == "stop" else piece.finish_reason
                yield replace(piece, text=text[told:], tokens=tokens, finish_reason=reason, tool_calls=calls)
                return
            free = _free(whole)
            if free > told:
                yield replace(piece, text=whole[told:free], tokens=tokens)
                told, tokens = free, 0


def _free(text: str) -> int:
    """How much of a text that still grows is surely no call."""
    if not text.strip() or text.lstrip()[0] in "[{":
        return 0
    place = text.find(BEGIN)
    free = place if place >= 0 else len(text) - overlap(text, BEGIN)
    return len(text[:free].rstrip())


def found(text: str, names: set[str]) -> tuple[str, list[dict]]:
    """A text without the calls in it, and the calls; one that cannot be read, or of no known name, stays text."""
    marked = MARKED.findall(text)
    calls = [call for part in marked for call in _calls(part, names)]
    if calls:
        return text[: text.find(BEGIN)].rstrip(), calls
    if not marked and text.lstrip()[:1] in ("[", "{") and (calls := _calls(text, names)):
        return "", calls
    return text, []


def _calls(text: str, names: set[str]) -> list[dict]:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return []
    calls = []
    for entry in value if isinstance(value, list) else [value]:
        if not isinstance(entry, dict):
            return []
        inner = entry.get("function", entry)
        inner = inner if isinstance(inner, dict) else entry
        arguments = inner.get("arguments", inner.get("parameters", {}))
        if inner.get("name") not in names or not isinstance(arguments, dict):
            return []
        calls.append({"id": None, "name": inner["name"], "arguments": arguments})
    return calls
