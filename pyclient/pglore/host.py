"""The model host: the one process that runs the models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

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


class AsyncHost(AsyncSession):
    async def host_status(self) -> HostStatus:
        """The state of the model host, which this call starts if it is not running. raises HostDown"""
        rows = await self._rows(call("lore.host_status"))
        return build(HostStatus, rows[0])

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

    def host_start(self) -> int:
        """Start the model host unless it runs; returns its process id. raises HostDown"""
        return first(self._rows(call("lore.host_start")))

    def host_stop(self) -> bool:
        """Stop the model host once what is running has been answered; returns whether one was running."""
        return first(self._rows(call("lore.host_stop")))
