"""Finding the chunks of several collections that answer a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .call import build, call
from .search import SearchOptions, arguments
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class HitOfAll:
    """A chunk found, and the collection that holds it."""

    rank: int
    collection: str
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
    rerank_score: float | None


class AsyncSearchAll(AsyncSession):
    async def search_all(
        self,
        collections: Sequence[str],
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
        weights: Mapping[str, float] | None = None,
        expand: str | None = None,
        generator: str | None = None,
        match: str = "any",
    ) -> list[HitOfAll]:
        """The k best chunks of several collections of one model, best first; arguments as of `Collection.search`.

        raises  UnknownCollection, DimensionMismatch, EmptyInput, BadFilter, BadArgument, UnknownModel, UnknownEngine,
                HostBusy
        """
        options: SearchOptions = {"k": k, "mode": mode, "filter": filter, "rerank": rerank, "candidates": candidates}
        options |= {"per_document": per_document, "vector": vector, "fusion": fusion, "diversity": diversity}
        options |= {"neighbours": neighbours, "weights": weights, "expand": expand}
        options |= {"generator": generator, "match": match}
        statement = call("lore.search_all", collections=collections, query=query, **arguments(options))
        return [build(HitOfAll, row) for row in await self._rows(statement)]


# Below: the same without async, written by `python pyclient/derive.py`.


class SearchAll(Session):
    def search_all(
        self,
        collections: Sequence[str],
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
        weights: Mapping[str, float] | None = None,
        expand: str | None = None,
        generator: str | None = None,
        match: str = "any",
    ) -> list[HitOfAll]:
        """The k best chunks of several collections of one model, best first; arguments as of `Collection.search`.

        raises  UnknownCollection, DimensionMismatch, EmptyInput, BadFilter, BadArgument, UnknownModel, UnknownEngine,
                HostBusy
        """
        options: SearchOptions = {"k": k, "mode": mode, "filter": filter, "rerank": rerank, "candidates": candidates}
        options |= {"per_document": per_document, "vector": vector, "fusion": fusion, "diversity": diversity}
        options |= {"neighbours": neighbours, "weights": weights, "expand": expand}
        options |= {"generator": generator, "match": match}
        statement = call("lore.search_all", collections=collections, query=query, **arguments(options))
        return [build(HitOfAll, row) for row in self._rows(statement)]
