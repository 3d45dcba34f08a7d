"""Remote models: embedding and rerank servers that speak the OpenAI or the Text Embeddings Inference protocol.

Letters: N texts, D dimensions.
"""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np

from .. import errors, log
from ..errors import HostError
from ..settings import Settings
from .options import OPTIONS, RemoteOptions, check, read_key
from .work import Work

if TYPE_CHECKING:
    from .server import Server

__all__ = ["KINDS", "OPTIONS", "Remote", "RemoteOptions", "check"]

SERVERS_WORD = re.compile(r"(\(\d{3}\)): .*", re.DOTALL)


class Remote:
    """One alias on a server elsewhere, probed on first use and then shared by all requests."""

    memory_bytes = None  # it takes none here

    def __init__(self, alias: str, task: str, url: str, options: Mapping[str, object], settings: Settings) -> None:
        """Raises HostError LO103 for an option or a URL that is not allowed; opens no connection."""
        self.alias, self.task, self.url = alias, task, url
        self.options = check(task, url, options)
        self.state = "unloaded"  # loading, ready, failed
        self.error: HostError | None = None  # of the last request
        self.uses = 0  # requests that hold it now
        self.used_at = time.monotonic()
        self.queue = Work(
            self.options.concurrency, self.options.queue_texts or settings.queue_texts, self.options.timeout_s
        )
        self._dimensions = self.options.dimensions if task == "embed" else None
        self._window_tokens = self.options.window_tokens
        self._server: Server | None = None
        self._loading: asyncio.Task | None = None

    @property
    def dimensions(self) -> int | None:
        """Length of its vectors, as far as it is known: ready() learns it."""
        return self._dimensions

    @property
    def waiting(self) -> int:
        """Texts not yet sent."""
        return self.queue.waiting

    @property
    def running(self) -> int:
        """Texts sent and not yet answered."""
        return self.queue.running

    def health(self) -> str | None:
        """What went wrong with the last request, or None."""
        return self.error and self.error.message

    def row(self) -> dict:
        """What lore.models shows of it, beside alias, task and state."""
        return {
            "engine": "remote",
            "device_reason": f"a server elsewhere, protocol {self.options.protocol}",
            "dimensions": self._dimensions,
            "window_tokens": self._window_tokens,
            "fingerprint": self.fingerprint,
        }

    @property
    def fingerprint(self) -> str:
        """Identity of its vectors as far as it can be known: what a server runs under a name, it may change."""
        own = self.options
        what = [own.protocol, self.url, own.name or self.alias, own.dimensions, own.query_prompt, own.document_prompt]
        return hashlib.sha256(json.dumps(["remote", *what]).encode()).hexdigest()

    async def ready(self, *, again: bool = False) -> None:
        """Probe the server unless it is known to answer; all who wait share one probe, the next call tries anew.

        again   as for a model that runs here; no matter for this one
        raises  HostError LO204, LO205, LO301, LO302, LO304
        """
        if self.state == "ready":
            return
        if self._loading is None or self._loading.done():
            self.state = "loading"
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(
                lambda done: done.cancelled() or done.exception()
            )  # seen, if by nobody else
        # Shielded: a cancelled request must not cancel the probe that others wait for.
        await asyncio.shield(self._loading)

    async def _load(self) -> None:
        from .server import Server  # a host without a remote model is spared the import

        started = time.perf_counter()
        try:
            await self._disconnect()
            key = await asyncio.to_thread(read_key, self.options.key_env, self.options.key_file, self.alias)
            name = self.options.name or self.alias
            server = self._server = await asyncio.to_thread(Server, self.url, name, self.options, key)
            async with server.held():
                await server.learn(self.task, time.monotonic() + self.options.timeout_s)
        except BaseException as error:
            self._failed(error)
            known = isinstance(error, HostError)
            log.write("model failed", alias=self.alias, url=self.url, error=error.message if known else repr(error))
            if known and error.code in (errors.BAD_ARGUMENT, errors.INPUT_TOO_LONG):  # the probe is not the caller's
                raise HostError(errors.MODEL_NOT_LOADED, error.message, "Look at the model's options.") from None
            raise
        self._dimensions, self._window_tokens = server.dimensions, server.window_tokens
        self.state, self.error = "ready", None
        log.write(
            "model loaded",
            alias=self.alias,
            url=self.url,
            engine="remote",
            served=server.served,
            dimensions=server.dimensions,
            seconds=round(time.perf_counter() - started, 3),
        )

    async def vectors(
        self, texts: Sequence[str], input_type: str, truncate: bool = False, lane: str = "interactive"
    ) -> np.ndarray:
        """Unit vectors of texts, with the prompt of their type put before each.

        returns  (N, D) float32
        raises   HostError LO102 for a text over the model's window unless `truncate` lets the server cut it, which the
                 OpenAI protocol cannot; LO103, LO204, LO205, LO301, LO302, LO304
        """
        async with self._using() as server:
            prompt = self.options.prompt(input_type)
            found = await self.queue.run(
                [prompt + text for text in texts],
                lambda batch, until: server.vectors(batch, truncate, until),
                batch_texts=server.batch_texts,
                lane=lane,
                numbered=True,
            )
        return np.concatenate(found) if found else np.empty((0, self._dimensions or 0), dtype=np.float32)

    async def scores(self, query: str, documents: Sequence[str], lane: str = "interactive") -> list[float]:
        """Score of each document, in the order given; their range is the server's matter. Raises as `vectors`."""
        async with self._using() as server:
            found = await self.queue.run(
                documents,
                lambda batch, until: server.scores(query, batch, until),
                batch_texts=server.batch_texts,
                lane=lane,
                numbered=False,  # it may be the query that is too long
            )
        return [score for part in found for score in part]

    @asynccontextmanager
    async def _using(self) -> "AsyncIterator[Server]":
        """The server, ready and kept open; errors name the alias, and are noted."""
        try:
            while True:
                await self.ready()
                if self.state == "ready" and (server := self._server):  # not closed since the probe's end
                    break
            async with server.held():
                try:
                    yield server
                except HostError as error:
                    if server is self._server:
                        self._failed(error)
                    raise
            self.error = None
        except HostError as error:
            raise HostError(error.code, f'the model "{self.alias}": {error.message}', error.hint) from error

    def _failed(self, error: BaseException) -> None:
        """Note what is wrong; after what only a change can mend, the next call reads the key and probes anew."""
        code, message = errors.INTERNAL_ERROR, type(error).__name__
        if isinstance(error, HostError):  # without the server's word: others than its caller see this
            code, message = error.code, SERVERS_WORD.sub(r"\1", error.message)
        self.error = HostError(code, message)
        if self.state == "loading" or code in (errors.MODEL_NOT_LOADED, errors.DIMENSION_MISMATCH):
            self.state = "failed"

    async def unload(self) -> None:
        """Forget the server; requests under way are finished, and ready() begins anew."""
        self.state, self.error = "unloaded", None
        await self._disconnect()

    close = unload

    async def _disconnect(self) -> None:
        server, self._server = self._server, None
        if server:
            await server.close()


from .generator import RemoteGenerator  # noqa: E402  # a kind of Remote

KINDS: Mapping[str, type[Remote]] = {"embed": Remote, "rerank": Remote, "generate": RemoteGenerator}
