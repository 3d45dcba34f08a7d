"""Evidence: how well each passage answers a question.

Letters: P passages, Q tokens of the question, L tokens of a text, D model width.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from . import lexical
from .expectation import expected, meets
from .passages import Passage
from .readability import faults

SHORTLIST = 60  # passages that the embedder reads

# The few constants of the choice; the document docs/explanation/extractive.md says how they were measured.
CONTEXT = 0.9  # worth of a match in the sentence before, against one in the passage
COVERAGE = 0.1
EXPECTED = 0.06
FIRST_SOURCE = 0.03


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for each passage, each (P,).

    worth     by which they are ranked
    late      how well the question's tokens are matched, up to 1
    coverage  the share of the question's words that are there, up to 1
    cosine    of the question's vector and the passage's
    """

    worth: np.ndarray
    late: np.ndarray
    coverage: np.ndarray
    cosine: np.ndarray

    @property
    def confidence(self) -> float:
        """How sure it is that some passage answers; what is no answer stays under choice.ENOUGH."""
        return float(self.late.max() + 0.1 * self.coverage.max() + 0.2 * self.cosine.max())


def shortlist(question: str, found: list[Passage]) -> list[Passage]:
    """At most SHORTLIST passages, in their order: those that share most with the question, early sources first."""
    if len(found) <= SHORTLIST:
        return found
    overlap = lexical.coverage(question, [f"{passage.context} {passage.text}" for passage in found])
    rank = sorted(range(len(found)), key=lambda i: (-round(overlap[i], 6), found[i].source, i))
    return [found[i] for i in sorted(rank[:SHORTLIST])]


def weigh(question: str, found: list[Passage], states: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Evidence:
    """What speaks for each passage.

    states  by text: (L, D) token states and (D,) vector, unit rows, of the question, the passages and their contexts
    """
    asked, vector = states[question]
    best = {text: best_matches(asked, tokens) for text, (tokens, _) in states.items()}
    late = np.array(
        [
            np.maximum(best[passage.text], CONTEXT * best[passage.context]).mean()
            if passage.context
            else best[passage.text].mean()
            for passage in found
        ]
    )
    cosine = np.array([float(vector @ states[passage.text][1]) for passage in found])
    own = np.array(lexical.coverage(question, [passage.text for passage in found]))
    both = np.array(lexical.coverage(question, [f"{passage.context} {passage.text}" for passage in found]))
    coverage = (own + both) / 2
    kind = expected(question)
    form = [
        EXPECTED * meets(kind, passage.text, question)
        + FIRST_SOURCE / (1 + passage.source)
        - faults(passage.text, bool(passage.example))
        for passage in found
    ]
    return Evidence(late + COVERAGE * coverage + np.array(form), late, coverage, cosine)


def best_matches(asked: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """(Q,) for each token of the question the best cosine among a text's tokens. Source: ColBERT, arXiv:2004.12832."""
    if not len(asked) or not len(tokens):
        return np.zeros(max(1, len(asked)), dtype=np.float32)
    return (asked @ tokens.T).max(axis=1)
