"""The engine's thread: takes batches from a model's queue, runs them, and hands each result to its request.

Letters: B texts, L tokens after padding, D model width, H width of the pooled vector.
"""

import os
import threading
import time
from collections.abc import Sequence

import numpy as np

from . import errors, log
from .dense import activate
from .engines import Engine
from .errors import HostError
from .files import ModelFiles
from .lane import padded_length
from .pooling import head, unit
from .queue import Queue, Text
from .tokenizer import ModelTokenizer


class Driver:
    """Runs one engine until the queue is stopped, then unloads it."""

    def __init__(self, queue: Queue, engine: Engine, files: ModelFiles, tokenizer: ModelTokenizer) -> None:
        self._queue, self._engine, self._files, self._tokenizer = queue, engine, files, tokenizer
        self._thread = threading.Thread(target=self._drive, daemon=True, name="engine")

    def warm_up(self) -> None:
        """One small run before anybody waits; raises HostError LO204 when its result is not finite."""
        ids, mask, _ = self.padded([self._tokenizer.windows(self._tokenizer.encode(["warm up"])[0])[0]])
        if not np.isfinite(self._engine.run(ids, mask, pooled=True)).all():
            raise HostError(
                errors.MODEL_NOT_LOADED,
                "what it computes is not finite: its weights are damaged, or too large for this number format",
                'Give it the option "dtype": "float32", or "bfloat16" on a GPU.',
            )

    def start(self) -> None:
        """Begin to take batches."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its batch and give the engine's memory back; blocks until that is done."""
        self._queue.stop()
        self._thread.join()

    def _drive(self) -> None:
        while (batch := self._queue.take()) is not None:
            self._try(batch)
        self._engine.unload()

    def _try(self, batch: list[Text]) -> None:
        """Run a batch; whatever goes wrong ends up with its requests, not with who called."""
        try:
            self._run([text for text in batch if not text.job.closed])
        except Exception as error:
            log.fault("batch failed", error)
            for text in batch:
                text.job.close(HostError(errors.INTERNAL_ERROR, "the model host failed on a batch"))

    def alone(self, ids: np.ndarray) -> tuple[np.ndarray, int, int]:
        """One short text, run by the calling thread, which has claimed the engine from the queue.

        ids      (L,) content ids
        returns  (H,) pooled vector of length 1, tokens without and with padding
        """
        window = self._tokenizer.windows(ids)[0]
        padded, mask, _ = self.padded([window])
        return unit(self._engine.run(padded, mask, None, True))[0], len(window), padded.size

    def _run(self, batch: list[Text]) -> None:
        """Run a batch; one that fails is halved, so that only the text that cannot be run fails."""
        if not batch:
            return
        started = time.perf_counter()
        for text in batch:
            text.job.taken(started, len(batch))
        ids, mask, types = self.padded([text.ids for text in batch], [text.types for text in batch])
        pooled = all(text.job.reduce is None for text in batch)
        try:
            found = self._engine.run(ids, mask, types, pooled)
        except Exception as error:
            if isinstance(error, MemoryError):
                self._queue.shrink(ids.size)
            if len(batch) > 1:
                self._run(batch[: len(batch) // 2])
                self._run(batch[len(batch) // 2 :])
                return
            log.fault("text failed", error, tokens=ids.shape[1])
            if ill := self._engine.health():
                log.write("engine failed", reason=ill)
                os._exit(1)  # an error that stays on a GPU, say: the next worker begins afresh, and callers ask again
            code = errors.OUT_OF_MEMORY if isinstance(error, MemoryError) else errors.INTERNAL_ERROR
            batch[0].job.close(HostError(code, f"the model failed on a text of {ids.shape[1]} tokens: {error}"))
            return
        # First: who has an answer finds it counted.
        self._queue.usage.add(len(batch), sum(text.length for text in batch), ids.size, started, time.perf_counter())
        self._deliver(batch, found, mask, pooled)
        self._queue.measured(ids.size, time.perf_counter() - started)

    def _deliver(self, batch: list[Text], found: np.ndarray, mask: np.ndarray, pooled: bool) -> None:
        """Hand out what the engine gave: token states (B, L, D), pooled vectors (B, H), or logits (B, 1)."""
        if self._files.task == "rerank":
            results = activate(self._files.activation, found[:, 0]).tolist()
        elif pooled:
            results = unit(found)
        else:
            results = unit(head(found, mask, self._files.pooling, self._files.steps))
        prefix, suffix = self._tokenizer.prefix_tokens, self._tokenizer.suffix_tokens
        for row, text in enumerate(batch):
            job = text.job
            if job.closed:
                continue
            if job.reduce is None:
                job.results[text.index] = results[row]
            else:
                inner = unit(found[row, prefix : text.length - suffix])
                job.results[text.index] = job.reduce(inner, results[row])
            job.missing -= 1
            if not job.missing:
                job.close()

    def padded(
        self, texts: Sequence[np.ndarray], types: Sequence[np.ndarray | None] = ()
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Ids, mask and types, (B, L) int64, padded on the right; types None where there are none."""
        longest = max(map(len, texts))
        length = max(longest, min(self._files.window_tokens, padded_length(longest)))
        ids = np.full((len(texts), length), self._files.pad_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        kinds = None if all(kind is None for kind in types) else np.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
            if kinds is not None and types[row] is not None:
                kinds[row, : len(text)] = types[row]
        return ids, mask, kinds
