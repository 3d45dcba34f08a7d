"""LlamaIndex over pglore: language model, embedding, retriever. Needs `pip install pglore[llamaindex]`.

    from pglore.llamaindex import PgloreLLM, PgloreRetriever

    retriever = PgloreRetriever("manual", k=5)
    llm = PgloreLLM(model="writer")

Each method is a call of the client, and raises what that raises (`pglore.errors`). The database is `dsn` (None reads
PGLORE_DSN, then libpq's own environment), or that of a `pool` of yours.
"""

try:
    from .embedding import PgloreEmbedding
    from .llm import PgloreLLM
    from .retriever import PgloreRetriever
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] not in ("llama_index", "psycopg_pool"):
        raise
    raise ModuleNotFoundError(
        f"{error.name} is not installed: pip install 'pglore[llamaindex]'", name=error.name
    ) from error

__all__ = ["PgloreEmbedding", "PgloreLLM", "PgloreRetriever"]
