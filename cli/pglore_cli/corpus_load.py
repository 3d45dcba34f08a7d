"""Loading the documents of a retrieval test: like files, but read already."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence

import pglore

from .files import File
from .load import BATCH_CHARACTERS, BATCH_DOCUMENTS, DIGEST, Load


class CorpusLoad(Load):
    """One load of `documents`, whose keys the files have: `await CorpusLoad(...).run(files)`."""

    documents: Mapping[str, pglore.Document]

    async def read(self, client: pglore.AsyncClient, files: Sequence[File], queue: asyncio.Queue) -> None:
        """Queue the documents that are new or changed, in batches; then a None for each adder."""
        batch: list[tuple[File, pglore.Document]] = []
        characters = 0
        for file in files:
            document = self.documents[file.key]
            digest = self.digest(json.dumps([document.content, dict(document.metadata)], sort_keys=True).encode())
            if self.present.get(file.key) == digest:
                self.done(file, pglore.Added(unchanged=1))
                continue
            if batch and (characters + file.size > BATCH_CHARACTERS or len(batch) == BATCH_DOCUMENTS):
                await queue.put(batch)
                batch, characters = [], 0
            metadata = {**document.metadata, DIGEST: digest}
            batch.append((file, pglore.Document(document.key, document.content, metadata)))
            characters += file.size
        if batch:
            await queue.put(batch)
        for _ in range(self.connections):
            await queue.put(None)
