"""The text of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .call import build, call
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file's title, where it has one, its text with Markdown headings, and what its head says of it."""

    title: str | None
    content: str
    metadata: dict[str, Any]


class AsyncParse(AsyncSession):
    async def parse(self, document: bytes, *, mime: str | None = None) -> Parsed:
        """The text of an HTML, Markdown or plain-text file; without a MIME type the bytes tell which.

        raises  EmptyInput, InputTooLong, BadArgument for bytes that are none of these
        """
        rows = await self._rows(call("lore.parse", document=document, mime=mime))
        return build(Parsed, rows[0])


# Below: the same without async, written by `python pyclient/derive.py`.


class Parse(Session):
    def parse(self, document: bytes, *, mime: str | None = None) -> Parsed:
        """The text of an HTML, Markdown or plain-text file; without a MIME type the bytes tell which.

        raises  EmptyInput, InputTooLong, BadArgument for bytes that are none of these
        """
        rows = self._rows(call("lore.parse", document=document, mime=mime))
        return build(Parsed, rows[0])
