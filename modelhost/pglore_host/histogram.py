"""Durations in buckets of a logarithmic scale: cheap to add to, and good to about 2 % for any percentile.

Source of the idea: HdrHistogram. A duration belongs to bucket floor(16 log2(microseconds)).
"""

from itertools import accumulate
from math import log2

PER_OCTAVE = 16
OCTAVES = 32  # from 1 us to over an hour
BUCKETS = PER_OCTAVE * OCTAVES
WINDOW_S = 300  # percentiles are those of the last one to two windows


class Histogram:
    """Counts of durations since the start, and of those the recent ones. One thread adds; any may read `counts`."""

    __slots__ = ("_before", "_older", "_turn_s", "counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * BUCKETS
        self.sum_s = 0.0
        self._before = self._older = self.counts[:]  # the counts at the starts of this window and of the one before
        self._turn_s = 0.0

    def add(self, seconds: float, now_s: float) -> None:
        """Count a duration that ended now, by a clock that only goes forward."""
        if now_s >= self._turn_s:
            self._turn(now_s)
        place = int(log2(seconds * 1e6) * PER_OCTAVE) if seconds > 1e-6 else 0
        self.counts[place if place < BUCKETS else -1] += 1
        self.sum_s += seconds

    def _turn(self, now_s: float) -> None:
        """Begin a window; after a pause longer than one nothing before it is recent."""
        counts = self.counts[:]
        self._older = self._before if now_s < self._turn_s + WINDOW_S else counts
        self._before = counts
        self._turn_s = now_s + WINDOW_S

    def percentiles(self, shares: tuple[float, ...], now_s: float) -> list[float | None]:
        """Seconds that these shares (0 to 1) of the recent durations do not exceed; None where there is none.

        Called by the thread that adds.
        """
        if now_s >= self._turn_s:
            self._turn(now_s)
        sums = list(accumulate(new - old for new, old in zip(self.counts, self._older, strict=True)))
        return [_bucket(sums, share * sums[-1]) for share in shares]

    def cumulative(self, octaves: range) -> list[tuple[float, int]]:
        """How many durations since the start were at most 2^octave us, and how many there were in all.

        returns  (bound in seconds, count) of each octave, and (infinity, count)
        """
        sums = list(accumulate(self.counts))
        found = [(1e-6 * 2**octave, sums[octave * PER_OCTAVE - 1]) for octave in octaves]
        return [*found, (float("inf"), sums[-1])]


def _bucket(sums: list[int], rank: float) -> float | None:
    """The geometric middle of the bucket that holds a rank."""
    if not sums[-1]:
        return None
    place = next(place for place, total in enumerate(sums) if total and total >= rank)
    return 1e-6 * 2 ** ((place + 0.5) / PER_OCTAVE)
