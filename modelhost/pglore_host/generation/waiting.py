"""Who waits for a place: two lanes, interactive first; bounded, so that too much is told "busy" at once."""

import threading
from collections import deque

from .. import errors
from ..errors import HostError
from ..usage import Usage
from .sequence import Sequence

LANES = ("interactive", "bulk")
BULK_SHARE = 0.75  # of the rows that bulk work may take: a question finds a place


class Waiting:
    """Sequences that wait, and the numbers that lore.host_metrics shows. Called from any thread."""

    def __init__(self, limit: int) -> None:
        self.changed = threading.Condition()
        self._lanes: dict[str, deque[Sequence]] = {lane: deque() for lane in LANES}
        self._limit = limit
        self.running = 0  # sequences in rows
        self.running_bulk = 0
        self.stopped = False
        self.usage = Usage()

    @property
    def waiting(self) -> int:
        """Sequences without a row."""
        return sum(map(len, self._lanes.values()))

    @property
    def queued(self) -> dict[str, int]:
        """The same by lane."""
        return {lane: len(sequences) for lane, sequences in self._lanes.items()}

    def add(self, sequence: Sequence) -> None:
        """Put a sequence in; raises HostError LO302."""
        with self.changed:
            if self.stopped:
                raise HostError(errors.HOST_BUSY, "the model is being unloaded")
            lane = self._lanes[sequence.lane]
            if len(lane) >= self._limit:
                raise HostError(errors.HOST_BUSY, f"{len(lane):,} requests wait for the model, as many as it takes")
            lane.append(sequence)
            self.changed.notify()

    def back(self, sequence: Sequence) -> None:
        """A sequence lost its row: it is the first of its lane now."""
        with self.changed:
            self._lanes[sequence.lane].appendleft(sequence)

    def first(self, rows: int, bulk: int) -> Sequence | None:
        """Who comes next, while it may; it stays in. `bulk` of `rows` rows are bulk work's."""
        with self.changed:
            for lane in LANES:
                line = self._lanes[lane]
                while line and line[0].cancelled:
                    line.popleft()
                if line and (lane == "interactive" or bulk < max(1, int(BULK_SHARE * rows))):
                    return line[0]
        return None

    def remove(self, sequence: Sequence) -> bool:
        """Take a sequence out; False where it is not there."""
        with self.changed:
            try:
                self._lanes[sequence.lane].remove(sequence)
            except ValueError:
                return False
            return True

    def drain(self) -> list[Sequence]:
        """Take all out."""
        with self.changed:
            found = [sequence for line in self._lanes.values() for sequence in line]
            for line in self._lanes.values():
                line.clear()
            return found

    def wait(self) -> bool:
        """Wait until somebody is there; False once stopped."""
        with self.changed:
            while not self.stopped and not self.waiting:
                self.changed.wait()
            return not self.stopped

    def stop(self) -> None:
        """End the engine's thread when it next looks."""
        with self.changed:
            self.stopped = True
            self.changed.notify_all()
