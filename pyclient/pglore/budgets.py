"""Budgets: what a role may spend on models in a period and in a statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .call import build, call, first
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Budget:
    """A role's budget and what it has spent; None is any amount. The role public stands for those without their own."""

    role: str
    tokens: int | None
    tokens_spent: int | None
    seconds: float | None
    seconds_spent: float | None
    period: timedelta | None
    ends_at: datetime | None
    per_statement_tokens: int | None
    per_statement_seconds: float | None


class AsyncBudgets(AsyncSession):
    async def budgets(self) -> list[Budget]:
        """Budgets and what is spent of them: for lore_admin all, for others the one that binds them. raises HostDown"""
        rows = await self._rows((b"SELECT * FROM lore.budgets ORDER BY role", []))
        return [build(Budget, row) for row in rows]

    async def set_budget(
        self,
        role: str,
        tokens: int | None = None,
        seconds: float | None = None,
        *,
        period: timedelta | None = timedelta(days=1),
        per_statement_tokens: int | None = None,
        per_statement_seconds: float | None = None,
    ) -> None:
        """Give a role a budget, in place of the one it has; for lore_admin.

        period  None never ends
        raises  BadArgument
        """
        bounds: dict[str, Any] = {
            "per_statement_tokens": per_statement_tokens,
            "per_statement_seconds": per_statement_seconds,
        }
        await self._rows(call("lore.set_budget", role=role, tokens=tokens, seconds=seconds, period=period, **bounds))

    async def drop_budget(self, role: str) -> bool:
        """Take a role's budget away; returns whether it had one. raises BadArgument"""
        return first(await self._rows(call("lore.drop_budget", role=role)))


# Below: the same without async, written by `python pyclient/derive.py`.


class Budgets(Session):
    def budgets(self) -> list[Budget]:
        """Budgets and what is spent of them: for lore_admin all, for others the one that binds them. raises HostDown"""
        rows = self._rows((b"SELECT * FROM lore.budgets ORDER BY role", []))
        return [build(Budget, row) for row in rows]

    def set_budget(
        self,
        role: str,
        tokens: int | None = None,
        seconds: float | None = None,
        *,
        period: timedelta | None = timedelta(days=1),
        per_statement_tokens: int | None = None,
        per_statement_seconds: float | None = None,
    ) -> None:
        """Give a role a budget, in place of the one it has; for lore_admin.

        period  None never ends
        raises  BadArgument
        """
        bounds: dict[str, Any] = {
            "per_statement_tokens": per_statement_tokens,
            "per_statement_seconds": per_statement_seconds,
        }
        self._rows(call("lore.set_budget", role=role, tokens=tokens, seconds=seconds, period=period, **bounds))

    def drop_budget(self, role: str) -> bool:
        """Take a role's budget away; returns whether it had one. raises BadArgument"""
        return first(self._rows(call("lore.drop_budget", role=role)))
