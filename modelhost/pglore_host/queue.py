"""The queue of one model: texts from all connections, taken in batches by one engine thread.

Two lanes: interactive work goes first, and bulk batches are kept so short that it never waits long. There is no timer:
the engine takes what is there whenever it is free. A batch holds texts of about the same length.
"""

import asyncio
import threading
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from . import errors
from .errors import HostError

LANES = ("interactive", "bulk")
WAITING_TEXTS = 1 << 17  # in a lane; over these two the queue answers "busy"
WAITING_TOKENS = 16 << 20
LARGE_JOB_TEXTS = 64  # more than these in one job are bulk, whatever lane was asked for
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
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future
    reduce: Reduce | None = None
    types: Sequence[np.ndarray] | None = None  # token types of the texts of a cross-encoder, whose results are scores
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


@dataclass(eq=False, slots=True)
class Text:
    """One text of a job while it waits."""

    length: int
    job: Job
    index: int
    taken: bool = False

    @property
    def ids(self) -> np.ndarray:
        """(length,) token ids with special tokens."""
        return self.job.texts[self.index]


class Lane:
    """Waiting texts, to be had by length and by age."""

    def __init__(self) -> None:
        self._sorted: list[tuple[int, int, Text]] = []  # (length, number in order of arrival, text)
        self._arrived: deque[tuple[int, int, Text]] = deque()
        self._number = 0
        self.tokens = 0

    def __len__(self) -> int:
        return len(self._sorted)

    def add(self, text: Text) -> None:
        """Put a text in."""
        self._number += 1
        entry = (text.length, self._number, text)
        insort(self._sorted, entry)
        self._arrived.append(entry)
        self.tokens += text.length

    def purge(self) -> None:
        """Take the texts of closed jobs out."""
        self._sorted = [entry for entry in self._sorted if not entry[2].job.closed]
        self._arrived = deque(entry for entry in self._arrived if not entry[2].taken and not entry[2].job.closed)
        self.tokens = sum(length for length, _, _ in self._sorted)

    def cut(self, budget: int) -> list[Text]:
        """Take the oldest text and its neighbours in length out, up to a budget of padded tokens."""
        while self._arrived[0][2].taken:
            self._arrived.popleft()
        line = self._sorted
        low = bisect_left(line, self._arrived[0])
        high = low + 1
        while True:
            below = line[high - 1][0] - line[low - 1][0] if low else None
            above = line[high][0] - line[high - 1][0] if high < len(line) else None
            if below is None and above is None:
                break
            down = above is None or (below is not None and below <= above)
            longest = line[high - 1][0] if down else line[high][0]
            if (high - low + 1) * longest > budget:
                break
            low, high = (low - 1, high) if down else (low, high + 1)
        batch = [text for _, _, text in line[low:high]]
        del line[low:high]
        for text in batch:
            text.taken = True
        self.tokens -= sum(text.length for text in batch)
        return batch


class Queue:
    """A bounded queue with two lanes; run is called on the event loop, take by the engine's thread."""

    def __init__(self, waiting_texts: int = WAITING_TEXTS) -> None:
        self._changed = threading.Condition()
        self._lanes = {lane: Lane() for lane in LANES}
        self._limit = waiting_texts
        self._streak = 0
        self._stopped = False
        self.running = 0  # texts in the engine
        self.tokens_per_s = 0.0

    @property
    def waiting(self) -> int:
        """Texts not yet taken."""
        return sum(map(len, self._lanes.values()))

    async def run(
        self,
        texts: Sequence[np.ndarray],
        lane: str,
        reduce: Reduce | None = None,
        types: Sequence[np.ndarray] | None = None,
    ) -> list:
        """Results of texts (token ids with special tokens), in their order.

        raises  HostError LO302 when the lane is full, and what the engine raises
        """
        if not texts:
            return []
        if len(texts) > LARGE_JOB_TEXTS:
            lane = "bulk"
        loop = asyncio.get_running_loop()
        job = Job(texts, loop, loop.create_future(), reduce, types, [None] * len(texts), len(texts))
        self._submit(job, self._lanes[lane])
        try:
            return await job.done
        except asyncio.CancelledError:
            with self._changed:
                job.closed = True
                self._lanes[lane].purge()
            raise

    def _submit(self, job: Job, lane: Lane) -> None:
        tokens = sum(map(len, job.texts))
        with self._changed:
            # What is over the limits by itself is taken by an empty lane: it may be told "busy", but not for ever.
            if len(lane) and (len(lane) + len(job.texts) > self._limit or lane.tokens + tokens > WAITING_TOKENS):
                raise HostError(errors.HOST_BUSY, f"the model has {len(lane)} texts waiting, as many as it takes")
            for index, ids in enumerate(job.texts):
                lane.add(Text(len(ids), job, index))
            self._changed.notify()

    def stop(self) -> None:
        """End the engine's thread when it next asks for work."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def take(self) -> list[Text] | None:
        """The next batch, at most about BATCH_S of work; waits for one. None after stop()."""
        interactive, bulk = self._lanes["interactive"], self._lanes["bulk"]
        with self._changed:
            self.running = 0
            while not self._stopped and not len(interactive) and not len(bulk):
                self._changed.wait()
            if self._stopped:
                return None
            first = len(interactive) and not (len(bulk) and self._streak >= STREAK)
            self._streak = self._streak + 1 if first else 0
            batch = (interactive if first else bulk).cut(self.budget)
            self.running = len(batch)
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
