"""Ranking metrics over binary judgements.

A ranking is a sequence of document keys, best first; `relevant` is the set of right keys.
Source: Jarvelin and Kekalainen 2002, "Cumulated gain-based evaluation of IR techniques" (nDCG, log2 discount).
"""

import math
from collections.abc import Collection, Iterable, Sequence


def ndcg(ranking: Sequence[str], relevant: Collection[str], k: int = 10) -> float:
    """Discounted gain of the first k keys over that of a perfect ranking; 0 without relevant keys."""
    ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(relevant))))
    gained = sum(1 / math.log2(place + 2) for place, key in enumerate(ranking[:k]) if key in relevant)
    return gained / ideal if ideal else 0.0


def recall(ranking: Sequence[str], relevant: Collection[str], k: int = 10) -> float:
    """Share of the relevant keys among the first k; 0 without relevant keys."""
    return len(set(ranking[:k]) & set(relevant)) / len(relevant) if relevant else 0.0


def hit(ranking: Sequence[str], relevant: Collection[str], k: int) -> float:
    """1 if a relevant key is among the first k, else 0."""
    return float(any(key in relevant for key in ranking[:k]))


def distinct(keys: Iterable[str]) -> list[str]:
    """Each key once, where it first occurs: the ranking of documents behind a ranking of chunks."""
    return list(dict.fromkeys(keys))


def mean(values: Collection[float]) -> float:
    """Arithmetic mean; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def percentile(values: Iterable[float], q: float) -> float:
    """The q-th percentile (0 to 100), interpolated linearly; NaN of nothing."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    place = (len(ordered) - 1) * q / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
