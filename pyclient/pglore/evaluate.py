"""How well a collection is searched, measured by judged queries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .call import build, call, jsonb, to_json, values
from .session import AsyncSession, Session

Progress = Callable[[int, int], None]
TOLD = re.compile(r"evaluated (\d+) of (\d+) queries")  # the notice that lore.evaluate gives each second


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One row of `lore.evaluate`: means over the judged queries, times in the server, p-values against the first."""

    variant: str
    judged: int
    ndcg: float
    recall: float
    mrr: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    ndcg_p: float | None
    recall_p: float | None
    mrr_p: float | None
    missing: int
    evaluation: int | None


@dataclass(frozen=True, slots=True)
class KeptEvaluation:
    """One row of `lore.evaluations`: what was found, when, and with which model and settings."""

    evaluation: int
    evaluated_at: datetime
    evaluated_by: str
    collection: str
    variant: str
    arguments: dict[str, Any]
    golden: str | None
    test: str
    k: int
    judged: int
    ndcg: float
    recall: float
    mrr: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    ndcg_change: float | None
    recall_change: float | None
    mrr_change: float | None
    baseline: int | None
    ndcg_p: float | None
    recall_p: float | None
    mrr_p: float | None
    missing: int
    model: str
    fingerprint: str
    reranker: str | None
    reranker_fingerprint: str | None
    settings: dict[str, Any]
    version: str


@dataclass(frozen=True, slots=True)
class EvaluationQuery:
    """One row of `lore.evaluation_queries`: the keys found for a query, best first, and how good that is."""

    evaluation: int
    query_id: str
    query: str
    keys: list[str]
    ms: float
    ndcg: float
    recall: float
    reciprocal_rank: float


@contextmanager
def told(connection: Any, progress: Progress | None) -> Iterator[None]:
    """Pass the server's notices of progress on to a function while the block runs."""

    def handler(diagnostic: Any) -> None:
        found = TOLD.fullmatch(diagnostic.message_primary or "")
        if found and progress:
            progress(int(found[1]), int(found[2]))

    if progress is None:
        yield
        return
    connection.add_notice_handler(handler)
    try:
        yield
    finally:
        connection.remove_notice_handler(handler)


class AsyncEvaluate(AsyncSession):
    name: str

    async def evaluate(
        self,
        queries: Mapping[str, str] | None = None,
        judgements: Mapping[str, Mapping[str, float]] | None = None,
        *,
        k: int = 10,
        variants: Mapping[str, Mapping[str, Any]] | None = None,
        golden: str | None = None,
        keep: bool | None = None,
        progress: Progress | None = None,
    ) -> list[Evaluation]:
        """One row a variant of `search`; the first variant is what the others are compared with.

        queries     texts by identifier
        judgements  grades of documents by key, above 0 where relevant, by the query's identifier
        k           documents that are looked at for each query
        variants    arguments of `search` by name: {"default": {}, "vector": {"mode": "vector"}}
        golden      name of a golden set, in the place of queries and judgements
        keep        in `Client.evaluations`; None keeps where the caller may write there
        progress    is called about each second with the number of queries done and of all
        raises      BadArgument, UnknownCollection, and what `search` raises
        """
        from psycopg.types.json import Json

        arguments: dict[str, Any] = {"queries": jsonb(queries), "judgements": judgements, "k": k, "golden": golden}
        if variants is not None:  # json, not jsonb: the order counts
            arguments["variants"] = Json(variants, dumps=to_json)
        with told(self.connection, progress):
            rows = await self._rows(call("lore.evaluate", collection=self.name, keep=keep, **arguments))
        return [build(Evaluation, row) for row in rows]


class AsyncEvaluations(AsyncSession):
    async def evaluations(self, collection: str | None = None) -> list[KeptEvaluation]:
        """What evaluations of a collection, or of all, found, in the order in which they were made."""
        query = b"SELECT * FROM lore.evaluations WHERE collection = coalesce(%s, collection) ORDER BY evaluation"
        rows = await self._rows((query, values(collection=collection)))
        return [build(KeptEvaluation, row) for row in rows]

    async def evaluation_queries(self, evaluation: int) -> list[EvaluationQuery]:
        """What one evaluation found for each query; of one's own evaluations, or of all for lore_admin."""
        query = b"SELECT * FROM lore.evaluation_queries WHERE evaluation = %s ORDER BY query_id"
        rows = await self._rows((query, values(evaluation=evaluation)))
        return [build(EvaluationQuery, row) for row in rows]


# Below: the same without async, written by `python pyclient/derive.py`.


class Evaluate(Session):
    name: str

    def evaluate(
        self,
        queries: Mapping[str, str] | None = None,
        judgements: Mapping[str, Mapping[str, float]] | None = None,
        *,
        k: int = 10,
        variants: Mapping[str, Mapping[str, Any]] | None = None,
        golden: str | None = None,
        keep: bool | None = None,
        progress: Progress | None = None,
    ) -> list[Evaluation]:
        """One row a variant of `search`; the first variant is what the others are compared with.

        queries     texts by identifier
        judgements  grades of documents by key, above 0 where relevant, by the query's identifier
        k           documents that are looked at for each query
        variants    arguments of `search` by name: {"default": {}, "vector": {"mode": "vector"}}
        golden      name of a golden set, in the place of queries and judgements
        keep        in `Client.evaluations`; None keeps where the caller may write there
        progress    is called about each second with the number of queries done and of all
        raises      BadArgument, UnknownCollection, and what `search` raises
        """
        from psycopg.types.json import Json

        arguments: dict[str, Any] = {"queries": jsonb(queries), "judgements": judgements, "k": k, "golden": golden}
        if variants is not None:  # json, not jsonb: the order counts
            arguments["variants"] = Json(variants, dumps=to_json)
        with told(self.connection, progress):
            rows = self._rows(call("lore.evaluate", collection=self.name, keep=keep, **arguments))
        return [build(Evaluation, row) for row in rows]


class Evaluations(Session):
    def evaluations(self, collection: str | None = None) -> list[KeptEvaluation]:
        """What evaluations of a collection, or of all, found, in the order in which they were made."""
        query = b"SELECT * FROM lore.evaluations WHERE collection = coalesce(%s, collection) ORDER BY evaluation"
        rows = self._rows((query, values(collection=collection)))
        return [build(KeptEvaluation, row) for row in rows]

    def evaluation_queries(self, evaluation: int) -> list[EvaluationQuery]:
        """What one evaluation found for each query; of one's own evaluations, or of all for lore_admin."""
        query = b"SELECT * FROM lore.evaluation_queries WHERE evaluation = %s ORDER BY query_id"
        rows = self._rows((query, values(evaluation=evaluation)))
        return [build(EvaluationQuery, row) for row in rows]
