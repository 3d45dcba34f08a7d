"""Vector store of LangChain: a collection, whose vectors the server makes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from ..documents import Document as Stored
from ..errors import BadArgument
from ..pool import Pool, shared
from .retriever import plain


class PgloreVectorStore(VectorStore):
    """A collection of pglore. It embeds, cuts and indexes what is added itself, so no embeddings are given to it.

    Of each document found comes its best chunk; for all that a search can do there is PgloreRetriever.

    collection  its name
    create      make it, with these arguments of `Client.create_collection`, unless it is there
    """

    def __init__(
        self,
        collection: str,
        *,
        dsn: str | None = None,
        pool: Pool | None = None,
        create: dict[str, Any] | None = None,
    ) -> None:
        self.collection = collection
        self._pool = pool or shared(dsn)
        if create is not None:
            with self._pool.client() as lore:
                lore.create_collection(collection, if_not_exists=True, **create)

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict] | None = None,
        *,
        ids: list[str] | None = None,
        collection: str = "documents",
        **options: Any,
    ) -> PgloreVectorStore:
        """A collection, made if need be, with these texts added. The embedder is the collection's: pass None.

        raises  BadArgument if embeddings are given; UnknownCollection, EmptyInput, InputTooLong, HostBusy
        """
        if embedding is not None:
            hint = 'Pass None, and name the embedder of a new collection: create={"model": "alias"}.'
            raise BadArgument("a collection makes its vectors itself", hint=hint)
        made = cls(collection, **{"create": {}, **options})
        made.add_texts(texts, metadatas, ids=ids)
        return made

    def add_texts(
        self, texts: Iterable[str], metadatas: list[dict] | None = None, *, ids: list[str] | None = None, **options: Any
    ) -> list[str]:
        """Add texts, or replace those under the same ids; returns the ids, made up where none are given."""
        _none(options)
        documents = list(_stored(texts, metadatas, ids))
        with self._pool.client() as lore:
            lore.collection(self.collection).add_many(documents)
        return [document.key for document in documents]

    async def aadd_texts(
        self, texts: Iterable[str], metadatas: list[dict] | None = None, *, ids: list[str] | None = None, **options: Any
    ) -> list[str]:
        """The same as add_texts."""
        _none(options)
        documents = list(_stored(texts, metadatas, ids))
        async with self._pool.aclient() as lore:
            await lore.collection(self.collection).add_many(documents)
        return [document.key for document in documents]

    def delete(self, ids: list[str] | None = None, **options: Any) -> bool:
        """Take documents out by id; those that are not there are none. raises BadArgument without ids"""
        _none(options)
        with self._pool.client() as lore:
            lore.collection(self.collection).remove(_given(ids))
        return True

    async def adelete(self, ids: list[str] | None = None, **options: Any) -> bool:
        """The same as delete."""
        _none(options)
        async with self._pool.aclient() as lore:
            await lore.collection(self.collection).remove(_given(ids))
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Whole documents by id, in the order of their ids; those that are not there are left out."""
        with self._pool.client() as lore:
            return _whole(lore.collection(self.collection).documents(list(ids)))

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The same as get_by_ids."""
        async with self._pool.aclient() as lore:
            return _whole(await lore.collection(self.collection).documents(list(ids)))

    def similarity_search(self, query: str, k: int = 4, **options: Any) -> list[Document]:
        """The k best documents; options are those of `Collection.search`."""
        with self._pool.client() as lore:
            return plain(lore.collection(self.collection).search(query, k=k, **options))

    async def asimilarity_search(self, query: str, k: int = 4, **options: Any) -> list[Document]:
        """The same as similarity_search."""
        async with self._pool.aclient() as lore:
            return plain(await lore.collection(self.collection).search(query, k=k, **options))

    def similarity_search_with_score(self, query: str, k: int = 4, **options: Any) -> list[tuple[Document, float]]:
        """The k best documents, each with its score: the higher, the better."""
        with self._pool.client() as lore:
            hits = lore.collection(self.collection).search(query, k=k, **options)
        return [(document, hit.score) for document, hit in zip(plain(hits), hits, strict=True)]

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, **options: Any
    ) -> list[tuple[Document, float]]:
        """The same as similarity_search_with_score."""
        async with self._pool.aclient() as lore:
            hits = await lore.collection(self.collection).search(query, k=k, **options)
        return [(document, hit.score) for document, hit in zip(plain(hits), hits, strict=True)]

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **options: Any) -> list[Document]:
        """The k documents nearest to a vector of the collection's embedder."""
        with self._pool.client() as lore:
            return plain(lore.collection(self.collection).search(None, vector=embedding, mode="vector", k=k, **options))

    async def asimilarity_search_by_vector(self, embedding: list[float], k: int = 4, **options: Any) -> list[Document]:
        """The same as similarity_search_by_vector."""
        asked: Any = {"vector": embedding, "mode": "vector", "k": k, **options}
        async with self._pool.aclient() as lore:
            return plain(await lore.collection(self.collection).search(None, **asked))

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **options: Any
    ) -> list[Document]:
        """The k best documents that are also unlike each other: `search` with diversity 1 - lambda_mult."""
        return self.similarity_search(query, k, candidates=fetch_k, diversity=1 - lambda_mult, **options)

    async def amax_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **options: Any
    ) -> list[Document]:
        """The same as max_marginal_relevance_search."""
        return await self.asimilarity_search(query, k, candidates=fetch_k, diversity=1 - lambda_mult, **options)


def _stored(texts: Iterable[str], metadatas: list[dict] | None, ids: list[str] | None) -> Iterator[Stored]:
    listed = list(texts)
    keys: Sequence[str | None] = ids or [None] * len(listed)
    for text, metadata, key in zip(listed, metadatas or [{}] * len(listed), keys, strict=True):
        yield Stored(key or uuid.uuid4().hex, text, metadata or {})


def _whole(documents: list[Stored]) -> list[Document]:
    return [Document(one.content, id=one.key, metadata=dict(one.metadata)) for one in documents]


def _given(ids: list[str] | None) -> list[str]:
    if ids is None:
        raise BadArgument("no ids are given", hint="To delete all, drop the collection: Collection.drop.")
    return ids


def _none(options: dict[str, Any]) -> None:
    if options:
        raise TypeError(f"no argument {', '.join(sorted(options))} is known")
