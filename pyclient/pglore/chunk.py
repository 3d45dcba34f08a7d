"""Cutting a text into pieces that a model can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .call import build, call
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a text: `text[span[0]:span[1]] == content`, with the headings above it and its length in tokens."""

    ordinal: int
    span: tuple[int, int]
    heading: str | None
    content: str
    tokens: int


class AsyncChunks(AsyncSession):
    async def chunk(
        self,
        content: str,
        *,
        strategy: str = "auto",
        size: int | None = None,
        overlap: int = 0,
        model: str | None = None,
    ) -> list[Chunk]:
        """The chunks of a text in its order, cut on sentence and paragraph borders.

        strategy  'auto', 'markdown' or 'text'
        size      most tokens in a chunk, as the model counts them; None fits the model
        overlap   tokens that a chunk repeats of the one before
        raises    BadArgument, InputTooLong, UnknownModel
        """
        options: dict[str, Any] = {"strategy": strategy, "size": size, "overlap": overlap, "model": model}
        return [build(Chunk, row) for row in await self._rows(call("lore.chunk", content=content, **options))]


# Below: the same without async, written by `python pyclient/derive.py`.


class Chunks(Session):
    def chunk(
        self,
        content: str,
        *,
        strategy: str = "auto",
        size: int | None = None,
        overlap: int = 0,
        model: str | None = None,
    ) -> list[Chunk]:
        """The chunks of a text in its order, cut on sentence and paragraph borders.

        strategy  'auto', 'markdown' or 'text'
        size      most tokens in a chunk, as the model counts them; None fits the model
        overlap   tokens that a chunk repeats of the one before
        raises    BadArgument, InputTooLong, UnknownModel
        """
        options: dict[str, Any] = {"strategy": strategy, "size": size, "overlap": overlap, "model": model}
        return [build(Chunk, row) for row in self._rows(call("lore.chunk", content=content, **options))]
