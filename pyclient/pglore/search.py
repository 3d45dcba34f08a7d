"""Finding the chunks of a collection that answer a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

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


class SearchOptions(TypedDict, total=False):
    """The arguments of `search`, for the methods that take the same."""

    k: int
    mode: str
    filter: Mapping[str, Any] | None
    rerank: str | None
    candidates: int | None
    per_document: int | None
    vector: Sequence[float] | None
    fusion: str
    diversity: float | None
    neighbours: int
    weights: Mapping[str, float] | None
    expand: str | None
    generator: str | None
    match: str


def arguments(options: SearchOptions) -> dict[str, Any]:
    """The options as arguments of SQL. raises TypeError for one that `search` does not take"""
    if unknown := options.keys() - SearchOptions.__annotations__.keys():
        raise TypeError(f"a search takes no argument {', '.join(sorted(unknown))}")
    return {**options, "vector": text(options.get("vector"))}


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
        weights: Mapping[str, float] | None = None,
        expand: str | None = None,
        generator: str | None = None,
        match: str = "any",
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
        weights       of the stages: {"vector": 1, "keyword": 0.5, "wording": 0.5, "rerank": 1}
        expand        by a language model: 'queries', other wordings, or 'hypothetical', a passage that would answer
        generator     alias of that model
        match         what every chunk has of the words: 'all', 'phrase' or 'prefix'; or 'any', or 'fuzzy'
        raises        UnknownCollection, DimensionMismatch, EmptyInput, BadFilter, BadArgument, UnknownModel,
                      UnknownEngine, HostBusy
        """
        options: SearchOptions = {"k": k, "mode": mode, "filter": filter, "rerank": rerank, "candidates": candidates}
        options |= {"per_document": per_document, "vector": vector, "fusion": fusion, "diversity": diversity}
        options |= {
            "neighbours": neighbours,
            "weights": weights,
            "expand": expand,
            "generator": generator,
            "match": match,
        }
        statement = call("lore.search", collection=self.name, query=query, **arguments(options))
        return [build(Hit, row) for row in await self._rows(statement)]

    async def search_sql(self, query: str | None, **options: Unpack[SearchOptions]) -> str:
        """The statement that `search` with the same arguments runs, to read, run and change. raises as `search` does"""
        statement = call("lore.search_sql", collection=self.name, query=query, **arguments(options))
        return first(await self._rows(statement))


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
        weights: Mapping[str, float] | None = None,
        expand: str | None = None,
        generator: str | None = None,
        match: str = "any",
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
        weights       of the stages: {"vector": 1, "keyword": 0.5, "wording": 0.5, "rerank": 1}
        expand        by a language model: 'queries', other wordings, or 'hypothetical', a passage that would answer
        generator     alias of that model
        match         what every chunk has of the words: 'all', 'phrase' or 'prefix'; or 'any', or 'fuzzy'
        raises        UnknownCollection, DimensionMismatch, EmptyInput, BadFilter, BadArgument, UnknownModel,
                      UnknownEngine, HostBusy
        """
        options: SearchOptions = {"k": k, "mode": mode, "filter": filter, "rerank": rerank, "candidates": candidates}
        options |= {"per_document": per_document, "vector": vector, "fusion": fusion, "diversity": diversity}
        options |= {
            "neighbours": neighbours,
            "weights": weights,
            "expand": expand,
            "generator": generator,
            "match": match,
        }
        statement = call("lore.search", collection=self.name, query=query, **arguments(options))
        return [build(Hit, row) for row in self._rows(statement)]

    def search_sql(self, query: str | None, **options: Unpack[SearchOptions]) -> str:
        """The statement that `search` with the same arguments runs, to read, run and change. raises as `search` does"""
        statement = call("lore.search_sql", collection=self.name, query=query, **arguments(options))
        return first(self._rows(statement))
