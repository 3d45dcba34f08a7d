"""Estimates: tokens and seconds of a call over many texts, before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .call import build, call
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a call would cost. seconds is None where nothing was measured; basis says what was.

    exact   whether tokens are counted by the model's own tokenizer
    """

    model_used: str
    texts: int
    sampled: int
    input_tokens: int
    output_tokens: int
    most_output_tokens: int
    seconds: float | None
    tokens_per_s: float | None
    exact: bool
    basis: str


class AsyncEstimates(AsyncSession):
    async def estimate(
        self,
        operation: str,
        inputs: Sequence[str],
        *,
        model: str | None = None,
        total: int | None = None,
        max_tokens: int | None = None,
        query: str | None = None,
    ) -> Estimate:
        """Tokens and seconds of an operation (embed, rerank, generate, chat, an operator) over texts.

        inputs  the texts, or a sample of `total` ones
        raises  BadArgument, UnknownModel, psycopg.errors.InsufficientPrivilege
        """
        given: dict[str, Any] = {"model": model, "total": total, "max_tokens": max_tokens, "query": query}
        rows = await self._rows(call("lore.estimate", operation=operation, inputs=inputs, **given))
        return build(Estimate, rows[0])

    async def estimate_column(
        self, operation: str, source: str, column: str, *, model: str | None = None, max_tokens: int | None = None
    ) -> Estimate:
        """The same for the texts in a column of a table or view. raises BadArgument, UnknownModel"""
        given: dict[str, Any] = {"model": model, "max_tokens": max_tokens}
        rows = await self._rows(
            call("lore.estimate_column", operation=operation, source=source, text_column=column, **given)
        )
        return build(Estimate, rows[0])


# Below: the same without async, written by `python pyclient/derive.py`.


class Estimates(Session):
    def estimate(
        self,
        operation: str,
        inputs: Sequence[str],
        *,
        model: str | None = None,
        total: int | None = None,
        max_tokens: int | None = None,
        query: str | None = None,
    ) -> Estimate:
        """Tokens and seconds of an operation (embed, rerank, generate, chat, an operator) over texts.

        inputs  the texts, or a sample of `total` ones
        raises  BadArgument, UnknownModel, psycopg.errors.InsufficientPrivilege
        """
        given: dict[str, Any] = {"model": model, "total": total, "max_tokens": max_tokens, "query": query}
        rows = self._rows(call("lore.estimate", operation=operation, inputs=inputs, **given))
        return build(Estimate, rows[0])

    def estimate_column(
        self, operation: str, source: str, column: str, *, model: str | None = None, max_tokens: int | None = None
    ) -> Estimate:
        """The same for the texts in a column of a table or view. raises BadArgument, UnknownModel"""
        given: dict[str, Any] = {"model": model, "max_tokens": max_tokens}
        rows = self._rows(
            call("lore.estimate_column", operation=operation, source=source, text_column=column, **given)
        )
        return build(Estimate, rows[0])
