"""Retriever of LlamaIndex: `lore.search`, and of several collections `lore.search_all`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode

from ..pool import Pool, shared
from ..search import Hit, SearchOptions, arguments
from ..search_all import HitOfAll

if TYPE_CHECKING:
    from typing import Unpack

APART = ("content", "metadata")  # of a hit: what has a place of its own in a node


class PgloreRetriever(BaseRetriever):
    """The chunks of a collection, or of several, that answer a query, best first.

    The options are those of `Collection.search`, whose defaults hold for what is not given. A node has the chunk's
    text and place, the metadata of the document it comes from, which is its source, and in the metadata's "pglore"
    what is known of the hit: rank and every stage's score.
    """

    def __init__(
        self,
        collection: str | Sequence[str],
        *,
        dsn: str | None = None,
        pool: Pool | None = None,
        callback_manager: CallbackManager | None = None,
        verbose: bool = False,
        **options: Unpack[SearchOptions],
    ) -> None:
        arguments(options)  # refuses what search does not take
        self.collection = collection if isinstance(collection, str) else list(collection)
        self.options = options
        self._pool = pool or shared(dsn)
        super().__init__(callback_manager=callback_manager, verbose=verbose)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        options = self._asked(query_bundle)
        with self._pool.client() as lore:
            if isinstance(self.collection, str):
                found = lore.collection(self.collection).search(query_bundle.query_str, **options)
                return [node(hit, self.collection) for hit in found]
            return [
                node(hit, hit.collection) for hit in lore.search_all(self.collection, query_bundle.query_str, **options)
            ]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        options = self._asked(query_bundle)
        async with self._pool.aclient() as lore:
            if isinstance(self.collection, str):
                found = await lore.collection(self.collection).search(query_bundle.query_str, **options)
                return [node(hit, self.collection) for hit in found]
            all_found = await lore.search_all(self.collection, query_bundle.query_str, **options)
            return [node(hit, hit.collection) for hit in all_found]

    def _asked(self, query: QueryBundle) -> Any:
        return self.options if query.embedding is None else {**self.options, "vector": query.embedding}


def node(hit: Hit | HitOfAll, collection: str) -> NodeWithScore:
    """A hit as LlamaIndex's node."""
    known: dict[str, Any] = {
        field.name: getattr(hit, field.name) for field in dataclasses.fields(hit) if field.name not in APART
    }
    found = TextNode(
        id_=f"{collection}/{hit.chunk_id}",
        text=hit.content,
        metadata={**hit.metadata, "pglore": known},
        excluded_embed_metadata_keys=["pglore"],
        excluded_llm_metadata_keys=["pglore"],
        start_char_idx=hit.span[0],
        end_char_idx=hit.span[1],
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=hit.key)},
    )
    return NodeWithScore(node=found, score=hit.score)
