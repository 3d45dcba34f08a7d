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
from .tokenizer import ModelTokenizer, check_windows

WINDOW_LIMIT = 32  # windows of one text
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
        self.tokenizer = ModelTokenizer(self.files.folder, self.files.window_tokens)
        engine = engines.create(self.files, self.device, self._settings)
        try:
            engine.load()
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

    async def vectors(self, texts: Sequence[str], lane: str) -> tuple[np.ndarray, int]:
        """Unit vectors of texts, and how many of them were read in windows.

        returns  (N, D) float32, count
        raises   HostError LO101 for a text without a token, LO102 for one of over WINDOW_LIMIT windows, LO302
        """
        self.queue.admit(len(texts), lane)
        windows, owners, tokens = [], [], []
        for number, ids in enumerate(await self.encode(texts, lane)):
            if not len(ids):
                raise empty(number, len(texts))
            check_windows(self.tokenizer.window_count(ids), WINDOW_LIMIT, len(texts[number]))
            parts = self.tokenizer.windows(ids)
            windows += parts
            owners += [number] * len(parts)
            tokens += [len(part) for part in parts]
        rows = np.array(await self.queue.run(windows, lane), dtype=np.float32)
        if len(windows) == len(texts):
            return rows, 0
        weights = np.array(tokens) - self.tokenizer.prefix_tokens - self.tokenizer.suffix_tokens
        bounds = np.searchsorted(owners, np.arange(len(texts) + 1))
        joined = [
            rows[low] if high - low == 1 else join_windows(rows[low:high], weights[low:high])
            for low, high in pairwise(bounds)
        ]
        return np.array(joined), int((np.diff(bounds) > 1).sum())

    async def states(self, windows: Sequence[np.ndarray], lane: str, reduce: Reduce) -> list:
        """What `reduce` makes of the token states of each window; it runs in the engine's thread and keeps no view."""
        return await self.queue.run(windows, lane, reduce)


def empty(number: int, count: int) -> HostError:
    """The error for a text that holds nothing to read."""
    which = "the text" if count == 1 else f"text {number + 1} of {count} sent together"
    return HostError(errors.EMPTY_INPUT, f"{which} is empty")
