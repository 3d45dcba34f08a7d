"""LangChain over pglore: chat model, embeddings, retriever, vector store. Needs `pip install pglore[langchain]`.

    from pglore.langchain import ChatPglore, PgloreRetriever

    retriever = PgloreRetriever(collection="manual", k=5)
    model = ChatPglore(model="writer")

Each method is a call of the client, and raises what that raises (`pglore.errors`). The database is `dsn` (None reads
PGLORE_DSN, then libpq's own environment), or that of a `pool` of yours.
"""

try:
    from .chat import ChatPglore
    from .embeddings import PgloreEmbeddings
    from .retriever import PgloreRetriever
    from .vectorstore import PgloreVectorStore
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] not in ("langchain_core", "psycopg_pool"):
        raise
    raise ModuleNotFoundError(
        f"{error.name} is not installed: pip install 'pglore[langchain]'", name=error.name
    ) from error

__all__ = ["ChatPglore", "PgloreEmbeddings", "PgloreRetriever", "PgloreVectorStore"]
