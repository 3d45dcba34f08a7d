"""Work: texts cut into requests, so many at a time, queries before bulk; results put together again."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from .. import errors, metrics
from ..errors import HostError
from .slots import OutOfReach, Slots

Result = TypeVar("Result")
Ask = Callable[[Sequence[str], float], Awaitable[Result]]  # (texts, until by the monotonic clock) -> their results

LARGE_CALL_TEXTS = 64  # more than these in one call are bulk, whatever lane was asked for
CHARACTERS_A_TOKEN = 4
BATCH_CHARACTERS = 64_000  # of a request: about the 16,384 tokens that TEI takes at once


class Work:
    """The requests of one remote model; all methods run on the event loop."""

    def __init__(self, concurrency: int, waiting_texts: int, timeout_s: float) -> None:
        self._slots, self._limit, self._timeout_s = Slots(concurrency), waiting_texts, timeout_s
        self._answered_at = 0.0
        self.waiting = 0  # texts not yet sent
        self.running = 0  # texts sent and not yet answered

    async def run(
        self, texts: Sequence[str], ask: Ask[Result], *, batch_texts: int, lane: str, numbered: bool
    ) -> list[Result]:
        """Results of the requests that the texts take, in order; a cancel aborts those under way.

        numbered  whether an error tells which text it is about
        raises    HostError LO302 where too much waits, and what `ask` raises
        """
        if self.waiting and self.waiting + len(texts) > self._limit:
            raise HostError(errors.HOST_BUSY, f"{self.waiting:,} texts wait for its server already")
        lane = "bulk" if len(texts) > LARGE_CALL_TEXTS else lane
        total = len(texts) if numbered else 0
        unsent = len(texts)
        submitted_s, taken_s = time.perf_counter(), 0.0

        async def one(start: int, end: int) -> list[Result]:
            nonlocal unsent, taken_s
            await self._slots.take(lane)
            taken_s = taken_s or time.perf_counter()
            count = end - start
            unsent -= count
            self.waiting -= count
            self.running += count
            try:
                return await self._one(texts[start:end], ask, start, total)
            finally:
                self.running -= count
                self._slots.give()

        metrics.charge(guessed(texts))
        since = lambda: taken_s  # noqa: E731  # it is taken out again by what it is
        metrics.under_way(since)
        self.waiting += unsent
        try:
            spans = list(cut(texts, batch_texts))
            if len(spans) == 1:
                results = await one(*spans[0])
            else:
                results = [result for part in await _together([one(*span) for span in spans]) for result in part]
        finally:
            self.waiting -= unsent
            metrics.ended(since)
        metrics.ran(lane, submitted_s, taken_s or submitted_s, 0, min(batch_texts, len(texts)))
        return results

    @asynccontextmanager
    async def slot(self, lane: str) -> AsyncIterator[None]:
        """A place among the requests under way, for one that the caller makes; raises HostError LO302.

        A query waits for it as long as a request may take, bulk work as long as it must.
        """
        if self.waiting and self.waiting >= self._limit:
            raise HostError(errors.HOST_BUSY, f"{self.waiting:,} requests wait for its server already")
        self.waiting += 1
        try:
            async with asyncio.timeout(None if lane == "bulk" else self._timeout_s):
                await self._slots.take(lane)
        except TimeoutError:
            why = f"the requests before it have kept its server busy for {self._timeout_s:g} s"
            raise HostError(errors.HOST_BUSY, why) from None
        finally:
            self.waiting -= 1
        self.running += 1
        began = time.monotonic()
        try:
            yield
        except OutOfReach as error:
            if self._answered_at < began:
                self._slots.fail(error)
            raise
        else:
            self._answered_at = time.monotonic()
        finally:
            self.running -= 1
            self._slots.give()

    async def _one(self, batch: Sequence[str], ask: Ask[Result], start: int, total: int) -> list[Result]:
        """One request, or its halves where the server finds it too long; they share its time."""
        began = time.monotonic()
        try:
            results = await self._halved(batch, ask, began + self._timeout_s, start, total)
        except OutOfReach as error:
            if self._answered_at < began:
                self._slots.fail(error)
            raise
        except HostError:
            self._answered_at = time.monotonic()
            raise
        self._answered_at = time.monotonic()
        return results

    async def _halved(
        self, batch: Sequence[str], ask: Ask[Result], until: float, start: int, total: int
    ) -> list[Result]:
        try:
            return [await ask(batch, until)]
        except HostError as error:
            if error.code != errors.INPUT_TOO_LONG:
                raise
            if len(batch) == 1:
                which = f"text {start + 1} of {total} sent together: " if total > 1 else ""
                raise HostError(error.code, which + error.message, error.hint) from None
        middle = len(batch) // 2
        return [
            *await self._halved(batch[:middle], ask, until, start, total),
            *await self._halved(batch[middle:], ask, until, start + middle, total),
        ]


async def _together(parts: Sequence[Awaitable[Result]]) -> list[Result]:
    """The results of all; the first error, or a cancel, ends the others before it is raised."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def guessed(texts: Sequence[str]) -> int:
    """Tokens of texts whose tokenizer is elsewhere: four characters each, as English has it."""
    return sum(1 + len(text) // CHARACTERS_A_TOKEN for text in texts)


def cut(texts: Sequence[str], batch_texts: int) -> Iterator[tuple[int, int]]:
    """Start and end of each request: at most so many texts, and BATCH_CHARACTERS unless one alone is longer."""
    start, characters = 0, 0
    for place, text in enumerate(texts):
        if place > start and (place - start == batch_texts or characters + len(text) > BATCH_CHARACTERS):
            yield start, place
            start, characters = place, 0
        characters += len(text)
    if texts:
        yield start, len(texts)
