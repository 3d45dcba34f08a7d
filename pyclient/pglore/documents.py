"""Documents of a collection: putting them in, reading them and taking them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .call import build, call, first, jsonb
from .errors import BadArgument
from .session import AsyncSession, Session

# One statement of add_many: enough text to fill the model's batches, little enough that a failure loses seconds.
BATCH_CHARACTERS = 256_000
BATCH_DOCUMENTS = 500


@dataclass(frozen=True, slots=True)
class Document:
    """A text under a key; the same key again replaces it."""

    key: str
    content: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Added:
    """What a load did, in documents, and the chunks and tokens it embedded."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    chunks: int = 0
    tokens: int = 0

    def __add__(self, other: Added) -> Added:
        return Added(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


def whole(given: Document | tuple | Mapping[str, Any], place: int) -> Document:
    """A document in any of its forms. raises BadArgument for what is none"""
    try:
        if isinstance(given, Document):
            document = given
        else:
            document = Document(**given) if isinstance(given, Mapping) else Document(*tuple(given))
        if isinstance(given, str) or not isinstance(document.content, str):
            raise TypeError("its content is no text")
        return Document(document.key, document.content, dict(document.metadata))
    except (TypeError, ValueError) as error:
        hint = "Pass Document, (key, content), (key, content, metadata) or mappings of these names."
        raise BadArgument(f"documents[{place}] is no document: {error}", hint=hint) from error


def batches(documents: Iterable[Document | tuple | Mapping[str, Any]]) -> Iterator[list[Document]]:
    """Documents in lists of at most BATCH_DOCUMENTS and, but for a single long one, BATCH_CHARACTERS."""
    batch: list[Document] = []
    characters = 0
    for place, given in enumerate(documents):
        document = whole(given, place)
        characters += len(document.content)
        if batch and (characters > BATCH_CHARACTERS or len(batch) == BATCH_DOCUMENTS):
            yield batch
            batch, characters = [], len(document.content)
        batch.append(document)
    if batch:
        yield batch


class AsyncDocuments(AsyncSession):
    name: str

    async def add(self, key: str, content: str, metadata: Mapping[str, Any] | None = None) -> str:
        """Put one document in: 'added', 'updated', or 'unchanged' where the same text is there already.

        raises  UnknownCollection, EmptyInput, InputTooLong, BadArgument, HostBusy
        """
        given = jsonb({} if metadata is None else metadata)
        statement = call("lore.add", collection=self.name, key=key, content=content, metadata=given)
        return first(await self._rows(statement))

    async def add_many(self, documents: Iterable[Document | tuple | Mapping[str, Any]]) -> Added:
        """Put many documents in: Document, (key, content), (key, content, metadata) or mappings of these names.

        One statement for each few hundred thousand characters; with autocommit each is kept as it is done.
        raises  as `add` does
        """
        total = Added()
        for batch in batches(documents):
            arguments: dict[str, Any] = {
                "keys": [document.key for document in batch],
                "contents": [document.content for document in batch],
                "metadata": [document.metadata for document in batch],
            }
            rows = await self._rows(call("lore.add_many", collection=self.name, **arguments))
            total += build(Added, rows[0])
        return total

    async def documents(self, keys: str | Sequence[str] | None = None) -> list[Document]:
        """The documents with these keys, or all, in the order of their keys. raises UnknownCollection"""
        asked = [keys] if isinstance(keys, str) else keys
        rows = await self._rows(call("lore.documents", collection=self.name, keys=asked))
        return [build(Document, row) for row in rows]

    async def remove(self, keys: str | Sequence[str]) -> int:
        """Take documents out by key; how many were there. raises UnknownCollection"""
        keys = [keys] if isinstance(keys, str) else keys
        return first(await self._rows(call("lore.remove", collection=self.name, keys=keys)))


# Below: the same without async, written by `python pyclient/derive.py`.


class Documents(Session):
    name: str

    def add(self, key: str, content: str, metadata: Mapping[str, Any] | None = None) -> str:
        """Put one document in: 'added', 'updated', or 'unchanged' where the same text is there already.

        raises  UnknownCollection, EmptyInput, InputTooLong, BadArgument, HostBusy
        """
        given = jsonb({} if metadata is None else metadata)
        statement = call("lore.add", collection=self.name, key=key, content=content, metadata=given)
        return first(self._rows(statement))

    def add_many(self, documents: Iterable[Document | tuple | Mapping[str, Any]]) -> Added:
        """Put many documents in: Document, (key, content), (key, content, metadata) or mappings of these names.

        One statement for each few hundred thousand characters; with autocommit each is kept as it is done.
        raises  as `add` does
        """
        total = Added()
        for batch in batches(documents):
            arguments: dict[str, Any] = {
                "keys": [document.key for document in batch],
                "contents": [document.content for document in batch],
                "metadata": [document.metadata for document in batch],
            }
            rows = self._rows(call("lore.add_many", collection=self.name, **arguments))
            total += build(Added, rows[0])
        return total

    def documents(self, keys: str | Sequence[str] | None = None) -> list[Document]:
        """The documents with these keys, or all, in the order of their keys. raises UnknownCollection"""
        asked = [keys] if isinstance(keys, str) else keys
        rows = self._rows(call("lore.documents", collection=self.name, keys=asked))
        return [build(Document, row) for row in rows]

    def remove(self, keys: str | Sequence[str]) -> int:
        """Take documents out by key; how many were there. raises UnknownCollection"""
        keys = [keys] if isinstance(keys, str) else keys
        return first(self._rows(call("lore.remove", collection=self.name, keys=keys)))
