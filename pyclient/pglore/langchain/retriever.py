"""Retriever of LangChain: `lore.search`, and of several collections `lore.search_all`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.utils import secret_from_env
from pydantic import ConfigDict, Field, SecretStr

from ..pool import Pool, shared
from ..search import Hit, SearchOptions
from ..search_all import HitOfAll

APART = ("content", "metadata")  # of a hit: what has a place of its own in a document


class PgloreRetriever(BaseRetriever):
    """The chunks of a collection, or of several, that answer a query, best first.

    The options are those of `Collection.search`, whose defaults hold for what is not given; `invoke` takes them too.
    A document has the chunk's text, the metadata of the document it comes from, its key as `id` and as the metadata's
    "source", and in the metadata's "pglore" what is known of the hit: rank, place and every stage's score.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    collection: str | list[str]
    dsn: SecretStr | None = Field(default_factory=secret_from_env("PGLORE_DSN", default=None))
    pool: Pool | None = Field(default=None, exclude=True, repr=False)

    k: int = 10
    mode: str = "hybrid"
    filter: dict[str, Any] | None = None
    rerank: str | None = None
    candidates: int | None = None
    per_document: int | None = 1
    fusion: str = "score"
    diversity: float | None = None
    neighbours: int = 0
    weights: dict[str, float] | None = None
    expand: str | None = None
    generator: str | None = None
    match: str = "any"

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        asked, pool = self._asked(options), self.pool or shared(_dsn(self.dsn))
        with pool.client() as lore:
            if isinstance(self.collection, str):
                return [document(hit) for hit in lore.collection(self.collection).search(query, **asked)]
            return [document(hit) for hit in lore.search_all(self.collection, query, **asked)]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        asked, pool = self._asked(options), self.pool or shared(_dsn(self.dsn))
        async with pool.aclient() as lore:
            if isinstance(self.collection, str):
                return [document(hit) for hit in await lore.collection(self.collection).search(query, **asked)]
            return [document(hit) for hit in await lore.search_all(self.collection, query, **asked)]

    def _asked(self, options: dict[str, Any]) -> Any:
        named = SearchOptions.__annotations__
        return {name: getattr(self, name) for name in named if name in self.model_fields_set} | options


def _dsn(dsn: SecretStr | None) -> str | None:
    return None if dsn is None else dsn.get_secret_value()


def document(hit: Hit | HitOfAll) -> Document:
    """A hit as LangChain's document."""
    known = {field.name: getattr(hit, field.name) for field in dataclasses.fields(hit) if field.name not in APART}
    metadata = {"source": hit.key, **hit.metadata, "pglore": known}
    return Document(page_content=hit.content, metadata=metadata, id=hit.key)


def plain(hits: Sequence[Hit]) -> list[Document]:
    """Hits as documents with the metadata they were added with, and no more."""
    return [Document(page_content=hit.content, metadata=hit.metadata, id=hit.key) for hit in hits]
