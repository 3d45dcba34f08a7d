"""What is wrong with the installation, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from .call import build, call
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of the doctor with its remedy."""

    severity: str
    finding: str
    remedy: str | None


class AsyncDoctor(AsyncSession):
    async def doctor(self) -> list[Finding]:
        """What `lore.doctor()` finds, as it orders it."""
        return [build(Finding, row) for row in await self._rows(call("lore.doctor"))]


# Below: the same without async, written by `python pyclient/derive.py`.


class Doctor(Session):
    def doctor(self) -> list[Finding]:
        """What `lore.doctor()` finds, as it orders it."""
        return [build(Finding, row) for row in self._rows(call("lore.doctor"))]
