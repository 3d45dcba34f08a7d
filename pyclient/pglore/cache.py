"""The result cache: what models answered before, for the role that asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .call import build, call, first
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class CachedResult:
    """One result in the cache; that of another role, which lore_admin sees, without its result."""

    role: str
    operation: str
    model: str
    fingerprint: str
    key: str
    bytes: int
    made_at: datetime
    used_at: datetime
    result: Any


class AsyncCache(AsyncSession):
    async def result_cache(self, on: bool = True) -> None:
        """Let this connection's calls of generators and operators be answered from the cache, or not."""
        setting = "on" if on else "off"
        await self._rows((b"SELECT set_config('lore.result_cache', %s, false)", [setting]))

    async def cached_results(self) -> list[CachedResult]:
        """What is in the cache of one's own role; for lore_admin of all. raises CatalogMissing"""
        rows = await self._rows((b"SELECT * FROM lore.cache ORDER BY made_at, key", []))
        return [build(CachedResult, row) for row in rows]

    async def cache_clear(
        self, model: str | None = None, *, role: str | None = None, unused_for: timedelta | None = None
    ) -> int:
        """Take results out of the cache; returns how many.

        role    None is one's own, "public" all roles' (for lore_admin)
        raises  CatalogMissing, psycopg.errors.InsufficientPrivilege
        """
        return first(await self._rows(call("lore.cache_clear", model=model, role=role, unused_for=unused_for)))

    async def set_cache_size(self, megabytes: float) -> None:
        """Bound the cache of this database; for lore_admin. raises BadArgument, CatalogMissing"""
        await self._rows(call("lore.set_cache_size", megabytes=megabytes))


# Below: the same without async, written by `python pyclient/derive.py`.


class Cache(Session):
    def result_cache(self, on: bool = True) -> None:
        """Let this connection's calls of generators and operators be answered from the cache, or not."""
        setting = "on" if on else "off"
        self._rows((b"SELECT set_config('lore.result_cache', %s, false)", [setting]))

    def cached_results(self) -> list[CachedResult]:
        """What is in the cache of one's own role; for lore_admin of all. raises CatalogMissing"""
        rows = self._rows((b"SELECT * FROM lore.cache ORDER BY made_at, key", []))
        return [build(CachedResult, row) for row in rows]

    def cache_clear(
        self, model: str | None = None, *, role: str | None = None, unused_for: timedelta | None = None
    ) -> int:
        """Take results out of the cache; returns how many.

        role    None is one's own, "public" all roles' (for lore_admin)
        raises  CatalogMissing, psycopg.errors.InsufficientPrivilege
        """
        return first(self._rows(call("lore.cache_clear", model=model, role=role, unused_for=unused_for)))

    def set_cache_size(self, megabytes: float) -> None:
        """Bound the cache of this database; for lore_admin. raises BadArgument, CatalogMissing"""
        self._rows(call("lore.set_cache_size", megabytes=megabytes))
