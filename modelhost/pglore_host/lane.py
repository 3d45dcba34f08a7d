"""A lane of the queue: waiting texts, to be had by length and by age."""

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .queue import Job, Text

WASTE = 0.25  # share of a batch that may be padding ...
STEP = 8  # measured: 7 to 9 % faster than 16; 4 gains nothing, since each new shape costs time
FREE = 0.1  # ... once the batch is over this share of the budget: small runs cost about the same whatever they hold


def padded_length(length: int) -> int:
    """Tokens that a text of this length takes in a batch. Few shapes: an engine prepares for each one anew."""
    return -(-length // STEP) * STEP


class Lane:
    """Texts by padded length, and jobs by age; every step costs the same however many wait."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[Job, None] = OrderedDict()  # with texts waiting, oldest first
        self._buckets: dict[int, OrderedDict[Text, None]] = {}  # padded length -> texts, oldest first
        self._lengths: list[int] = []  # keys of the buckets, sorted
        self._count = 0
        self.tokens = 0  # padded

    def __len__(self) -> int:
        return self._count

    @property
    def oldest(self) -> "Job":
        """The job that has waited longest; there must be one."""
        return next(iter(self._jobs))

    def add(self, job: "Job", texts: Sequence["Text"]) -> None:
        """Put the texts of a new job in."""
        self._jobs[job] = None
        for text in texts:
            length = padded_length(text.length)
            bucket = self._buckets.get(length)
            if bucket is None:
                bucket = self._buckets[length] = OrderedDict()
                insort(self._lengths, length)
            bucket[text] = None
            job.waiting[text.index] = text
            self.tokens += length
        self._count += len(texts)

    def drop(self, job: "Job") -> None:
        """Take what is left of a job out."""
        for text in list(job.waiting.values()):
            self._remove(text)

    def _remove(self, text: "Text") -> None:
        length, job = padded_length(text.length), text.job
        bucket = self._buckets[length]
        del bucket[text]
        if not bucket:
            del self._buckets[length]
            del self._lengths[bisect_left(self._lengths, length)]
        del job.waiting[text.index]
        if not job.waiting:
            del self._jobs[job]
        self._count -= 1
        self.tokens -= length

    def cut(self, budget: int) -> list["Text"]:
        """Take a text of the oldest job and its neighbours in length out, up to a budget of padded tokens."""
        oldest = next(iter(self.oldest.waiting.values()))
        shortest = longest = tokens = padded_length(oldest.length)
        self._remove(oldest)
        batch, lengths = [oldest], list(self._lengths)
        below = bisect_right(lengths, longest) - 1  # what is left of the first text's own bucket comes first
        above = below + 1
        while below >= 0 or above < len(lengths):
            down = above == len(lengths) or (below >= 0 and shortest - lengths[below] <= lengths[above] - longest)
            length = lengths[below if down else above]
            bucket, top = self._buckets[length], max(longest, length)
            while bucket and _fits(len(batch) + 1, top, tokens + length, budget):
                text = next(iter(bucket))
                self._remove(text)
                batch.append(text)
                tokens += length
                shortest, longest = min(shortest, length), top
            if down:
                below = -1 if bucket else below - 1
            else:
                above = len(lengths) if bucket else above + 1
        return batch


def _fits(texts: int, longest: int, tokens: int, budget: int) -> bool:
    """Whether a batch of texts that hold so many tokens is within the budget, and not mostly padding."""
    total = texts * longest
    return total <= budget and (total <= FREE * budget or total - tokens <= WASTE * total)
