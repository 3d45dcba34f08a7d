"""A collection: documents, their chunks, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .ask import Ask, AsyncAsk
from .call import build, call
from .context import AsyncContext, Context
from .documents import AsyncDocuments, Documents
from .evaluate import AsyncEvaluate, Evaluate
from .explain import AsyncExplain, Explain
from .indexes import AsyncIndexes, Indexes
from .keywords import AsyncKeywords, Keywords
from .search import AsyncSearch, Search
from .session import AsyncSession, Session

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """One row of `lore.collections`."""

    name: str
    model: str
    dimensions: int
    documents: int | None  # None where the caller may not read them
    chunks: int | None
    language: str
    chunk_strategy: str
    chunk_size: int
    chunk_overlap: int
    keyword: str
    fingerprint: str
    created_at: datetime
    index_kind: str
    metric: str
    filterable: list[str]


@dataclass(frozen=True, slots=True)
class Change:
    """A setting of a collection that has changed; a list is JSON."""

    setting: str
    before: str
    after: str


class AsyncCollection(
    AsyncSearch, AsyncKeywords, AsyncExplain, AsyncContext, AsyncAsk, AsyncDocuments, AsyncEvaluate, AsyncIndexes
):  # fmt: skip
    """A collection by its name. Made by `AsyncClient.collection`; the server looks the name up at each call."""

    def __init__(self, connection: AsyncConnection[Any], name: str) -> None:
        super().__init__(connection)
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    async def alter(
        self,
        *,
        name: str | None = None,
        language: str | None = None,
        chunk_strategy: str | None = None,
        chunk_size: int | None = None,
        chunk_overlap: int | None = None,
        keyword: str | None = None,
        index_kind: str | None = None,
        metric: str | None = None,
        filterable: Sequence[str] | None = None,
    ) -> list[Change]:
        """Change what the collection is, and keep all that it holds; None leaves a setting as it is.

        name        another one, which this object then has too
        chunk_*     of documents that are added or changed from now on
        keyword     'bm25' or 'tsvector'; like `language`, it builds the keyword index anew
        index_kind  of vector index, which `maintain` builds
        filterable  all fields of the metadata that are to have indexes for filters
        raises      UnknownCollection, BadArgument, BadFilter, UnknownModel, UnknownEngine
        """
        options: dict[str, Any] = {"name": name, "language": language, "chunk_strategy": chunk_strategy}
        options |= {"chunk_size": chunk_size, "chunk_overlap": chunk_overlap, "keyword": keyword}
        options |= {"index_kind": index_kind, "metric": metric}
        options["filterable"] = filterable
        rows = await self._rows(call("lore.alter_collection", collection=self.name, **options))
        self.name = name or self.name
        return [build(Change, row) for row in rows]

    async def drop(self) -> None:
        """Delete the collection with all its documents. raises UnknownCollection"""
        await self._rows(call("lore.drop_collection", collection=self.name))


class AsyncCollections(AsyncSession):
    def collection(self, name: str) -> AsyncCollection:
        """The collection of this name, without asking whether it is there."""
        return AsyncCollection(self.connection, name)

    async def create_collection(
        self,
        name: str,
        *,
        model: str | None = None,
        language: str = "english",
        chunk_strategy: str = "auto",
        chunk_size: int | None = None,
        chunk_overlap: int = 0,
        if_not_exists: bool = False,
        keyword: str | None = None,
        index_kind: str = "auto",
        metric: str = "cosine",
        filterable: Sequence[str] = (),
    ) -> AsyncCollection:
        """Make a collection: its embedder, the language of its keyword index, how its documents are cut.

        keyword     'bm25' or 'tsvector'; None is bm25 where pg_textsearch is installed
        index_kind  of vector index, which `maintain` builds; 'auto' leaves the choice to it
        metric      'cosine', 'ip' or 'l2'
        filterable  fields of the metadata that get indexes for filters
        raises      CatalogMissing, BadArgument, UnknownModel
        """
        options: dict[str, Any] = {"model": model, "language": language, "chunk_strategy": chunk_strategy}
        options |= {"chunk_size": chunk_size, "chunk_overlap": chunk_overlap, "keyword": keyword}
        options |= {"index_kind": index_kind, "metric": metric, "filterable": filterable}
        await self._rows(call("lore.create_collection", collection=name, if_not_exists=if_not_exists, **options))
        return self.collection(name)

    async def collections(self) -> list[CollectionInfo]:
        """Every collection by name, with its size. raises CatalogMissing"""
        rows = await self._rows((b"SELECT * FROM lore.collections ORDER BY name", []))
        return [build(CollectionInfo, row) for row in rows]


# Below: the same without async, written by `python pyclient/derive.py`.


class Collection(
    Search, Keywords, Explain, Context, Ask, Documents, Evaluate, Indexes
):  # fmt: skip
    """A collection by its name. Made by `Client.collection`; the server looks the name up at each call."""

    def __init__(self, connection: Connection[Any], name: str) -> None:
        super().__init__(connection)
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def alter(
        self,
        *,
        name: str | None = None,
        language: str | None = None,
        chunk_strategy: str | None = None,
        chunk_size: int | None = None,
        chunk_overlap: int | None = None,
        keyword: str | None = None,
        index_kind: str | None = None,
        metric: str | None = None,
        filterable: Sequence[str] | None = None,
    ) -> list[Change]:
        """Change what the collection is, and keep all that it holds; None leaves a setting as it is.

        name        another one, which this object then has too
        chunk_*     of documents that are added or changed from now on
        keyword     'bm25' or 'tsvector'; like `language`, it builds the keyword index anew
        index_kind  of vector index, which `maintain` builds
        filterable  all fields of the metadata that are to have indexes for filters
        raises      UnknownCollection, BadArgument, BadFilter, UnknownModel, UnknownEngine
        """
        options: dict[str, Any] = {"name": name, "language": language, "chunk_strategy": chunk_strategy}
        options |= {"chunk_size": chunk_size, "chunk_overlap": chunk_overlap, "keyword": keyword}
        options |= {"index_kind": index_kind, "metric": metric}
        options["filterable"] = filterable
        rows = self._rows(call("lore.alter_collection", collection=self.name, **options))
        self.name = name or self.name
        return [build(Change, row) for row in rows]

    def drop(self) -> None:
        """Delete the collection with all its documents. raises UnknownCollection"""
        self._rows(call("lore.drop_collection", collection=self.name))


class Collections(Session):
    def collection(self, name: str) -> Collection:
        """The collection of this name, without asking whether it is there."""
        return Collection(self.connection, name)

    def create_collection(
        self,
        name: str,
        *,
        model: str | None = None,
        language: str = "english",
        chunk_strategy: str = "auto",
        chunk_size: int | None = None,
        chunk_overlap: int = 0,
        if_not_exists: bool = False,
        keyword: str | None = None,
        index_kind: str = "auto",
        metric: str = "cosine",
        filterable: Sequence[str] = (),
    ) -> Collection:
        """Make a collection: its embedder, the language of its keyword index, how its documents are cut.

        keyword     'bm25' or 'tsvector'; None is bm25 where pg_textsearch is installed
        index_kind  of vector index, which `maintain` builds; 'auto' leaves the choice to it
        metric      'cosine', 'ip' or 'l2'
        filterable  fields of the metadata that get indexes for filters
        raises      CatalogMissing, BadArgument, UnknownModel
        """
        options: dict[str, Any] = {"model": model, "language": language, "chunk_strategy": chunk_strategy}
        options |= {"chunk_size": chunk_size, "chunk_overlap": chunk_overlap, "keyword": keyword}
        options |= {"index_kind": index_kind, "metric": metric, "filterable": filterable}
        self._rows(call("lore.create_collection", collection=name, if_not_exists=if_not_exists, **options))
        return self.collection(name)

    def collections(self) -> list[CollectionInfo]:
        """Every collection by name, with its size. raises CatalogMissing"""
        rows = self._rows((b"SELECT * FROM lore.collections ORDER BY name", []))
        return [build(CollectionInfo, row) for row in rows]
