"""Embeddings of LangChain: `lore.embed`."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings

from ..pool import Pool, shared


class PgloreEmbeddings(Embeddings):
    """Vectors of an embedder that runs beside the database.

    model       alias of an embedder; None is the default one
    truncate    cut a text longer than the model's window, instead of averaging over windows
    dimensions  keep the first numbers of each vector only: for models trained for that (Matryoshka)
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        dsn: str | None = None,
        pool: Pool | None = None,
        truncate: bool = False,
        dimensions: int | None = None,
    ) -> None:
        self.model, self.truncate, self.dimensions = model, truncate, dimensions
        self._pool = pool or shared(dsn)

    def embed_query(self, text: str) -> list[float]:
        """The vector of what is searched with. raises EmptyInput, InputTooLong, UnknownModel, HostBusy"""
        with self._pool.client() as lore:
            return lore.embed(
                text, model=self.model, input_type="query", truncate=self.truncate, dimensions=self.dimensions
            )

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of what is to be found, in one call. raises as embed_query does"""
        with self._pool.client() as lore:
            found = lore.embed(texts, model=self.model, truncate=self.truncate, dimensions=self.dimensions)
        return [vector or [] for vector in found]

    async def aembed_query(self, text: str) -> list[float]:
        """The same as embed_query."""
        async with self._pool.aclient() as lore:
            return await lore.embed(
                text, model=self.model, input_type="query", truncate=self.truncate, dimensions=self.dimensions
            )

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """The same as embed_documents."""
        async with self._pool.aclient() as lore:
            found = await lore.embed(texts, model=self.model, truncate=self.truncate, dimensions=self.dimensions)
        return [vector or [] for vector in found]
