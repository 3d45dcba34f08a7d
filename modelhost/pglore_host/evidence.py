"""Evidence: how well each passage answers a question.

Letters: P passages, Q tokens of the question, L tokens of a passage, D model width.
"""

from collections.abc import Sequence

import numpy as np

from . import lexical
from .passages import Passage

SHORTLIST = 60  # passages that the embedder reads


def shortlist(question: str, found: list[Passage]) -> list[Passage]:
    """At most SHORTLIST passages, in their order: those that share the rarest words with the question, early sources first."""
    if len(found) <= SHORTLIST:
        return found
    overlap = lexical.bm25(question, [f"{passage.context} {passage.text}" for passage in found])
    rank = sorted(range(len(found)), key=lambda i: (-overlap[i], found[i].source, i))
    return [found[i] for i in sorted(rank[:SHORTLIST])]


def scores(question: str, found: list[Passage], states: Sequence) -> np.ndarray:
    """(P,) worth of each passage."""
    asked, vector = states[0]
    cosine = np.array([vector @ other for _, other in states[1:]])
    late = np.array([late_interaction(asked, tokens) for tokens, _ in states[1:]])
    overlap = np.array(lexical.bm25(question, [passage.text for passage in found]))
    rank = np.array([passage.source for passage in found], dtype=float)
    return zscore(cosine) + zscore(late) + zscore(overlap) - 0.2 * rank


def late_interaction(asked: np.ndarray, tokens: np.ndarray) -> float:
    """Mean over the question's tokens of the best cosine among the passage's. Source: ColBERT, arXiv:2004.12832."""
    if not len(asked) or not len(tokens):
        return 0.0
    return float((asked @ tokens.T).max(axis=1).mean())


def zscore(values: np.ndarray) -> np.ndarray:
    """Values less their mean, over their standard deviation; zeros where all are alike."""
    spread = values.std()
    return (values - values.mean()) / spread if spread > 1e-6 else np.zeros_like(values)


def unanswered(worth: np.ndarray) -> str | None:
    """Why no passage answers, or None."""
    return None


def pick(found: list[Passage], worth: np.ndarray, sentences: int) -> list[int]:
    """The best passages, best first."""
    return [int(i) for i in np.argsort(-worth, kind="stable")[:sentences]]
