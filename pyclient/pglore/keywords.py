"""The keyword arm of a search alone: chunks by their words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .call import call
from .session import AsyncSession, Session


class AsyncKeywords(AsyncSession):
    """What of a collection's methods looks at words alone."""

    name: str

    async def keyword_scores(
        self, query: str, *, k: int = 100, match: str = "any", filter: Mapping[str, Any] | None = None
    ) -> dict[int, float]:
        """The BM25 scores of the k chunks that match the words of a query best, best first, by chunk id.

        match   any, all, phrase, prefix (the last word is a beginning) or fuzzy
        raises  EmptyInput, BadArgument, BadFilter, UnknownCollection, UnknownEngine
        """
        options: dict[str, Any] = {} if filter is None else {"filter": filter}
        rows = await self._rows(
            call("lore.keyword_scores", collection=self.name, query=query, k=k, match=match, **options)
        )
        return {row["chunk_id"]: row["score"] for row in rows}

    async def corrected(self, query: str, *, match: str = "any") -> str:
        """A query with the words that the collection does not have replaced by the likest that it has."""
        rows = await self._rows(call("lore.corrected", collection=self.name, query=query, match=match))
        return rows[0]["corrected"]


# Below: the same without async, written by `python pyclient/derive.py`.


class Keywords(Session):
    """What of a collection's methods looks at words alone."""

    name: str

    def keyword_scores(
        self, query: str, *, k: int = 100, match: str = "any", filter: Mapping[str, Any] | None = None
    ) -> dict[int, float]:
        """The BM25 scores of the k chunks that match the words of a query best, best first, by chunk id.

        match   any, all, phrase, prefix (the last word is a beginning) or fuzzy
        raises  EmptyInput, BadArgument, BadFilter, UnknownCollection, UnknownEngine
        """
        options: dict[str, Any] = {} if filter is None else {"filter": filter}
        rows = self._rows(
            call("lore.keyword_scores", collection=self.name, query=query, k=k, match=match, **options)
        )
        return {row["chunk_id"]: row["score"] for row in rows}

    def corrected(self, query: str, *, match: str = "any") -> str:
        """A query with the words that the collection does not have replaced by the likest that it has."""
        rows = self._rows(call("lore.corrected", collection=self.name, query=query, match=match))
        return rows[0]["corrected"]
