"""Golden sets: queries and judgements kept under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .call import build, call, first, jsonb, values
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class GoldenQuery:
    """One row of `lore.golden`: a query of a golden set, and the grades of documents by key."""

    name: str
    query_id: str
    query: str
    judgements: dict[str, float]
    changed_at: datetime


class AsyncGolden(AsyncSession):
    async def add_golden(
        self, name: str, queries: Mapping[str, str], judgements: Mapping[str, Mapping[str, float]]
    ) -> int:
        """Put queries into a golden set, which is made where it is not there; how many were written.

        queries     texts by identifier; one that is there is replaced
        judgements  grades of documents by key, above 0 where relevant, by the query's identifier
        raises      BadArgument, CatalogMissing
        """
        arguments: dict[str, Any] = {"name": name, "queries": jsonb(queries), "judgements": judgements}
        return first(await self._rows(call("lore.add_golden", **arguments)))

    async def drop_golden(self, name: str, *, if_exists: bool = False) -> bool:
        """Delete a golden set; False if there was none and if_exists is True. raises BadArgument"""
        return first(await self._rows(call("lore.drop_golden", name=name, if_exists=if_exists)))

    async def golden(self, name: str) -> list[GoldenQuery]:
        """The queries of a golden set; none where there is no such set. raises CatalogMissing"""
        rows = await self._rows((b"SELECT * FROM lore.golden WHERE name = %s", values(name=name)))
        return [build(GoldenQuery, row) for row in rows]


# Below: the same without async, written by `python pyclient/derive.py`.


class Golden(Session):
    def add_golden(
        self, name: str, queries: Mapping[str, str], judgements: Mapping[str, Mapping[str, float]]
    ) -> int:
        """Put queries into a golden set, which is made where it is not there; how many were written.

        queries     texts by identifier; one that is there is replaced
        judgements  grades of documents by key, above 0 where relevant, by the query's identifier
        raises      BadArgument, CatalogMissing
        """
        arguments: dict[str, Any] = {"name": name, "queries": jsonb(queries), "judgements": judgements}
        return first(self._rows(call("lore.add_golden", **arguments)))

    def drop_golden(self, name: str, *, if_exists: bool = False) -> bool:
        """Delete a golden set; False if there was none and if_exists is True. raises BadArgument"""
        return first(self._rows(call("lore.drop_golden", name=name, if_exists=if_exists)))

    def golden(self, name: str) -> list[GoldenQuery]:
        """The queries of a golden set; none where there is no such set. raises CatalogMissing"""
        rows = self._rows((b"SELECT * FROM lore.golden WHERE name = %s", values(name=name)))
        return [build(GoldenQuery, row) for row in rows]
