"""The queue of one model: texts from all connections, taken in batches by one engine thread.

Two lanes: interactive work goes first, and bulk batches are kept so short that it never waits long. There is no timer:
the engine takes what is there whenever it is free. A batch holds texts of about the same length. Putting a text in,
taking it and dropping it cost the same however many wait.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from . import errors, metrics
from .errors import HostError
from .lane import Lane, padded_length
from .usage import Usage

LANES = ("interactive", "bulk")
WAITING_TEXTS = 1 << 17  # in a lane; over these two the queue answers "busy"
WAITING_TOKENS = 16 << 20
MAX_WAIT_MS = 10_000  # of interactive work: what would wait longer is told "busy" at once
LARGE_JOB_TEXTS = 64  # more than these in one job are bulk, whatever lane was asked for
BATCH_S = 0.06  # seconds of work in a batch, by the measured speed
MAX_BATCH_TOKENS = 1 << 16  # padded; a fast engine gets less than BATCH_S of work
MIN_BATCH_TOKENS = 64
FIRST_BATCH_TOKENS = 1024  # before anything is measured
SHRUNK_S = 60.0  # how long a smaller bound on batches holds after the memory was not enough, before it doubles
QUICK_TOKENS = 64  # padded; a text up to here that is alone runs on the event loop ...
QUICK_S = 0.008  # ... if it holds that up for less than this
BULK_SHARE = 0.08  # engine time of interactive batches after a bulk one, as share of its own, before the next may come

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
    waiting: dict[int, "Text"] = field(default_factory=dict)  # texts not yet taken, by index
    submitted_s: float = field(default_factory=lambda: time.perf_counter())  # looked up late, for the tests
    taken_s: float = 0.0  # when the engine took the first text, in a batch of so many
    batch_texts: int = 0
    ended_s: float = 0.0  # when the engine was done with the last

    def taken(self, now_s: float, batch_texts: int) -> None:
        """Note that the engine has taken a text."""
        if not self.taken_s:
            self.taken_s, self.batch_texts = now_s, batch_texts

    def close(self, error: BaseException | None = None) -> None:
        """Wake the waiter with the results, or with an error; callable from any thread, once."""
        self.closed, self.ended_s = True, time.perf_counter()
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

    @property
    def ids(self) -> np.ndarray:
        """(length,) token ids with special tokens."""
        return self.job.texts[self.index]

    @property
    def types(self) -> np.ndarray | None:
        """(length,) token types, of a pair of texts."""
        return self.job.types[self.index] if self.job.types else None


class Turn:
    """Whose turn it is: interactive work goes first, but bulk work keeps most of the time that it could have alone.

    No text waits behind more than one bulk batch: those that were there when the last one ended go before the next.
    """

    def __init__(self) -> None:
        self._name, self._since_s = "", 0.0  # the lane whose batch runs
        self._bulk_s = self._bulk_ended_s = 0.0  # how long the last bulk batch ran, and until when
        self._interactive_s = 0.0  # engine time of interactive batches since then

    def taken(self, name: str, now_s: float) -> None:
        """A batch of a lane begins."""
        self._name, self._since_s = name, now_s

    def ended(self, now_s: float) -> None:
        """The batch has ended."""
        if self._name == "bulk":
            self._bulk_s, self._bulk_ended_s, self._interactive_s = now_s - self._since_s, now_s, 0.0
        elif self._name:
            self._interactive_s += now_s - self._since_s
        self._name = ""

    def next(self, interactive: Lane, bulk: Lane) -> str:
        """The lane of the next batch; one of the two holds texts."""
        if not len(interactive):
            return "bulk"
        due = self._interactive_s > BULK_SHARE * self._bulk_s and interactive.oldest.submitted_s > self._bulk_ended_s
        return "bulk" if len(bulk) and due else "interactive"


class Queue:
    """A bounded queue with two lanes; run is called on the event loop, take by the engine's thread."""

    def __init__(self, waiting_texts: int = WAITING_TEXTS, max_wait_ms: int = MAX_WAIT_MS) -> None:
        self._changed = threading.Condition()
        self._lanes: dict[str, Lane] = {lane: Lane() for lane in LANES}
        self._limit = waiting_texts
        self._max_wait_s = max_wait_ms / 1000
        self._turn = Turn()
        self._stopped = False
        self._claimed = False
        self._lately_tokens = self._lately_s = 0.0  # of all batches, the older the less
        self._quick_s = 0.0  # what a short text takes, lately
        self._ceiling = MAX_BATCH_TOKENS
        self._ceiling_until = 0.0
        self.running = 0  # texts in the engine
        self.tokens_per_s = 0.0
        self.usage = Usage()

    @property
    def waiting(self) -> int:
        """Texts not yet taken."""
        return sum(map(len, self._lanes.values()))

    @property
    def queued(self) -> dict[str, int]:
        """Texts not yet taken, by lane."""
        return {name: len(lane) for name, lane in self._lanes.items()}

    def admit(self, texts: int, lane: str) -> None:
        """Turn a request away at once, before its tokens are counted; raises HostError LO302."""
        self._admit(self._lanes[self._lane(texts, lane)], texts, 0)

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
        lane = self._lane(len(texts), lane)
        chosen = self._lanes[lane]
        loop = asyncio.get_running_loop()
        job = Job(texts, loop, loop.create_future(), reduce, types, [None] * len(texts), len(texts))
        waiting = [Text(len(ids), job, index) for index, ids in enumerate(texts)]
        tokens = sum(map(len, texts))
        metrics.charge(tokens)
        try:
            with self._changed:
                self._admit(chosen, len(texts), sum(padded_length(text.length) for text in waiting))
                chosen.add(job, waiting)
                self._changed.notify()
        except HostError:
            metrics.settle(read=-tokens)
            raise
        since = partial(getattr, job, "taken_s")
        metrics.under_way(since)
        try:
            results = await job.done
        except asyncio.CancelledError:
            with self._changed:
                job.closed = True
                chosen.drop(job)
            if job.taken_s:
                metrics.ran(lane, job.submitted_s, job.taken_s, tokens, job.batch_texts)
            else:
                metrics.settle(read=-tokens)
            raise
        finally:
            metrics.ended(since)
        metrics.ran(lane, job.submitted_s, job.taken_s, tokens, job.batch_texts, job.ended_s)
        return results

    def _lane(self, texts: int, lane: str) -> str:
        return "bulk" if texts > LARGE_JOB_TEXTS else lane

    def _admit(self, lane: Lane, texts: int, tokens: int) -> None:
        # What is over the limits by itself is taken by an empty lane: it may be told "busy", but not for ever.
        if not len(lane):
            return
        wait_s = lane.tokens * self._lately_s / self._lately_tokens if self._lately_tokens else 0.0
        if len(lane) + texts > self._limit or lane.tokens + tokens > WAITING_TOKENS:
            why = "as many as it takes"
        # Bulk work may wait as long as it takes: its bound is that of the texts.
        elif lane is self._lanes["interactive"] and wait_s > self._max_wait_s:
            why = f"about {wait_s:.2g} s of work"
        else:
            return
        hint = f"Try again in about {min(60, max(0.1, round(wait_s, 1))):g} s."
        raise HostError(errors.HOST_BUSY, f"the model has {len(lane)} texts waiting, {why}", hint)

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
            self._turn.ended(time.perf_counter())
            while self._claimed or not (self._stopped or len(interactive) or len(bulk)):
                self._changed.wait()
            if self._stopped:
                return None
            name = self._turn.next(interactive, bulk)
            batch = self._lanes[name].cut(self.budget)
            self._turn.taken(name, time.perf_counter())
            self.running = len(batch)
            return batch

    @property
    def quick(self) -> bool:
        """Whether the engine is idle, and so fast that a short text may run on the event loop (see quick.py)."""
        return 0 < self._quick_s < QUICK_S and not self.running and not self.waiting

    def claim(self) -> bool:
        """Take the idle engine for a run outside of its thread, which waits until release(); False if there is work."""
        with self._changed:
            if self.running or self._claimed or self._stopped or self.waiting:
                return False
            self._claimed, self.running = True, 1
            return True

    def release(self) -> None:
        """Give the engine back to its thread."""
        with self._changed:
            self._claimed, self.running = False, 0
            if self._stopped or self.waiting:
                self._changed.notify()

    @property
    def budget(self) -> int:
        """Padded tokens of a batch: BATCH_S at the speed seen lately, less after the memory was not enough."""
        if self._ceiling < MAX_BATCH_TOKENS and time.monotonic() > self._ceiling_until:
            self._ceiling, self._ceiling_until = 2 * self._ceiling, time.monotonic() + SHRUNK_S
        wanted = int(self.tokens_per_s * BATCH_S) if self.tokens_per_s else FIRST_BATCH_TOKENS
        return max(MIN_BATCH_TOKENS, min(self._ceiling, wanted))

    def shrink(self, tokens: int) -> None:
        """So many padded tokens were more than the memory holds: batches stay under half of it for a while."""
        self._ceiling = max(MIN_BATCH_TOKENS, min(self._ceiling, tokens // 2))
        self._ceiling_until = time.monotonic() + SHRUNK_S

    def measured(self, tokens: int, seconds: float) -> None:
        """Note the speed of a batch; small ones say little about it, but how long a short text takes."""
        self._lately_tokens, self._lately_s = 0.9 * self._lately_tokens + tokens, 0.9 * self._lately_s + seconds
        if tokens <= QUICK_TOKENS:
            self._quick_s = min(seconds, 0.5 * (self._quick_s + seconds)) if self._quick_s else seconds
        if seconds > 0 and tokens * 2 >= self.budget:
            speed = tokens / seconds
            self.tokens_per_s = speed if not self.tokens_per_s else 0.9 * self.tokens_per_s + 0.1 * speed
