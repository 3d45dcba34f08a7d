"""answer and its stream: a question about given passages to an answer that cites them; standalone: a follow-up alone.

A result is {"text", "finish_reason", "usage", "timings", "model"} with "citations" [{"n", "source", "quote", "start",
"end"}] (source from 1, in the order in which the passages came), "given" (the passages that were read),
"foreign_marks" and "history_messages".
"""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any, cast

from . import errors
from .answering import followup, packing, question, writing
from .answering.citations import Marks, without_marks
from .arguments import optional_text, visible
from .entry import Use
from .errors import HostError
from .generation import Generator, Timings, Usage
from .registry import Registry

TASK = "generate"


async def answer(registry: Registry, given: dict) -> dict:
    """The whole answer; raises HostError LO101, LO102, LO103, LO201, LO204, LO301, LO302, LO303, LO304."""
    parts: list[str] = []
    async with aclosing(_replies(registry, given, whole=True)) as replies:
        async for _, reply in replies:
            parts.append(reply["text"])
    return {**reply, "text": "".join(parts)}


async def stream(registry: Registry, given: dict) -> AsyncIterator[tuple[bool, dict]]:
    """(whether more comes, {"text": piece}), and at last the result, whose text is the last piece alone."""
    async with aclosing(_replies(registry, given, whole=False)) as replies:
        async for reply in replies:
            yield reply


async def standalone(registry: Registry, given: dict) -> dict:
    """{"question": one of a conversation, standing alone, "by": "model", "rule" or None}; raises HostError."""
    asked, history = visible(given, "question"), question.history(given.get("history"))
    if not history:
        return {"question": asked, "by": None}
    async with registry.use(optional_text(given, "model"), TASK) as use:
        if use.writes:
            found = await _reworded(cast(Generator, use.model), asked, history)
            if found is not None:
                return {"question": found, "by": "model" if found != asked else None}
    found = followup.by_rule(asked, history)
    return {"question": found, "by": "rule" if found != asked else None}


async def _reworded(generator: Generator, asked: str, history: list[dict]) -> str | None:
    """The question as a model writes it anew; None where that is of no use, or the conversation too long for it."""
    try:
        return await followup.by_model(generator, asked, history)
    except HostError as error:
        if error.code not in (errors.INPUT_TOO_LONG, errors.BAD_ARGUMENT):
            raise
        return None


async def _replies(registry: Registry, given: dict, *, whole: bool) -> AsyncIterator[tuple[bool, dict]]:
    asked = question.question(given)
    started = time.perf_counter()
    if not asked.passages:
        yield False, _told(asked.nothing, started, "no passage was found")
        return
    async with registry.use(optional_text(given, "model"), TASK) as use:
        if not use.writes:
            yield False, await _quoted(use, asked, started)
            return
        generator = cast(Generator, use.model)
        packed = await packing.pack(generator, asked)
        marks = Marks([asked.passages[number].text for number in packed.given])
        wanted = writing.request(use, asked, packed, whole=whole)
        async with aclosing(writing.pieces(generator, wanted, marks)) as pieces:
            async for piece in pieces:
                text = piece.text.replace("\0", "\ufffd")  # PostgreSQL cannot hold it
                if piece.finish_reason is None:
                    yield True, {"text": text}
                    continue
                usage, timings = piece.usage or Usage(), piece.timings or Timings()
                yield (
                    False,
                    {
                        "text": text,
                        "finish_reason": piece.finish_reason,
                        "templated": True,
                        "context_tokens": packed.tokens,
                        **_cited(marks, packed.given),
                        "history_messages": len(packed.history),
                        "usage": asdict(usage),
                        "timings": {name: ms for name, ms in asdict(timings).items() if ms is not None},
                        "model": use.entry.alias,
                    },
                )


def _cited(marks: Marks, given: list[int]) -> dict[str, Any]:
    """The citations by the numbers that the caller knows."""
    citations = [{**citation, "source": given[citation["source"] - 1] + 1} for citation in marks.as_dicts()]
    return {"citations": citations, "given": [number + 1 for number in given], "foreign_marks": marks.foreign}


async def _quoted(use: Use, asked: question.Question, started: float) -> dict:
    """The answer of the extractive generator, which quotes; its budget is counted as the retrieval counts."""
    from . import extracted

    lengths = [passage.tokens or 0 for passage in asked.passages]
    packed = packing.within(asked, lengths, None)
    texts = [asked.passages[number].text for number in packed.given]
    found = await extracted.quoted(use, asked.searched, texts)
    marks, parts = Marks(texts), []
    for citation in found["citations"]:
        said = without_marks(citation["text"])
        mark = marks.cite(citation["source"], citation["quote"], citation["start"])
        parts.append(f"{said}{'' if said.endswith(chr(10)) else ' '}{mark}")
    return {
        **_told(" ".join(parts) or found["text"], started, found["reason"], found["finish_reason"]),
        **_cited(marks, packed.given),
        "usage": found["usage"],
        "model": use.entry.alias,
    }


def _told(text: str, started: float, reason: str | None, finish_reason: str = "no_answer") -> dict:
    """An answer without a language model."""
    return {
        "text": text,
        "finish_reason": finish_reason,
        "reason": reason,
        "citations": [],
        "given": [],
        "foreign_marks": 0,
        "history_messages": 0,
        "usage": {"prompt_tokens": 0, "completion_tokens": 0},
        "timings": {"total_ms": round(1000 * (time.perf_counter() - started), 3)},
        "model": None,
    }
