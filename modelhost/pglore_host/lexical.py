"""Words shared by a question and passages, weighted by how rare they are among the passages."""

import math
import re
from collections import Counter

_WORD = re.compile(r"\w+(?:['\u2019]\w+)?")
_ENDINGS = ("ations", "ation", "ings", "ing", "edly", "ed", "ies", "es", "s", "ly", "ment", "ments", "er", "ers", "ion", "ions")
STOPWORDS = frozenset(
    "a an the of in on at to for from by with as is are was were be been being am do does did done have has had having it its this that these "
    "those there he she they them his her their we you i my your our and or but if not no so than then too very can could will would shall should "
    "may might must what which who whom whose when where why how s t".split()
)


def stem(word: str) -> str:
    """A word without a common English ending: crude, but the same for both sides."""
    word = word.lower().replace("\u2019", "'").removesuffix("'s")
    for ending in sorted(_ENDINGS, key=len, reverse=True):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)].removesuffix("e")
    return word.removesuffix("e") if len(word) > 3 else word


def words(text: str) -> list[str]:
    """The stems of a text's words, in order, stop words left out."""
    return [stem(word) for word in _WORD.findall(text.replace("_", " ")) if word.lower() not in STOPWORDS]


def bm25(question: str, texts: list[str], k1: float = 1.2, b: float = 0.5) -> list[float]:
    """Okapi BM25 of each text for the question, with the texts themselves as the collection."""
    counts = [Counter(words(text)) for text in texts]
    lengths = [sum(count.values()) for count in counts]
    average = sum(lengths) / max(1, len(lengths)) or 1.0
    total = [0.0] * len(texts)
    for word in dict.fromkeys(words(question)):
        holding = sum(1 for count in counts if word in count)
        if not holding:
            continue
        weight = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
        for i, count in enumerate(counts):
            if found := count[word]:
                total[i] += weight * found * (k1 + 1) / (found + k1 * (1 - b + b * lengths[i] / average))
    return total
