"""Loading files into a collection: read and parse on one connection, add on others, so that the model host never waits.

Every batch is a transaction, and each document carries a digest of its file in its metadata: what is stopped or
killed goes on where it was, and a file that is there already is not even parsed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import pglore

from .files import Failure, File

T = TypeVar("T")

BATCH_CHARACTERS = 120_000  # some 30,000 tokens: many full batches for the model, a few seconds of work
BATCH_DOCUMENTS = 100
PATIENCE_S = (0.5, 1, 2, 4, 8, 16)  # pauses after "try again"
DIGEST = "digest"


@dataclass
class Progress:
    """What a load has done so far, in files (and bytes of them), chunks and tokens."""

    files: int = 0
    bytes: int = 0
    total: pglore.Added = field(default_factory=pglore.Added)
    failures: list[Failure] = field(default_factory=list)


class Load:
    """One load: `await Load(...).run(files)`; `progress` is up to date at each call of `changed`."""

    def __init__(
        self, dsn: str | None, collection: str, *, present: Mapping[str, str], metadata: Mapping[str, Any],
        connections: int, changed: Callable[[Progress], None],
    ) -> None:  # fmt: skip
        self.dsn = dsn
        self.collection = collection
        self.present = present
        self.metadata = dict(metadata)
        self.connections = connections
        self.changed = changed
        self.progress = Progress()

    async def run(self, files: Sequence[File]) -> Progress:
        """Load the files. raises  what no retry and no skipping helps, such as SetupError"""
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(await pglore.aconnect(self.dsn, application_name="pglore ingest"))
                for _ in range(self.connections + 1)
            ]
            reader, *adders = clients
            queue: asyncio.Queue[list[tuple[File, pglore.Document]] | None] = asyncio.Queue(maxsize=len(adders))
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self.read(reader, files, queue))
                    for adder in adders:
                        tasks.create_task(self.add(adder.collection(self.collection), queue))
            except ExceptionGroup as group:
                raise next(leaves(group)) from None
        return self.progress

    async def read(self, client: pglore.AsyncClient, files: Sequence[File], queue: asyncio.Queue) -> None:
        """Read and parse the files that are new or changed, and queue them in batches; then a None for each adder."""
        batch: list[tuple[File, pglore.Document]] = []
        characters = 0
        for file in files:
            try:
                data = file.path.read_bytes()
                digest = self.digest(data)
                if self.present.get(file.key) == digest:
                    self.done(file, pglore.Added(unchanged=1))
                    await asyncio.sleep(0)
                    continue
                parsed = await patiently(partial(client.parse, data, mime=file.mime))
            except (OSError, pglore.CallerError) as error:
                self.failed(file, error)
                continue
            title = {"title": parsed.title} if parsed.title else {}
            metadata = {**parsed.metadata, **title, **self.metadata, DIGEST: digest}
            if batch and (characters + len(parsed.content) > BATCH_CHARACTERS or len(batch) == BATCH_DOCUMENTS):
                await queue.put(batch)
                batch, characters = [], 0
            batch.append((file, pglore.Document(file.key, parsed.content, metadata)))
            characters += len(parsed.content)
        if batch:
            await queue.put(batch)
        for _ in range(self.connections):
            await queue.put(None)

    async def add(self, collection: pglore.AsyncCollection, queue: asyncio.Queue) -> None:
        """Add batches as they come; a batch that is refused is added document by document, to find the bad ones."""
        while (batch := await queue.get()) is not None:
            try:
                self.done_many(
                    batch, await patiently(partial(collection.add_many, [document for _, document in batch]))
                )
            except Exception as error:
                if not is_about_data(error):
                    raise
                for file, document in batch:
                    try:
                        added = await patiently(partial(collection.add_many, [document]))
                    except Exception as error:
                        if not is_about_data(error):
                            raise
                        self.failed(file, error)
                    else:
                        self.done(file, added)

    def digest(self, data: bytes) -> str:
        """Of all that a document is made from, so that it changes with the file, the metadata given, and the parser."""
        made_from = [pglore.__version__, json.dumps(self.metadata, sort_keys=True)]
        return hashlib.sha256("\n".join([*made_from, ""]).encode() + data).hexdigest()[:32]

    def done(self, file: File, added: pglore.Added) -> None:
        self.done_many([(file, None)], added)

    def done_many(self, batch: Sequence[tuple[File, Any]], added: pglore.Added) -> None:
        self.progress.files += len(batch)
        self.progress.bytes += sum(file.size for file, _ in batch)
        self.progress.total += added
        self.changed(self.progress)

    def failed(self, file: File, error: Exception) -> None:
        from .failure import describe

        message, hint, sqlstate, _ = describe(error) or (str(error), None, None, 1)
        self.progress.failures.append(Failure(file.key, message, hint, sqlstate))
        self.done(file, pglore.Added())


def digests(client: pglore.Client, collection: str) -> dict[str, str] | None:
    """The digest of each document that a load put into a collection, by key; None where there is no such collection."""
    from psycopg import errors, sql

    table = sql.Identifier("lore_data", f"{collection}_documents")
    query = sql.SQL("SELECT key, metadata->>%s FROM {} WHERE metadata ? %s").format(table)
    try:
        return dict(client.connection.execute(query, (DIGEST, DIGEST)).fetchall())
    except errors.UndefinedTable:
        return None


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """The result of a call that is made again after a pause while the server says "try again"."""
    for pause_s in PATIENCE_S:
        try:
            return await call()
        except pglore.TryAgain:
            await asyncio.sleep(pause_s)
    return await call()


def is_about_data(error: Exception) -> bool:
    """Whether another document may fare better: the caller's input, or SQLSTATE class 22 and 54, data and limits."""
    if isinstance(error, pglore.Error):
        return isinstance(error, pglore.CallerError)
    return (getattr(error, "sqlstate", None) or "")[:2] in ("22", "54")


def leaves(group: BaseExceptionGroup) -> Any:
    """The exceptions in a group of groups."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error
