"""Where the time of a search goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .call import build, call, text
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a search: its time without the stages before it, what it hands on, its indexes, its plan."""

    stage: str
    ms: float
    rows: int | None
    index: str | None
    detail: str | None


class AsyncExplain(AsyncSession):
    name: str

    async def explain_search(
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
    ) -> list[Stage]:
        """The stages of `search` with the same arguments, in their order, measured; the last is their total.

        raises  as `search` does
        """
        options: dict[str, Any] = {"k": k, "mode": mode, "filter": filter, "rerank": rerank}
        options |= {"candidates": candidates, "per_document": per_document, "vector": text(vector)}
        options |= {"fusion": fusion, "diversity": diversity, "neighbours": neighbours}
        statement = call("lore.explain_search", collection=self.name, query=query, **options)
        return [build(Stage, row) for row in await self._rows(statement)]


# Below: the same without async, written by `python pyclient/derive.py`.


class Explain(Session):
    name: str

    def explain_search(
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
    ) -> list[Stage]:
        """The stages of `search` with the same arguments, in their order, measured; the last is their total.

        raises  as `search` does
        """
        options: dict[str, Any] = {"k": k, "mode": mode, "filter": filter, "rerank": rerank}
        options |= {"candidates": candidates, "per_document": per_document, "vector": text(vector)}
        options |= {"fusion": fusion, "diversity": diversity, "neighbours": neighbours}
        statement = call("lore.explain_search", collection=self.name, query=query, **options)
        return [build(Stage, row) for row in self._rows(statement)]
