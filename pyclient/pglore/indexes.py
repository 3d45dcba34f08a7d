"""The vector index of a collection: built, measured, tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .call import build, call
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """A vector index that has been built: its kind, the chunks and bytes it holds, and how long that took."""

    index_kind: str
    chunks: int
    index_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class IndexEstimate:
    """What a kind of index would take: bytes on disk, and bytes of memory for a quick build."""

    index_kind: str
    chunks: int
    index_bytes: int
    build_bytes: int
    chosen: bool
    note: str | None


@dataclass(frozen=True, slots=True)
class Recall:
    """Share of the true neighbours found, and how they were searched; None where nothing passes the filter."""

    recall: float | None
    searched: str
    effort: int | None
    sampled: int
    ms: float | None


@dataclass(frozen=True, slots=True)
class Band:
    """The least effort that reaches a recall where a share of the rows passes a filter."""

    share: float
    effort: int | None  # None where an exact search of what passes is quicker
    recall: float
    ms: float
    reached: bool


@dataclass(frozen=True, slots=True)
class Maintained:
    """What was done to a collection, and why."""

    name: str
    action: str
    reason: str


class AsyncIndexes(AsyncSession):
    name: str

    async def build_index(self, kind: str | None = "auto", options: Mapping[str, Any] | None = None) -> BuiltIndex:
        """Build the vector index; writers wait meanwhile.

        kind     'auto', 'exact', 'hnsw', 'hnsw_bit', 'ivfflat', 'diskann', 'vchordrq'; None for the collection's own
        options  of the kind: {"m": 16}
        raises   UnknownCollection, BadArgument, UnknownEngine
        """
        rows = await self._rows(
            call("lore.build_index", collection=self.name, kind=kind, options={} if options is None else options)
        )
        return build(BuiltIndex, rows[0])

    async def index_sql(self, kind: str | None = "auto", options: Mapping[str, Any] | None = None) -> list[str]:
        """The statements that build it while others write, each to be run on its own. raises as `build_index` does"""
        rows = await self._rows(
            call("lore.index_sql", collection=self.name, kind=kind, options={} if options is None else options)
        )
        return [row["statement"] for row in rows]

    async def index_estimate(self, *, kind: str | None = None, rows: int | None = None) -> list[IndexEstimate]:
        """What each kind would take before it is built. raises UnknownCollection, BadArgument"""
        found = await self._rows(call("lore.index_estimate", collection=self.name, kind=kind, rows=rows))
        return [build(IndexEstimate, row) for row in found]

    async def recall(
        self,
        *,
        k: int = 10,
        sample: int = 100,
        filter: Mapping[str, Any] | None = None,
    ) -> Recall:
        """Measure the search by vector against exact search. raises UnknownCollection, BadArgument, BadFilter"""
        rows = await self._rows(call("lore.recall", collection=self.name, k=k, sample=sample, filter=filter))
        return build(Recall, rows[0])

    async def tune(self, target_recall: float = 0.95, *, k: int = 10, sample: int = 1000) -> list[Band]:
        """Find and keep the least effort that reaches a recall. raises UnknownCollection, BadArgument"""
        options: dict[str, Any] = {"target_recall": target_recall, "k": k, "sample": sample}
        return [build(Band, row) for row in await self._rows(call("lore.tune", collection=self.name, **options))]


class AsyncMaintain(AsyncSession):
    async def maintain(self, collection: str | None = None) -> Sequence[Maintained]:
        """Build the vector indexes that a collection, or each, has outgrown; what was done. raises UnknownCollection"""
        return [build(Maintained, row) for row in await self._rows(call("lore.maintain", collection=collection))]


# Below: the same without async, written by `python pyclient/derive.py`.


class Indexes(Session):
    name: str

    def build_index(self, kind: str | None = "auto", options: Mapping[str, Any] | None = None) -> BuiltIndex:
        """Build the vector index; writers wait meanwhile.

        kind     'auto', 'exact', 'hnsw', 'hnsw_bit', 'ivfflat', 'diskann', 'vchordrq'; None for the collection's own
        options  of the kind: {"m": 16}
        raises   UnknownCollection, BadArgument, UnknownEngine
        """
        rows = self._rows(
            call("lore.build_index", collection=self.name, kind=kind, options={} if options is None else options)
        )
        return build(BuiltIndex, rows[0])

    def index_sql(self, kind: str | None = "auto", options: Mapping[str, Any] | None = None) -> list[str]:
        """The statements that build it while others write, each to be run on its own. raises as `build_index` does"""
        rows = self._rows(
            call("lore.index_sql", collection=self.name, kind=kind, options={} if options is None else options)
        )
        return [row["statement"] for row in rows]

    def index_estimate(self, *, kind: str | None = None, rows: int | None = None) -> list[IndexEstimate]:
        """What each kind would take before it is built. raises UnknownCollection, BadArgument"""
        found = self._rows(call("lore.index_estimate", collection=self.name, kind=kind, rows=rows))
        return [build(IndexEstimate, row) for row in found]

    def recall(
        self,
        *,
        k: int = 10,
        sample: int = 100,
        filter: Mapping[str, Any] | None = None,
    ) -> Recall:
        """Measure the search by vector against exact search. raises UnknownCollection, BadArgument, BadFilter"""
        rows = self._rows(call("lore.recall", collection=self.name, k=k, sample=sample, filter=filter))
        return build(Recall, rows[0])

    def tune(self, target_recall: float = 0.95, *, k: int = 10, sample: int = 1000) -> list[Band]:
        """Find and keep the least effort that reaches a recall. raises UnknownCollection, BadArgument"""
        options: dict[str, Any] = {"target_recall": target_recall, "k": k, "sample": sample}
        return [build(Band, row) for row in self._rows(call("lore.tune", collection=self.name, **options))]


class Maintain(Session):
    def maintain(self, collection: str | None = None) -> Sequence[Maintained]:
        """Build the vector indexes that a collection, or each, has outgrown; what was done. raises UnknownCollection"""
        return [build(Maintained, row) for row in self._rows(call("lore.maintain", collection=collection))]
