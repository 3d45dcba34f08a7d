"""How close two texts are."""

from __future__ import annotations

from .call import call, first
from .session import AsyncSession, Session


class AsyncSimilarity(AsyncSession):
    async def similarity(self, a: str, b: str, *, model: str | None = None) -> float:
        """Cosine of the vectors of two texts, -1 to 1.

        raises  EmptyInput, InputTooLong, UnknownModel, HostBusy
        """
        return first(await self._rows(call("lore.similarity", a=a, b=b, model=model)))


# Below: the same without async, written by `python pyclient/derive.py`.


class Similarity(Session):
    def similarity(self, a: str, b: str, *, model: str | None = None) -> float:
        """Cosine of the vectors of two texts, -1 to 1.

        raises  EmptyInput, InputTooLong, UnknownModel, HostBusy
        """
        return first(self._rows(call("lore.similarity", a=a, b=b, model=model)))
