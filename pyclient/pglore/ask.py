"""An answer with its sources: at once, or in pieces as it is written."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from .call import Statement, build, call
from .session import AsyncSession, Session

if TYPE_CHECKING:
    from typing import Unpack


class AskOptions(TypedDict, total=False):
    """The arguments of `ask` and `ask_stream`; what is left out is as in SQL: lore.ask says what each means."""

    k: int
    model: str | None
    mode: str
    filter: Mapping[str, Any] | None
    rerank: str | None
    max_tokens: int | None
    fusion: str
    diversity: float | None
    weights: Mapping[str, float] | None
    expand: str | None
    generator: str | None
    match: str
    history: Sequence[Mapping[str, str]] | None
    language: str | None
    template: str | None
    answer_tokens: int | None


@dataclass(frozen=True, slots=True)
class Source:
    """What stands behind citation [n]: the document, the place in it, the quoted words, every stage's score."""

    n: int
    key: str
    chunk_id: int
    span: tuple[int, int]
    quote: str
    quote_span: tuple[int, int]
    heading: str | None
    metadata: dict[str, Any]
    scores: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, its sources in the order of their numbers, tokens used, milliseconds of each stage, why it ended.

    finish_reason  stop, length (the answer was cut), or no_answer: the sources do not hold it
    """

    answer: str
    sources: list[Source]
    usage: dict[str, Any]
    timings: dict[str, float]
    finish_reason: str | None = None

    def __str__(self) -> str:
        return self.answer


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """The next piece of an answer; the last has what Answer has, and no other."""

    answer: str
    sources: list[Source] | None
    usage: dict[str, Any] | None
    timings: dict[str, float] | None
    finish_reason: str | None

    def __str__(self) -> str:
        return self.answer


def _source(row: Mapping[str, Any]) -> Source:
    spans = {name: tuple(row[name]) for name in ("span", "quote_span") if row.get(name) is not None}
    return build(Source, {**row, **spans})


def _with_sources(row: Mapping[str, Any]) -> dict[str, Any]:
    found = row["sources"]
    return {**row, "sources": None if found is None else [_source(source) for source in found]}


def _asked(function: str, collection: str, question: str, options: AskOptions) -> Statement:
    """raises TypeError for an option that there is not"""
    if unknown := options.keys() - AskOptions.__annotations__.keys():
        raise TypeError(f"a question takes no argument {', '.join(sorted(unknown))}")
    return call(function, collection=collection, question=question, **options)


def _streamed(collection: str, question: str, options: AskOptions) -> Statement:
    """In the select list, where PostgreSQL hands each row on as it comes; in FROM it would collect them."""
    statement, parameters = _asked("lore.ask_stream", collection, question, options)
    inner = statement.replace(b"SELECT * FROM", b"SELECT", 1)
    return b"SELECT (s.piece).* FROM (" + inner + b" AS piece OFFSET 0) AS s", parameters


class AsyncAsk(AsyncSession):
    name: str

    async def ask(self, question: str, **options: Unpack[AskOptions]) -> Answer:
        """An answer from the collection, each statement followed by its citation [n].

        k           passages that the generator reads
        model       alias of a generator
        max_tokens  budget of the passages that the generator reads; None is what its window leaves
        history     the conversation before the question: [{"role": "user" | "assistant", "content": "..."}]
        language    of the answer
        template    name or name@version of a prompt template
        raises      UnknownCollection, EmptyInput, BadArgument, BadFilter, UnknownModel, HostBusy
        """
        rows = await self._rows(_asked("lore.ask", self.name, question, options))
        return build(Answer, _with_sources(rows[0]))

    async def ask_stream(self, question: str, **options: Unpack[AskOptions]) -> AsyncGenerator[AnswerPiece]:
        """The pieces of an answer as they come, sources in the last; to close the iterator stops the model.

        They come through a cursor, so a transaction stays open until the last: of its own where none is.
        """
        async with aclosing(self._stream(_streamed(self.name, question, options))) as rows:
            async for row in rows:
                yield build(AnswerPiece, _with_sources(row))


# Below: the same without async, written by `python pyclient/derive.py`.


class Ask(Session):
    name: str

    def ask(self, question: str, **options: Unpack[AskOptions]) -> Answer:
        """An answer from the collection, each statement followed by its citation [n].

        k           passages that the generator reads
        model       alias of a generator
        max_tokens  budget of the passages that the generator reads; None is what its window leaves
        history     the conversation before the question: [{"role": "user" | "assistant", "content": "..."}]
        language    of the answer
        template    name or name@version of a prompt template
        raises      UnknownCollection, EmptyInput, BadArgument, BadFilter, UnknownModel, HostBusy
        """
        rows = self._rows(_asked("lore.ask", self.name, question, options))
        return build(Answer, _with_sources(rows[0]))

    def ask_stream(self, question: str, **options: Unpack[AskOptions]) -> Generator[AnswerPiece]:
        """The pieces of an answer as they come, sources in the last; to close the iterator stops the model.

        They come through a cursor, so a transaction stays open until the last: of its own where none is.
        """
        with closing(self._stream(_streamed(self.name, question, options))) as rows:
            for row in rows:
                yield build(AnswerPiece, _with_sources(row))
