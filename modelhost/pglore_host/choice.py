"""Choice: which passages make the answer, or that none does."""

import numpy as np

from . import lexical
from .evidence import Evidence
from .passages import Passage

ENOUGH = 0.6  # confidence; docs/explanation/extractive.md says how it was measured
SAME = 0.8  # share of words from which on two passages say the same


def unanswered(found: Evidence) -> str | None:
    """Why no passage answers the question, or None."""
    confidence = found.confidence
    if confidence >= ENOUGH:
        return None
    return f"no passage is close enough to the question: {confidence:.2f}, under {ENOUGH:.2f}"


def pick(found: list[Passage], worth: np.ndarray, sentences: int) -> list[int]:
    """The best passages, no two saying the same; in reading order where they are of one source, else best first."""
    picked: list[int] = []
    for index in np.argsort(-worth.round(5), kind="stable"):
        if len(picked) == sentences:
            break
        if not any(_same(found[index], found[other]) for other in picked):
            picked.append(int(index))
    if len({found[index].source for index in picked}) == 1:
        picked.sort(key=lambda index: found[index].start)
    return picked


def _same(a: Passage, b: Passage) -> bool:
    first, second = set(lexical.words(a.text)), set(lexical.words(b.text))
    return len(first & second) >= SAME * max(1, min(len(first), len(second))) and bool(first & second)
