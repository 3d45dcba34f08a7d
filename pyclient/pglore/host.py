"""The model host: the one process that runs the models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .call import build, call, first
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class HostStatus:
    """The host now: process, device and why, loaded models, requests running, waiting and done."""

    pid: int
    version: str
    uptime: timedelta
    device: str
    device_reason: str | None
    loaded: list[str]
    active: int
    queued: int
    connections: int
    requests: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class HostMetrics:
    """What one model has done since the host's process started; times in ms, shares of 1.

    Percentiles are those of requests answered in the last 5 to 10 minutes; None is said where nothing is known, and for
    what belongs to the model that a method borrows.
    """

    alias: str
    device: str | None
    memory_bytes: int | None
    interactive_queued: int | None
    bulk_queued: int | None
    requests: int
    texts: int
    tokens: int
    batches: int | None
    batch_texts: float | None
    batch_tokens: float | None
    padding_waste: float | None
    tokens_per_s: float | None
    busy_share: float | None
    interactive_p50_ms: float | None
    interactive_p95_ms: float | None
    interactive_p99_ms: float | None
    bulk_p50_ms: float | None
    bulk_p95_ms: float | None
    bulk_p99_ms: float | None
    parts: dict[str, Any]
    refusals: int
    cancelled: int
    errors: dict[str, int]
    loads: int | None
    unloads: int | None
    last_used: datetime | None


class AsyncHost(AsyncSession):
    async def host_status(self) -> HostStatus:
        """The state of the model host, which this call starts if it is not running. raises HostDown"""
        rows = await self._rows(call("lore.host_status"))
        return build(HostStatus, rows[0])

    async def host_metrics(self) -> list[HostMetrics]:
        """A row for each model that has been used or is loaded: queue, batches, speed, latency. raises HostDown"""
        rows = await self._rows(call("lore.host_metrics"))
        return [build(HostMetrics, row) for row in rows]

    async def host_start(self) -> int:
        """Start the model host unless it runs; returns its process id. raises HostDown"""
        return first(await self._rows(call("lore.host_start")))

    async def host_stop(self) -> bool:
        """Stop the model host once what is running has been answered; returns whether one was running."""
        return first(await self._rows(call("lore.host_stop")))


# Below: the same without async, written by `python pyclient/derive.py`.


class Host(Session):
    def host_status(self) -> HostStatus:
        """The state of the model host, which this call starts if it is not running. raises HostDown"""
        rows = self._rows(call("lore.host_status"))
        return build(HostStatus, rows[0])

    def host_metrics(self) -> list[HostMetrics]:
        """A row for each model that has been used or is loaded: queue, batches, speed, latency. raises HostDown"""
        rows = self._rows(call("lore.host_metrics"))
        return [build(HostMetrics, row) for row in rows]

    def host_start(self) -> int:
        """Start the model host unless it runs; returns its process id. raises HostDown"""
        return first(self._rows(call("lore.host_start")))

    def host_stop(self) -> bool:
        """Stop the model host once what is running has been answered; returns whether one was running."""
        return first(self._rows(call("lore.host_stop")))
