"""Writing: an answer as a language model writes it, in pieces: kept to its sources, or told not to be there."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from ..entry import Use
from ..generation import GenerationRequest, Generator, Piece
from .citations import Marks, constraint
from .messages import SENTINEL, conversation
from .packing import Packed
from .plain import plain
from .question import Question

REFUSAL = "The sources do not answer this question."
REMOTE_ANSWER = 1024  # tokens, where nobody names a number: some count what a model thinks before it
PATTERNS = ("vllm", "sglang")  # servers that take a regular expression as it is


def request(use: Use, asked: Question, packed: Packed, *, whole: bool) -> GenerationRequest:
    """What the engine is asked for; it may cite none but the sources, where the engine can be kept to that.

    A server's answer under a constraint comes at once: where its pieces are wanted, and where it knows no patterns, its
    marks are looked at as they come.
    """
    sources = [plain(asked.passages[number].text) for number in packed.given]
    kept = not use.is_remote or (whole and use.model.options.structured in PATTERNS)  # type: ignore[union-attr]
    return GenerationRequest(
        messages=conversation(asked, sources, packed.history),
        max_tokens=asked.answer_tokens or (REMOTE_ANSWER if use.is_remote else None),
        constraint=constraint(len(sources)) if kept else None,
        whole=whole,
    )


async def pieces(generator: Generator, wanted: GenerationRequest, marks: Marks) -> AsyncIterator[Piece]:
    """The pieces of an answer with its marks numbered anew.

    An answer that says it is none is one piece, with the finish_reason no_answer; what follows is not waited for.
    """
    begun, undecided = "", True  # what may still become the word for no answer
    async with aclosing(generator.stream(wanted)) as found:  # type: ignore[type-var]
        async for piece in found:
            text, ended = begun + piece.text, piece.finish_reason is not None
            if undecided:
                if not ended and _may_refuse(text):
                    begun = text
                    continue
                if _refuses(text) or not text.strip():
                    yield replace(piece, text=REFUSAL, finish_reason="no_answer", complete=True)
                    return
                begun, undecided = "", False
            told = marks.add(text) + (marks.end() if ended else "")
            if told or ended:
                yield replace(piece, text=told)


def _may_refuse(text: str) -> bool:
    return SENTINEL.startswith(_word(text))


def _refuses(text: str) -> bool:
    return _word(text).startswith(SENTINEL)


def _word(text: str) -> str:
    return text.lstrip(" \t\r\n*`\"'").replace(" ", "_")
