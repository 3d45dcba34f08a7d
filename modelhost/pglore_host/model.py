"""A model that runs in this process: loaded on first use, shared by all requests, unloaded when nobody needs it.

Letters: N texts, D length of a vector, L tokens of a text.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from . import device, engines, errors, log, metrics
from .driver import Driver
from .errors import HostError
from .files import ModelFiles
from .memory import Memory
from .pooling import join_windows
from .queue import LANES, Queue, Reduce
from .settings import Settings
from .status import resident_bytes
from .tokenizer import ModelTokenizer

WINDOW_LIMIT = 32  # windows of one text
PAIRS_LIMIT = 8192  # windows of the documents that a cross-encoder reads with a query
REQUEST_TOKENS = 1 << 20  # of all texts of a request, special tokens included
INLINE_CHARACTERS = 4096  # up to here tokenizing takes less than handing it to a thread
FAILED_S = 10  # seconds for which a failed load answers for the next ones: trying can take long


class Model:
    """One set of weights with its tokenizer, queue and engine."""

    def __init__(self, alias: str, read: Callable[[], ModelFiles], settings: Settings, memory: Memory) -> None:
        """`read` reads the model's files, and raises when they are not those that were registered."""
        self.alias = alias  # the first that named it, for the log
        self.device = device.choose(settings)
        self.queue = Queue(settings.queue_texts, settings.max_wait_ms)
        self.state = "unloaded"
        self.error: HostError | None = None
        self.memory_bytes: int | None = None
        self.quality: dict | None = None  # loss against float32, where the engine has measured it
        self.uses = 0  # requests that hold it now
        self.used_at = time.monotonic()
        self.files: ModelFiles = None  # type: ignore[assignment]  # there once inspected() has returned
        self.tokenizer: ModelTokenizer = None  # type: ignore[assignment]  # there once ready() has returned
        self._read, self._settings, self._memory = read, settings, memory
        # A thread for each lane: the tokens of a query do not wait for those of a load.
        self._tokenizing = {lane: ThreadPoolExecutor(1, thread_name_prefix=f"tokens-{lane}") for lane in LANES}
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._inspecting: asyncio.Task | None = None
        self._loading: asyncio.Task | None = None
        self._driver: Driver | None = None
        self._failed_at = 0.0

    async def inspected(self) -> ModelFiles:
        """What the model's files say, read when first asked for.

        raises  HostError LO204
        """
        if self.files is None:
            if self._inspecting is None or self._inspecting.done():
                self._inspecting = asyncio.create_task(self._inspect())
            await asyncio.shield(self._inspecting)
        return self.files

    async def _inspect(self) -> None:
        self.files = await asyncio.get_running_loop().run_in_executor(self._loader, self._read)

    async def ready(self, *, again: bool = False) -> None:
        """Load unless loaded; all who wait share one load. A load that failed is tried `again`, or a little later.

        raises  HostError LO204, LO206, LO303
        """
        if self.state == "ready":
            return
        if self._loading is None or self._loading.done():
            if self.error and not again and time.monotonic() - self._failed_at < FAILED_S:
                raise self.error
            self._loading = asyncio.create_task(self._load())
        # Shielded: a cancelled request must not cancel the load that others wait for.
        await asyncio.shield(self._loading)

    async def _load(self) -> None:
        started = time.perf_counter()
        self.state, self.error = "loading", None
        try:
            self.files = None  # type: ignore[assignment]  # read anew: they may have changed since somebody looked
            threading.Thread(target=engines.prepare, args=(self.device,), daemon=True).start()
            await self.inspected()
            await self._memory.reserve(self)
            self.memory_bytes = await asyncio.get_running_loop().run_in_executor(self._loader, self._start)
        except Exception as error:
            failed = error
            if isinstance(error, MemoryError):
                failed = HostError(errors.OUT_OF_MEMORY, "the device's memory is not enough to load the model")
            elif not isinstance(error, HostError):
                log.fault("model failed", error, alias=self.alias)
                failed = HostError(errors.MODEL_NOT_LOADED, f"it cannot be loaded: {error}")
            log.write("model failed", alias=self.alias, code=failed.code, message=failed.message)
            self.state, self.error, self._failed_at = "failed", failed, time.monotonic()
            self.files = None  # type: ignore[assignment]  # the next try reads them anew
            raise failed from error
        finally:
            self._memory.settle(self)
        self.state = "ready"
        self.queue.usage.loads += 1
        log.write(
            "model loaded",
            alias=self.alias,
            engine=self.device.engine,
            device=self.device.kind,
            dtype=self.device.dtype,
            memory_bytes=self.memory_bytes,
            seconds=round(time.perf_counter() - started, 3),
        )

    def _start(self) -> int:
        """Make the engine ready and start its thread; returns the bytes that this took."""
        before = resident_bytes()
        engine = engines.create(self.files, self.device, self._settings)
        try:
            with ThreadPoolExecutor(1) as beside:
                tokenizer = beside.submit(ModelTokenizer.of, self.files)
                engine.load()
                self.tokenizer = tokenizer.result()
            queue = Queue(self._settings.queue_texts, self._settings.max_wait_ms)
            driver = Driver(queue, engine, self.files, self.tokenizer)
            driver.warm_up()
        except BaseException:
            engine.unload()
            raise
        queue.tokens_per_s, queue.usage = self.queue.tokens_per_s, self.queue.usage
        self.queue, self._driver, self.quality = queue, driver, getattr(engine, "quality", None)
        driver.start()
        return getattr(engine, "memory_bytes", None) or max(0, resident_bytes() - before)

    async def unload(self) -> None:
        """Give the memory back; the next use loads again. Call it only while no request holds the model."""
        if self.state != "ready" or self._driver is None:
            return
        driver, self._driver = self._driver, None
        self.state, self.files = "unloaded", None  # type: ignore[assignment]  # the next load reads the files anew
        await asyncio.get_running_loop().run_in_executor(self._loader, driver.stop)
        if self.state == "unloaded":
            self.memory_bytes = None
        self.queue.usage.unloads += 1
        log.write("model unloaded", alias=self.alias)

    async def encode(self, texts: Sequence[str], lane: str = "interactive") -> list[np.ndarray]:
        """Content token ids of texts, off the event loop unless they are short. N texts to N (L,) arrays."""
        started = time.perf_counter()
        found = await self._encode(texts, lane)
        metrics.part("tokenize", started)
        return found

    async def _encode(self, texts: Sequence[str], lane: str) -> list[np.ndarray]:
        if sum(map(len, texts)) <= INLINE_CHARACTERS:
            return self.tokenizer.encode(texts)
        stop = threading.Event()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._tokenizing[lane], self.tokenizer.encode, texts, stop.is_set)
        except asyncio.CancelledError:
            stop.set()
            raise

    async def vectors(self, texts: Sequence[str], lane: str, truncate: bool = False) -> tuple[np.ndarray, int]:
        """Unit vectors of texts, and how many of them are longer than the window: averaged over windows, or cut.

        returns  (N, D) float32, count
        raises   HostError LO101 for a text without a token, LO102 for one of over WINDOW_LIMIT windows unless it is
                 cut and for more than REQUEST_TOKENS together, LO302
        """
        self.queue.admit(len(texts), lane)
        windows, counts, longer = [], [], 0
        for number, ids in enumerate(await self.encode(texts, lane)):
            if not len(ids):
                raise empty(number, len(texts))
            count = self.tokenizer.window_count(ids)
            longer += count > 1
            if truncate:
                ids, count = ids[: self.tokenizer.content_tokens], 1
            elif count > WINDOW_LIMIT:
                raise too_long(count, len(texts[number]))
            windows += self.tokenizer.windows(ids)
            counts.append(count)
        if (tokens := sum(map(len, windows))) > REQUEST_TOKENS:
            raise HostError(
                errors.INPUT_TOO_LONG,
                f"the texts of a request are {tokens:,} tokens, over the limit of {REQUEST_TOKENS:,}",
                "Send them in several requests.",
            )
        rows = np.array(await self.queue.run(windows, lane), dtype=np.float32)
        if len(windows) == len(texts):
            return rows, longer
        weights = (
            np.array([len(part) for part in windows]) - self.tokenizer.prefix_tokens - self.tokenizer.suffix_tokens
        )
        bounds = np.cumsum([0, *counts])
        joined = [
            rows[low] if high - low == 1 else join_windows(rows[low:high], weights[low:high])
            for low, high in pairwise(bounds)
        ]
        return np.array(joined), longer

    def alone(self, ids: np.ndarray) -> tuple[np.ndarray, int, int]:
        """As Driver.alone; the model must be ready."""
        assert self._driver is not None
        return self._driver.alone(ids)

    async def scores(self, query: str, documents: Sequence[str]) -> list[float]:
        """A cross-encoder's score of each document for a query; of a long document, that of its best window.

        raises  HostError LO101, LO102, LO302
        """
        asked, *texts = await self.encode([query, *documents])
        if not len(asked):
            raise HostError(errors.EMPTY_INPUT, "query is empty")
        pairs, counts = [], []
        for ids in texts:
            found = self.tokenizer.pairs(asked, ids)
            pairs += found
            counts.append(len(found))
        if len(pairs) > PAIRS_LIMIT:
            raise HostError(
                errors.INPUT_TOO_LONG,
                f"the documents take {len(pairs):,} windows, over the limit of {PAIRS_LIMIT:,}",
                "Rerank fewer or shorter documents.",
            )
        rows = await self.queue.run([ids for ids, _ in pairs], "interactive", types=[types for _, types in pairs])
        bounds = np.cumsum([0, *counts])
        return [max(rows[low:high]) for low, high in pairwise(bounds)]

    async def states(self, windows: Sequence[np.ndarray], lane: str, reduce: Reduce) -> list:
        """What `reduce` makes of the token states of each window; it runs in the engine's thread and keeps no view."""
        return await self.queue.run(windows, lane, reduce)


def empty(number: int, count: int) -> HostError:
    """The error for a text that holds nothing to read."""
    which = "the text" if count == 1 else f"text {number + 1} of {count} sent together"
    return HostError(errors.EMPTY_INPUT, f"{which} is empty")


def too_long(windows: int, characters: int) -> HostError:
    """The error for a text of more windows than are averaged."""
    return HostError(
        errors.INPUT_TOO_LONG,
        f"a text of {characters:,} characters takes {windows} windows of the model, over the limit of {WINDOW_LIMIT}",
        "Cut it with lore.chunk and embed the chunks, or pass truncate => true to have its first window read alone.",
    )
