"""A loaded text encoder: tokenizer, queue and the one thread that drives the engine.

Letters: N texts, D model width, L tokens of a text.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from . import engines, errors, log
from .device import Device
from .errors import HostError
from .files import ModelFiles
from .pooling import join_windows, pool, unit
from .queue import LANES, Queue, Reduce, Text
from .settings import Settings
from .status import resident_bytes
from .tokenizer import ModelTokenizer, check_windows

WINDOW_LIMIT = 32  # windows of one text
INLINE_CHARACTERS = 4096  # up to here tokenizing takes less than handing it to a thread


class Model:
    """One encoder, loaded on first use and then shared by all requests."""

    def __init__(self, files: ModelFiles, device: Device, settings: Settings) -> None:
        self.files, self.device = files, device
        self.queue = Queue(settings.queue_texts)
        self.state = "unloaded"
        self.memory_bytes: int | None = None
        self.tokenizer: ModelTokenizer = None  # type: ignore[assignment]  # there once ready() has returned
        self._settings = settings
        # A thread for each lane: the tokens of a query do not wait for those of a load.
        self._tokenizing = {lane: ThreadPoolExecutor(1, thread_name_prefix=f"tokens-{lane}") for lane in LANES}
        self._loading: asyncio.Task | None = None

    async def ready(self) -> None:
        """Load unless loaded; all who wait share one load, and a failed one is tried again by the next call.

        raises  HostError LO204, LO206, LO303
        """
        if self.state == "ready":
            return
        if self._loading is None or self._loading.done():
            self.state = "loading"
            self._loading = asyncio.create_task(asyncio.to_thread(self._load))
        # Shielded: a cancelled request must not cancel the load that others wait for.
        await asyncio.shield(self._loading)

    def _load(self) -> None:
        started, before = time.perf_counter(), resident_bytes()
        try:
            self.tokenizer = ModelTokenizer(self.files.folder, self.files.window_tokens)
            engine = engines.create(self.files, self.device, self._settings)
            engine.load()
            engine.run(*self._batch([self.tokenizer.windows(self.tokenizer.encode(["warm up"])[0])[0]]))
        except HostError as error:
            self.state = "failed"
            log.write("model failed", folder=str(self.files.folder), code=error.code, message=error.message)
            raise
        except Exception as error:
            self.state = "failed"
            log.fault("model failed", error, folder=str(self.files.folder))
            raise HostError(errors.MODEL_NOT_LOADED, f"the model cannot be loaded: {error!r}") from error
        threading.Thread(target=self._drive, args=(engine,), daemon=True, name="engine").start()
        self.memory_bytes = max(0, resident_bytes() - before)
        self.state = "ready"
        log.write(
            "model loaded",
            folder=str(self.files.folder),
            engine=engine.name,
            device=self.device.kind,
            dtype=self.device.dtype,
            seconds=round(time.perf_counter() - started, 3),
        )

    async def encode(self, texts: Sequence[str], lane: str = "interactive") -> list[np.ndarray]:
        """Content token ids of texts, off the event loop unless they are short. N texts to N (L,) arrays."""
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

    def _drive(self, engine: engines.Engine) -> None:
        """The engine's thread: take a batch, run it, hand the results out."""
        while (batch := self.queue.take()) is not None:
            try:
                self._run(engine, [text for text in batch if not text.job.closed])
            except Exception as error:  # the thread must outlive any batch
                log.fault("batch failed", error)
                for text in batch:
                    text.job.close(HostError(errors.INTERNAL_ERROR, "the model host failed on a batch"))

    def _run(self, engine: engines.Engine, batch: list[Text]) -> None:
        """Run a batch; one that fails is halved, so that only the text that cannot be run fails."""
        if not batch:
            return
        started = time.perf_counter()
        ids, mask = self._batch([text.ids for text in batch])
        try:
            states = engine.run(ids, mask)
        except Exception as error:
            if len(batch) > 1:
                self._run(engine, batch[: len(batch) // 2])
                self._run(engine, batch[len(batch) // 2 :])
                return
            log.fault("text failed", error, tokens=ids.shape[1])
            code = errors.OUT_OF_MEMORY if isinstance(error, MemoryError) else errors.INTERNAL_ERROR
            batch[0].job.close(HostError(code, f"the model failed on a text of {ids.shape[1]} tokens: {error}"))
            return
        self._deliver(batch, states, mask)
        self.queue.measured(ids.size, time.perf_counter() - started)

    def _deliver(self, batch: list[Text], states: np.ndarray, mask: np.ndarray) -> None:
        vectors = pool(states, mask, self.files.pooling)
        prefix, suffix = self.tokenizer.prefix_tokens, self.tokenizer.suffix_tokens
        for row, text in enumerate(batch):
            job = text.job
            if job.closed:
                continue
            if job.reduce is None:
                job.results[text.index] = vectors[row]
            else:
                inner = unit(states[row, prefix : text.length - suffix])
                job.results[text.index] = job.reduce(inner, vectors[row])
            job.missing -= 1
            if not job.missing:
                job.close()

    def _batch(self, texts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Ids and mask, (B, L) int64, padded on the right."""
        longest = max(map(len, texts))
        # Few different shapes: an engine prepares for each one anew, which costs more than the padding.
        step = 16 if longest > 32 else 8
        padded = min(self.files.window_tokens, -(-longest // step) * step)
        ids = np.full((len(texts), max(longest, padded)), self.files.pad_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        return ids, mask


def empty(number: int, count: int) -> HostError:
    """The error for a text that holds nothing to read."""
    which = "the text" if count == 1 else f"text {number + 1} of {count} sent together"
    return HostError(errors.EMPTY_INPUT, f"{which} is empty")
