"""Finding the chunks of a collection that answer a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .call import build, call, first, text
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found: where it stands (document key, character span), what it says, and every stage's score."""

    rank: int
    key: str
    chunk_id: int
    ordinal: int
    heading: str | None
    content: str
    span: tuple[int, int]
    metadata: dict[str, Any]
    score: float
    vector_score: float | None
    keyword_score: float | None
    fusion_score: float | None
    rerank_score: float | None


class AsyncSearch(AsyncSession):
    name: str

    async def search(
        self,
        query: str | None,
        *,
        k: int = 10,
        mode: str = "hybrid",
        filter: Mapping[str, Any] | None = None,
        rerank: str | None = None,
        candidates: int | None = None,
        per_document: int | None = 1,
        vector: Sequence[float] | None = None,
        fusion: str = "score",
        diversity: float | None = None,
        neighbours: int = 0,
    ) -> list[Hit]:
        """The k best chunks for a query, best first.

        mode          'hybrid', 'vector' or 'keyword'
        filter        on the metadata: {"year": {"$gte": 2020}}
        rerank        alias of a reranker, or 'default'
        candidates    chunks that each arm offers to the fusion; None takes what suits
        per_document  most chunks of one document; None for no limit
        vector        of the query, where you have it; without a query text only vectors count
        fusion        'score' or 'rrf', reciprocal ranks
        diversity     0 to 1: how much a chunk loses for its likeness to those before it
        neighbours    chunks before and behind each whose text is given with it
        raises        UnknownCollection, DimensionMismatch, EmptyInput, BadFilter, BadArgument, HostBusy
        """
        options: dict[str, Any] = {"k": k, "mode": mode, "filter": filter, "rerank": rerank}
        options |= {"candidates": candidates, "per_document": per_document, "vector": text(vector)}
        options |= {"fusion": fusion, "diversity": diversity, "neighbours": neighbours}
        statement = call("lore.search", collection=self.name, query=query, **options)
        return [build(Hit, row) for row in await self._rows(statement)]

    async def search_sql(
        self,
        query: str | None,
        *,
        k: int = 10,
        mode: str = "hybrid",
        filter: Mapping[str, Any] | None = None,
        rerank: str | None = None,
        candidates: int | None = None,
        per_document: int | None = 1,
        vector: Sequence[float] | None = None,
        fusion: str = "score",
        diversity: float | None = None,
        neighbours: int = 0,
    ) -> str:
        """The statement that `search` with the same arguments runs, to read, run and change. raises as `search` does"""
        options: dict[str, Any] = {"k": k, "mode": mode, "filter": filter, "rerank": rerank}
        options |= {"candidates": candidates, "per_document": per_document, "vector": text(vector)}
        options |= {"fusion": fusion, "diversity": diversity, "neighbours": neighbours}
        return first(await self._rows(call("lore.search_sql", collection=self.name, query=query, **options)))


# Below: the same without async, written by `python pyclient/derive.py`.


class Search(Session):
    name: str

    def search(
        self,
        query: str | None,
        *,
        k: int = 10,
        mode: str = "hybrid",
        filter: Mapping[str, Any] | None = None,
        rerank: str | None = None,
        candidates: int | None = None,
        per_document: int | None = 1,
        vector: Sequence[float] | None = None,
        fusion: str = "score",
        diversity: float | None = None,
        neighbours: int = 0,
    ) -> list[Hit]:
        """The k best chunks for a query, best first.

        mode          'hybrid', 'vector' or 'keyword'
        filter        on the metadata: {"year": {"$gte": 2020}}
        rerank        alias of a reranker, or 'default'
        candidates    chunks that each arm offers to the fusion; None takes what suits
        per_document  most chunks of one document; None for no limit
        vector        of the query, where you have it; without a query text only vectors count
        fusion        'score' or 'rrf', reciprocal ranks
        diversity     0 to 1: how much a chunk loses for its likeness to those before it
        neighbours    chunks before and behind each whose text is given with it
        raises        UnknownCollection, DimensionMismatch, EmptyInput, BadFilter, BadArgument, HostBusy
        """
        options: dict[str, Any] = {"k": k, "mode": mode, "filter": filter, "rerank": rerank}
        options |= {"candidates": candidates, "per_document": per_document, "vector": text(vector)}
        options |= {"fusion": fusion, "diversity": diversity, "neighbours": neighbours}
        statement = call("lore.search", collection=self.name, query=query, **options)
        return [build(Hit, row) for row in self._rows(statement)]

    def search_sql(
        self,
        query: str | None,
        *,
        k: int = 10,
        mode: str = "hybrid",
        filter: Mapping[str, Any] | None = None,
        rerank: str | None = None,
        candidates: int | None = None,
        per_document: int | None = 1,
        vector: Sequence[float] | None = None,
        fusion: str = "score",
        diversity: float | None = None,
        neighbours: int = 0,
    ) -> str:
        """The statement that `search` with the same arguments runs, to read, run and change. raises as `search` does"""
        options: dict[str, Any] = {"k": k, "mode": mode, "filter": filter, "rerank": rerank}
        options |= {"candidates": candidates, "per_document": per_document, "vector": text(vector)}
        options |= {"fusion": fusion, "diversity": diversity, "neighbours": neighbours}
        return first(self._rows(call("lore.search_sql", collection=self.name, query=query, **options)))
