"""Counting tokens."""

from __future__ import annotations

from .call import call, first
from .session import AsyncSession, Session


class AsyncTokens(AsyncSession):
    async def tokens(self, input: str, *, model: str | None = None) -> int:
        """Tokens in a text as a model counts them, without the special tokens it adds.

        raises  UnknownModel, InputTooLong
        """
        return first(await self._rows(call("lore.tokens", input=input, model=model)))


# Below: the same without async, written by `python pyclient/derive.py`.


class Tokens(Session):
    def tokens(self, input: str, *, model: str | None = None) -> int:
        """Tokens in a text as a model counts them, without the special tokens it adds.

        raises  UnknownModel, InputTooLong
        """
        return first(self._rows(call("lore.tokens", input=input, model=model)))
