"""Ordering documents by how well they answer a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .call import build, call
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Ranked:
    """One document of a ranking: its place in what was given (from 1), its score, its text."""

    ordinal: int
    score: float
    document: str


class AsyncRerank(AsyncSession):
    async def rerank(
        self, query: str, documents: Sequence[str], *, model: str | None = None, top_k: int | None = None
    ) -> list[Ranked]:
        """The documents, best first; only the top_k best where that is given.

        raises  EmptyInput, InputTooLong, UnknownModel, HostBusy
        """
        statement = call("lore.rerank", query=query, documents=documents, model=model, top_k=top_k)
        return [build(Ranked, row) for row in await self._rows(statement)]


# Below: the same without async, written by `python pyclient/derive.py`.


class Rerank(Session):
    def rerank(
        self, query: str, documents: Sequence[str], *, model: str | None = None, top_k: int | None = None
    ) -> list[Ranked]:
        """The documents, best first; only the top_k best where that is given.

        raises  EmptyInput, InputTooLong, UnknownModel, HostBusy
        """
        statement = call("lore.rerank", query=query, documents=documents, model=model, top_k=top_k)
        return [build(Ranked, row) for row in self._rows(statement)]
