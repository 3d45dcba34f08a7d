"""An answer with its sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .call import build, call
from .session import AsyncSession, Session


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
    """An answer, its sources in the order of their numbers, tokens used, and milliseconds of each stage."""

    answer: str
    sources: list[Source]
    usage: dict[str, Any]
    timings: dict[str, float]

    def __str__(self) -> str:
        return self.answer


def _source(row: Mapping[str, Any]) -> Source:
    spans = {name: tuple(row[name]) for name in ("span", "quote_span") if row.get(name) is not None}
    return build(Source, {**row, **spans})


class AsyncAsk(AsyncSession):
    name: str

    async def ask(
        self,
        question: str,
        *,
        k: int = 8,
        model: str | None = None,
        mode: str = "hybrid",
        filter: Mapping[str, Any] | None = None,
        rerank: str | None = None,
        max_tokens: int = 2000,
    ) -> Answer:
        """An answer from the collection, each statement followed by its citation [n].

        k           passages that the generator reads
        model       alias of a generator
        max_tokens  budget of what the generator reads
        raises      UnknownCollection, EmptyInput, BadFilter, UnknownModel, HostBusy
        """
        options: dict[str, Any] = {
            "k": k,
            "model": model,
            "mode": mode,
            "filter": filter,
            "rerank": rerank,
            "max_tokens": max_tokens,
        }
        rows = await self._rows(call("lore.ask", collection=self.name, question=question, **options))
        return build(Answer, {**rows[0], "sources": [_source(source) for source in rows[0]["sources"]]})


# Below: the same without async, written by `python pyclient/derive.py`.


class Ask(Session):
    name: str

    def ask(
        self,
        question: str,
        *,
        k: int = 8,
        model: str | None = None,
        mode: str = "hybrid",
        filter: Mapping[str, Any] | None = None,
        rerank: str | None = None,
        max_tokens: int = 2000,
    ) -> Answer:
        """An answer from the collection, each statement followed by its citation [n].

        k           passages that the generator reads
        model       alias of a generator
        max_tokens  budget of what the generator reads
        raises      UnknownCollection, EmptyInput, BadFilter, UnknownModel, HostBusy
        """
        options: dict[str, Any] = {
            "k": k,
            "model": model,
            "mode": mode,
            "filter": filter,
            "rerank": rerank,
            "max_tokens": max_tokens,
        }
        rows = self._rows(call("lore.ask", collection=self.name, question=question, **options))
        return build(Answer, {**rows[0], "sources": [_source(source) for source in rows[0]["sources"]]})
