"""Where the time of a search goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

from .call import build, call
from .search import SearchOptions, arguments
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a search: its time without the stages before it, what it hands on, its indexes, its plan."""

    stage: str
    ms: float
    rows: int | None
    index: str | None
    detail: str | None


class AsyncExplain(AsyncSession):
    name: str

    async def explain_search(self, query: str | None, **options: Unpack[SearchOptions]) -> list[Stage]:
        """The stages of `search` with the same arguments, in their order, measured; the last is their total.

        raises  as `search` does
        """
        statement = call("lore.explain_search", collection=self.name, query=query, **arguments(options))
        return [build(Stage, row) for row in await self._rows(statement)]


# Below: the same without async, written by `python pyclient/derive.py`.


class Explain(Session):
    name: str

    def explain_search(self, query: str | None, **options: Unpack[SearchOptions]) -> list[Stage]:
        """The stages of `search` with the same arguments, in their order, measured; the last is their total.

        raises  as `search` does
        """
        statement = call("lore.explain_search", collection=self.name, query=query, **arguments(options))
        return [build(Stage, row) for row in self._rows(statement)]
