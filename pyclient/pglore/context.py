"""The sources of an answer, packed to a budget of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .call import build, call
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Passage:
    """A numbered source as a generator reads it, with its length in tokens and every stage's score."""

    source: int
    key: str
    chunk_id: int
    ordinal: int
    span: tuple[int, int]
    heading: str | None
    content: str
    tokens: int
    metadata: dict[str, Any]
    score: float
    vector_score: float | None
    keyword_score: float | None
    fusion_score: float | None
    rerank_score: float | None


class AsyncContext(AsyncSession):
    name: str

    async def context(
        self,
        query: str,
        *,
        k: int = 8,
        max_tokens: int | None = 2000,
        mode: str = "hybrid",
        filter: Mapping[str, Any] | None = None,
        rerank: str | None = None,
        fusion: str = "score",
        diversity: float | None = None,
        weights: Mapping[str, float] | None = None,
        expand: str | None = None,
        generator: str | None = None,
        match: str = "any",
    ) -> list[Passage]:
        """The best passages for a query, numbered from 1, together at most max_tokens long.

        What follows max_tokens is as in search.

        raises  UnknownCollection, EmptyInput, BadFilter, BadArgument, HostBusy
        """
        options: dict[str, Any] = {"k": k, "max_tokens": max_tokens, "mode": mode, "filter": filter, "rerank": rerank}
        options |= {"fusion": fusion, "diversity": diversity, "weights": weights, "expand": expand}
        options |= {"generator": generator, "match": match}
        statement = call("lore.context", collection=self.name, query=query, **options)
        return [build(Passage, row) for row in await self._rows(statement)]


# Below: the same without async, written by `python pyclient/derive.py`.


class Context(Session):
    name: str

    def context(
        self,
        query: str,
        *,
        k: int = 8,
        max_tokens: int | None = 2000,
        mode: str = "hybrid",
        filter: Mapping[str, Any] | None = None,
        rerank: str | None = None,
        fusion: str = "score",
        diversity: float | None = None,
        weights: Mapping[str, float] | None = None,
        expand: str | None = None,
        generator: str | None = None,
        match: str = "any",
    ) -> list[Passage]:
        """The best passages for a query, numbered from 1, together at most max_tokens long.

        What follows max_tokens is as in search.

        raises  UnknownCollection, EmptyInput, BadFilter, BadArgument, HostBusy
        """
        options: dict[str, Any] = {"k": k, "max_tokens": max_tokens, "mode": mode, "filter": filter, "rerank": rerank}
        options |= {"fusion": fusion, "diversity": diversity, "weights": weights, "expand": expand}
        options |= {"generator": generator, "match": match}
        statement = call("lore.context", collection=self.name, query=query, **options)
        return [build(Passage, row) for row in self._rows(statement)]
