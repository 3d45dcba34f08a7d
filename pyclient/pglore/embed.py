"""Text to vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from .call import Vector, call, vector
from .session import AsyncSession, Session


class AsyncEmbed(AsyncSession):
    @overload
    async def embed(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self,
        input: str,
        *,
        model: str | None = None,
        input_type: str = "document",
        truncate: bool = False,
        dimensions: int | None = None,
    ) -> Vector: ...
    @overload
    async def embed(
        self,
        input: Sequence[str | None],
        *,
        model: str | None = None,
        input_type: str = "document",
        truncate: bool = False,
        dimensions: int | None = None,
    ) -> list[Vector | None]: ...
    async def embed(
        self,
        input: str | Sequence[str | None],
        *,
        model: str | None = None,
        input_type: str = "document",
        truncate: bool = False,
        dimensions: int | None = None,
    ) -> Vector | list[Vector | None] | None:
        """The unit-length vector of a text, or those of many texts in one call (None stays None).

        input_type  'document', or 'query' for what is searched with: some models want a prefix
        truncate    cut a text longer than the model's window, instead of averaging over windows; a notice tells
        dimensions  keep the first numbers of each vector only: for models trained for that (Matryoshka)
        raises      BadArgument, EmptyInput, InputTooLong, UnknownModel, HostBusy
        """
        options = {"model": model, "input_type": input_type, "truncate": truncate, "dimensions": dimensions}
        if isinstance(input, str):
            rows = await self._rows(call("lore.embed", "embed::text", input=input, **options))
            return vector(rows[0]["embed"])
        rows = await self._rows(call("lore.embed", "embed::text[]", inputs=input, **options))
        found = rows[0]["embed"]
        return None if found is None else [vector(text) for text in found]


# Below: the same without async, written by `python pyclient/derive.py`.


class Embed(Session):
    @overload
    def embed(  # type: ignore[overload-overlap]  # a str is a sequence of them, and meant as one text
        self,
        input: str,
        *,
        model: str | None = None,
        input_type: str = "document",
        truncate: bool = False,
        dimensions: int | None = None,
    ) -> Vector: ...
    @overload
    def embed(
        self,
        input: Sequence[str | None],
        *,
        model: str | None = None,
        input_type: str = "document",
        truncate: bool = False,
        dimensions: int | None = None,
    ) -> list[Vector | None]: ...
    def embed(
        self,
        input: str | Sequence[str | None],
        *,
        model: str | None = None,
        input_type: str = "document",
        truncate: bool = False,
        dimensions: int | None = None,
    ) -> Vector | list[Vector | None] | None:
        """The unit-length vector of a text, or those of many texts in one call (None stays None).

        input_type  'document', or 'query' for what is searched with: some models want a prefix
        truncate    cut a text longer than the model's window, instead of averaging over windows; a notice tells
        dimensions  keep the first numbers of each vector only: for models trained for that (Matryoshka)
        raises      BadArgument, EmptyInput, InputTooLong, UnknownModel, HostBusy
        """
        options = {"model": model, "input_type": input_type, "truncate": truncate, "dimensions": dimensions}
        if isinstance(input, str):
            rows = self._rows(call("lore.embed", "embed::text", input=input, **options))
            return vector(rows[0]["embed"])
        rows = self._rows(call("lore.embed", "embed::text[]", inputs=input, **options))
        found = rows[0]["embed"]
        return None if found is None else [vector(text) for text in found]
