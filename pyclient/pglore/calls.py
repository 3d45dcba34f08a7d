"""The log of calls: which model was called by whom, what it read and wrote, how long it took, what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .call import build, call
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model; times in milliseconds. outcome is ok, cancelled or an error's code.

    input and output are None unless the operator has log_texts in host.json, and for others' calls.
    """

    id: int
    started_at: datetime
    role: str | None
    login: str | None
    pid: int | None
    statement: str | None
    operation: str
    model: str | None
    lane: str
    texts: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    queue_ms: float
    work_ms: float
    total_ms: float
    outcome: str
    finish_reason: str | None
    input: Any
    output: Any


class AsyncCalls(AsyncSession):
    async def calls(self, *, most: int = 10_000, since: datetime | None = None) -> list[Call]:
        """The newest calls that the model host remembers, oldest first: for lore_admin all, for others their own.

        raises  BadArgument, HostDown
        """
        rows = await self._rows(call("lore.call_log", most=most, since=since))
        return [build(Call, row) for row in rows]


# Below: the same without async, written by `python pyclient/derive.py`.


class Calls(Session):
    def calls(self, *, most: int = 10_000, since: datetime | None = None) -> list[Call]:
        """The newest calls that the model host remembers, oldest first: for lore_admin all, for others their own.

        raises  BadArgument, HostDown
        """
        rows = self._rows(call("lore.call_log", most=most, since=since))
        return [build(Call, row) for row in rows]
