"""Slots: how many requests a remote server gets at a time, queries before bulk work."""

import asyncio
from collections import deque

from ..errors import HostError
from ..queue import LANES

STREAK = 8  # queries in a row before waiting bulk work gets a slot


class OutOfReach(HostError):
    """LO301 because the server did not answer: whoever waits for it need not wait longer."""


class Slots:
    """A counted lock with two lanes; all methods run on the event loop."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: dict[str, deque[asyncio.Future]] = {lane: deque() for lane in LANES}
        self._streak = 0

    async def take(self, lane: str) -> None:
        """Wait for a slot, in order of arrival within a lane; raises what `fail` was given."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and not turn.exception():
                self.give()  # the turn came in the moment of the cancel
            raise

    def give(self) -> None:
        """Hand a slot to the next that waits: bulk work gets one after STREAK queries in a row."""
        interactive, bulk = (self._waiting[lane] for lane in LANES)
        while interactive or bulk:
            first = interactive if interactive and (self._streak < STREAK or not bulk) else bulk
            self._streak = self._streak + 1 if first is interactive and bulk else 0
            turn = first.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def fail(self, error: OutOfReach) -> None:
        """End all that wait: each would wait only to learn the same."""
        for lane in self._waiting.values():
            while lane:
                turn = lane.popleft()
                if not turn.done():
                    turn.set_exception(OutOfReach(error.code, error.message, error.hint))
