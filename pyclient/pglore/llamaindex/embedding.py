"""Embedding of LlamaIndex: `lore.embed`."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
from llama_index.core.bridge.pydantic import Field, PrivateAttr

from ..pool import Pool, shared


class PgloreEmbedding(BaseEmbedding):
    """Vectors of an embedder that runs beside the database."""

    model_name: str | None = Field(default=None, description="Alias of an embedder; None is the default one.")  # type: ignore[assignment]
    truncate: bool = Field(default=False, description="Cut a text longer than the model's window.")
    dimensions: int | None = Field(default=None, description="Keep the first numbers of each vector only.")
    _pool: Pool = PrivateAttr()

    def __init__(
        self, model_name: str | None = None, *, dsn: str | None = None, pool: Pool | None = None, **data: Any
    ) -> None:
        super().__init__(model_name=model_name, **data)  # type: ignore[arg-type]
        self._pool = pool or shared(dsn)

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex stores it."""
        return "PgloreEmbedding"

    def _options(self, input_type: str) -> Any:
        return {
            "model": self.model_name,
            "input_type": input_type,
            "truncate": self.truncate,
            "dimensions": self.dimensions,
        }

    def _get_query_embedding(self, query: str) -> Embedding:
        with self._pool.client() as lore:
            return lore.embed(query, **self._options("query"))

    def _get_text_embedding(self, text: str) -> Embedding:
        with self._pool.client() as lore:
            return lore.embed(text, **self._options("document"))

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        with self._pool.client() as lore:
            return [vector or [] for vector in lore.embed(texts, **self._options("document"))]

    async def _aget_query_embedding(self, query: str) -> Embedding:
        async with self._pool.aclient() as lore:
            return await lore.embed(query, **self._options("query"))

    async def _aget_text_embedding(self, text: str) -> Embedding:
        async with self._pool.aclient() as lore:
            return await lore.embed(text, **self._options("document"))

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        async with self._pool.aclient() as lore:
            return [vector or [] for vector in await lore.embed(texts, **self._options("document"))]
