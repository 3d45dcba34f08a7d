"""The client: every function of the schema lore as a method, on a psycopg connection."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from .budgets import AsyncBudgets, Budgets
from .cache import AsyncCache, Cache
from .calls import AsyncCalls, Calls
from .chunk import AsyncChunks, Chunks
from .collection import AsyncCollections, Collections
from .doctor import AsyncDoctor, Doctor
from .embed import AsyncEmbed, Embed
from .estimate import AsyncEstimates, Estimates
from .evaluate import AsyncEvaluations, Evaluations
from .generate import AsyncGenerate, Generate
from .golden import AsyncGolden, Golden
from .grants import AsyncGrants, Grants
from .host import AsyncHost, Host
from .indexes import AsyncMaintain, Maintain
from .models import AsyncModels, Models
from .parse import AsyncParse, Parse
from .rerank import AsyncRerank, Rerank
from .rewrite import AsyncRewrite, Rewrite
from .search_all import AsyncSearchAll, SearchAll
from .similarity import AsyncSimilarity, Similarity
from .templates import AsyncTemplates, Templates
from .tokens import AsyncTokens, Tokens

if TYPE_CHECKING:
    from psycopg.errors import Diagnostic

log = logging.getLogger("pglore")


def default_dsn(dsn: str | None) -> str:
    """The connection string given, else PGLORE_DSN; empty leaves all to libpq's own environment."""
    return dsn if dsn is not None else os.environ.get("PGLORE_DSN", "")


def _notice(diagnostic: Diagnostic) -> None:
    level = logging.WARNING if diagnostic.severity_nonlocalized == "WARNING" else logging.INFO
    log.log(level, "%s", diagnostic.message_primary)


class AsyncClient(
    AsyncEmbed, AsyncTokens, AsyncSimilarity, AsyncRerank, AsyncGenerate, AsyncRewrite, AsyncChunks, AsyncParse,
    AsyncModels, AsyncHost, AsyncDoctor, AsyncCollections, AsyncMaintain, AsyncSearchAll, AsyncGolden, AsyncEvaluations,
    AsyncTemplates,
    AsyncEstimates, AsyncCalls, AsyncBudgets, AsyncGrants, AsyncCache,
):  # fmt: skip
    """pglore on a psycopg connection of yours, which you commit and close; `connect` makes one for you."""

    @classmethod
    async def connect(cls, dsn: str | None = None, **options: Any) -> AsyncClient:
        """A client on a connection of its own, in autocommit unless told otherwise; options are psycopg's.

        dsn     a connection string; None reads PGLORE_DSN, then libpq's own environment
        raises  psycopg.OperationalError
        """
        from psycopg import AsyncConnection

        connection = await AsyncConnection.connect(default_dsn(dsn), **{"autocommit": True, **options})
        connection.add_notice_handler(_notice)
        return cls(connection)

    async def close(self) -> None:
        """Close the connection."""
        await self.connection.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


# Below: the same without async, written by `python pyclient/derive.py`.


class Client(
    Embed, Tokens, Similarity, Rerank, Generate, Rewrite, Chunks, Parse,
    Models, Host, Doctor, Collections, Maintain, SearchAll, Golden, Evaluations,
    Templates,
    Estimates, Calls, Budgets, Grants, Cache,
):  # fmt: skip
    """pglore on a psycopg connection of yours, which you commit and close; `connect` makes one for you."""

    @classmethod
    def connect(cls, dsn: str | None = None, **options: Any) -> Client:
        """A client on a connection of its own, in autocommit unless told otherwise; options are psycopg's.

        dsn     a connection string; None reads PGLORE_DSN, then libpq's own environment
        raises  psycopg.OperationalError
        """
        from psycopg import Connection

        connection = Connection.connect(default_dsn(dsn), **{"autocommit": True, **options})
        connection.add_notice_handler(_notice)
        return cls(connection)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
