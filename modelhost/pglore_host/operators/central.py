"""Central sentences: a summary without a language model, made of the sentences that say most of the whole.

Letters: N sentences, D length of a vector.
Sources: LexRank (arXiv:1109.2128), with the mean cosine in the place of its random walk; maximal marginal relevance
(Carbonell and Goldstein, 1998) against saying the same twice.
"""

import re

import numpy as np

from .. import sentences
from ..stopping import check

SENTENCES_LIMIT = 400  # that are compared with each other; of more, those of each part that are central there
KEPT = 40  # of a part
SHORTEST, LONGEST = 3, 80  # words of a sentence; without one of these, any
NEW = 0.35  # what is taken off for being like what is there already
FIRST = 0.03  # the first sentence of a text says more than its place in the middle would

# Scripts that put no space between words: Thai to Khmer, Chinese and Japanese. Two of their letters count as a word.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_BLANK = re.compile(r"\n\s*\n")


def split(text: str) -> list[str]:
    """The sentences of a text; blocking, bounded by its length."""
    found, start = [], 0
    for gap in [*_BLANK.finditer(text), None]:
        end = gap.start() if gap else len(text)
        check()
        found += [" ".join(text[a:b].split()) for a, b in sentences.spans(text, start, end)]
        start = gap.end() if gap else end
    fitting = [sentence for sentence in found if SHORTEST <= words_of(sentence) <= LONGEST]
    return list(dict.fromkeys(fitting or [part for sentence in found for part in _cut(sentence)]))


def words_of(text: str) -> int:
    """How many words a text has, about."""
    spaced, letters = _UNSPACED.subn(" ", text)
    return len(spaced.split()) + (letters + 1) // 2


def _cut(sentence: str) -> list[str]:
    """What passes for a sentence and is none, a list without an end perhaps, in parts of LONGEST words."""
    check()
    if words_of(sentence) <= LONGEST:
        return [sentence]
    words = sentence.split()
    if len(words) < 2:  # 2 letters a word
        return [sentence[start : start + 2 * LONGEST] for start in range(0, len(sentence), 2 * LONGEST)]
    parts = [" ".join(words[start : start + LONGEST]) for start in range(0, len(words), LONGEST)]
    return [part for piece in (parts if len(parts) > 1 else words) for part in _cut(piece)]


def choose(texts: list[str], vectors: np.ndarray, words: int, most: int = 1 << 30) -> list[int]:
    """Places of the sentences of a summary of about so many words, in their order.

    vectors  (N, D) unit rows
    """
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, 0.0)
    worth = cosines.mean(axis=1) * len(texts) / max(1, len(texts) - 1)
    worth = worth + FIRST / (1 + np.arange(len(texts)))
    picked: list[int] = []
    left, sizes = words, np.array([words_of(text) for text in texts])
    closest = np.zeros(len(texts))
    for _ in range(len(texts)):
        check()
        order = worth - NEW * closest
        order[picked] = -np.inf
        if picked:
            order[sizes > left] = -np.inf
        best = int(order.argmax())
        if order[best] == -np.inf or len(picked) == most:
            break
        picked.append(best)
        left -= int(sizes[best])
        closest = np.maximum(closest, cosines[best])
    return sorted(picked)
