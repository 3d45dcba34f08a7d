"""The models that the host knows."""

from __future__ import annotations

from dataclasses import dataclass

from .call import build
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Model:
    """One model by its alias: what it does, how and where it runs, and whether it is loaded."""

    alias: str
    task: str
    engine: str
    device: str | None
    device_reason: str | None
    dtype: str | None
    dimensions: int | None
    window_tokens: int | None
    state: str
    memory_bytes: int | None
    is_default: bool
    fingerprint: str | None


class AsyncModels(AsyncSession):
    async def models(self) -> list[Model]:
        """Every registered model. raises HostDown"""
        rows = await self._rows((b"SELECT * FROM lore.models ORDER BY task, alias", []))
        return [build(Model, row) for row in rows]


# Below: the same without async, written by `python pyclient/derive.py`.


class Models(Session):
    def models(self) -> list[Model]:
        """Every registered model. raises HostDown"""
        rows = self._rows((b"SELECT * FROM lore.models ORDER BY task, alias", []))
        return [build(Model, row) for row in rows]
