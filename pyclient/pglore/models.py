"""The models that the host knows: listing, adding, dropping, loading them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .call import build, call, first
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Model:
    """One model by its alias: what it does, how and where it runs, and whether it is loaded."""

    alias: str
    task: str
    engine: str | None
    device: str | None
    device_reason: str | None
    dtype: str | None
    dimensions: int | None
    window_tokens: int | None
    state: str
    error: str | None
    memory_bytes: int | None
    is_default: bool
    quality: dict[str, Any] | None
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model comes from, for the operator."""

    alias: str
    task: str
    source: str
    options: dict[str, Any]
    content_hash: str | None
    added_at: datetime | None


class AsyncModels(AsyncSession):
    async def models(self) -> list[Model]:
        """Every registered model. raises HostDown"""
        rows = await self._rows((b"SELECT * FROM lore.models ORDER BY task, alias", []))
        return [build(Model, row) for row in rows]

    async def model_sources(self) -> list[ModelSource]:
        """Where every model comes from; for lore_admin. raises HostDown"""
        rows = await self._rows((b"SELECT * FROM lore.model_sources ORDER BY task, alias", []))
        return [build(ModelSource, row) for row in rows]

    async def add_model(
        self, alias: str, task: str, source: str, options: Mapping[str, Any] | None = None, *, replace: bool = False
    ) -> None:
        """Register a model for all databases of the server; it loads when first used.

        task    embed, rerank or generate
        source  /folder, package:NAME, hub:ORGANISATION/NAME, http(s)://server, late-interaction, extractive
        raises  BadArgument, ModelNotLoaded, UnknownEngine
        """
        given = {} if options is None else options
        await self._rows(call("lore.add_model", alias=alias, task=task, source=source, options=given, replace=replace))

    async def drop_model(self, alias: str, *, if_exists: bool = False) -> bool:
        """Forget a model; returns whether it was there. raises BadArgument, UnknownModel"""
        return first(await self._rows(call("lore.drop_model", alias=alias, if_exists=if_exists)))

    async def set_default(self, alias: str) -> str:
        """Take this model where a call names none; returns its task. raises UnknownModel"""
        return first(await self._rows(call("lore.set_default", alias=alias)))

    async def load_model(self, alias: str) -> None:
        """Load a model now instead of at its first use. raises UnknownModel, ModelNotLoaded, OutOfMemory"""
        await self._rows(call("lore.load_model", alias=alias))

    async def unload_model(self, alias: str) -> bool:
        """Give a model's memory back; returns whether it was loaded. raises UnknownModel, HostBusy"""
        return first(await self._rows(call("lore.unload_model", alias=alias)))


# Below: the same without async, written by `python pyclient/derive.py`.


class Models(Session):
    def models(self) -> list[Model]:
        """Every registered model. raises HostDown"""
        rows = self._rows((b"SELECT * FROM lore.models ORDER BY task, alias", []))
        return [build(Model, row) for row in rows]

    def model_sources(self) -> list[ModelSource]:
        """Where every model comes from; for lore_admin. raises HostDown"""
        rows = self._rows((b"SELECT * FROM lore.model_sources ORDER BY task, alias", []))
        return [build(ModelSource, row) for row in rows]

    def add_model(
        self, alias: str, task: str, source: str, options: Mapping[str, Any] | None = None, *, replace: bool = False
    ) -> None:
        """Register a model for all databases of the server; it loads when first used.

        task    embed, rerank or generate
        source  /folder, package:NAME, hub:ORGANISATION/NAME, http(s)://server, late-interaction, extractive
        raises  BadArgument, ModelNotLoaded, UnknownEngine
        """
        given = {} if options is None else options
        self._rows(call("lore.add_model", alias=alias, task=task, source=source, options=given, replace=replace))

    def drop_model(self, alias: str, *, if_exists: bool = False) -> bool:
        """Forget a model; returns whether it was there. raises BadArgument, UnknownModel"""
        return first(self._rows(call("lore.drop_model", alias=alias, if_exists=if_exists)))

    def set_default(self, alias: str) -> str:
        """Take this model where a call names none; returns its task. raises UnknownModel"""
        return first(self._rows(call("lore.set_default", alias=alias)))

    def load_model(self, alias: str) -> None:
        """Load a model now instead of at its first use. raises UnknownModel, ModelNotLoaded, OutOfMemory"""
        self._rows(call("lore.load_model", alias=alias))

    def unload_model(self, alias: str) -> bool:
        """Give a model's memory back; returns whether it was loaded. raises UnknownModel, HostBusy"""
        return first(self._rows(call("lore.unload_model", alias=alias)))
