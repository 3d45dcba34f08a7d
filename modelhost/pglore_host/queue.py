"""The queue of one model: texts from all connections, taken in batches by one engine thread.

Two lanes: interactive work goes first, and bulk batches are kept so short that it never waits long. There is no timer:
the engine takes what is there whenever it is free. A batch holds texts of about the same length.
"""

import asyncio
import threading
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from . import errors
from .errors import HostError

LANES = ("interactive", "bulk")
WAITING_TEXTS = 1 << 16  # over these two the queue answers "busy"
WAITING_TOKENS = 4 << 20
BATCH_S = 0.05  # seconds of work in a batch, by the measured speed
MAX_BATCH_TOKENS = 16384  # padded
FIRST_BATCH_TOKENS = 1024  # before anything is measured
STREAK = 8  # interactive batches in a row before waiting bulk work gets one


# (token states (L, D) of unit rows without special tokens, pooled unit vector (D,)) -> result of a text
Reduce = Callable[[np.ndarray, np.ndarray], object]


@dataclass(eq=False, slots=True)
class Job:
    """The texts of one request, and where their results go; without `reduce` a result is the pooled unit vector."""

    texts: Sequence[np.ndarray]
    lane: str
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future
    reduce: Reduce | None = None
    results: list = field(default_factory=list)
    missing: int = 0
    closed: bool = False  # cancelled, failed or finished: what is left of it is dropped

    def close(self, error: BaseException | None = None) -> None:
        """Wake the waiter with the results, or with an error; callable from any thread, once."""
        self.closed = True
        self.loop.call_soon_threadsafe(self._wake, error)

    def _wake(self, error: BaseException | None) -> None:
        if self.done.done():
            return
        if error:
            self.done.set_exception(error)
        else:
            self.done.set_result(self.results)


@dataclass(order=True, slots=True)
class Text:
    """One text of a job while it waits: sorted by length, then by age."""

    length: int
    number: int
    job: Job = field(compare=False)
    index: int = field(compare=False)

    @property
    def ids(self) -> np.ndarray:
        """(length,) token ids with special tokens."""
        return self.job.texts[self.index]


class Queue:
    """A bounded queue with two lanes; submit from the event loop, take from the engine's thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lanes: dict[str, list[Text]] = {lane: [] for lane in LANES}
        self._tokens = 0
        self._number = 0
        self._streak = 0
        self._stopped = False
        self.running = 0  # texts in the engine
        self.tokens_per_s = 0.0

    @property
    def waiting(self) -> int:
        """Texts not yet taken."""
        return sum(map(len, self._lanes.values()))

    async def run(self, texts: Sequence[np.ndarray], lane: str, reduce: Reduce | None = None) -> list:
        """Results of texts (token ids with special tokens), in their order.

        raises  HostError LO302 when the queue is full, and what the engine raises
        """
        if not texts:
            return []
        loop = asyncio.get_running_loop()
        job = Job(texts, lane, loop, loop.create_future(), reduce, [None] * len(texts), len(texts))
        self._submit(job)
        try:
            return await job.done
        except asyncio.CancelledError:
            self._drop(job)
            raise

    def _submit(self, job: Job) -> None:
        tokens = sum(map(len, job.texts))
        with self._changed:
            waiting = self.waiting
            # Whatever fits the limits alone is taken by an empty queue: it can be refused as busy, but not for ever.
            if waiting and (waiting + len(job.texts) > WAITING_TEXTS or self._tokens + tokens > WAITING_TOKENS):
                raise HostError(errors.HOST_BUSY, f"the model host has {waiting} texts waiting, as many as it takes")
            for index, ids in enumerate(job.texts):
                self._number += 1
                insort(self._lanes[job.lane], Text(len(ids), self._number, job, index))
            self._tokens += tokens
            self._changed.notify()

    def _drop(self, job: Job) -> None:
        """Take what is left of a cancelled job out at once."""
        with self._changed:
            job.closed = True
            self._lanes[job.lane] = [text for text in self._lanes[job.lane] if not text.job.closed]
            self._count()

    def _count(self) -> None:
        self._tokens = sum(text.length for lane in self._lanes.values() for text in lane)

    def stop(self) -> None:
        """End the engine's thread when it next asks for work."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def take(self) -> list[Text] | None:
        """The next batch, at most about BATCH_S of work; waits for one. None after stop()."""
        with self._changed:
            self.running = 0
            while not self._stopped and not any(self._lanes.values()):
                self._changed.wait()
            if self._stopped:
                return None
            interactive, bulk = self._lanes["interactive"], self._lanes["bulk"]
            first = bool(interactive) and not (bulk and self._streak >= STREAK)
            self._streak = self._streak + 1 if first else 0
            batch = self._cut(interactive if first else bulk)
            self.running = len(batch)
            return batch

    def _cut(self, lane: list[Text]) -> list[Text]:
        """Cut the oldest text and its neighbours in length out of a lane, up to the budget of padded tokens."""
        oldest = min(lane, key=lambda text: text.number)
        low = bisect_left(lane, oldest)
        high = low + 1
        budget = self.budget
        while True:
            below = lane[high - 1].length - lane[low - 1].length if low else None
            above = lane[high].length - lane[high - 1].length if high < len(lane) else None
            if below is None and above is None:
                break
            down = above is None or (below is not None and below <= above)
            longest = lane[high - 1].length if down else lane[high].length
            if (high - low + 1) * longest > budget:
                break
            low, high = (low - 1, high) if down else (low, high + 1)
        batch = lane[low:high]
        del lane[low:high]
        self._tokens -= sum(text.length for text in batch)
        return batch

    @property
    def budget(self) -> int:
        """Padded tokens of a batch: BATCH_S at the speed seen lately."""
        if not self.tokens_per_s:
            return FIRST_BATCH_TOKENS
        return max(64, min(MAX_BATCH_TOKENS, int(self.tokens_per_s * BATCH_S)))

    def measured(self, tokens: int, seconds: float) -> None:
        """Note the speed of a batch; small ones say little about it."""
        if seconds > 0 and tokens * 2 >= self.budget:
            speed = tokens / seconds
            self.tokens_per_s = speed if not self.tokens_per_s else 0.9 * self.tokens_per_s + 0.1 * speed


def seconds() -> float:
    """A clock for durations."""
    return time.perf_counter()
