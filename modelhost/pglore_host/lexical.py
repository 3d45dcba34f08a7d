"""Words shared by a question and passages, weighted by how rare they are among the passages."""

import math
import re
from collections import Counter
from functools import lru_cache

_WORD = re.compile(r"\w+(?:['\u2019]\w+)?")
_ENDINGS = sorted(re.findall(r"\S+", """
    ations ation ings ing edly ed ies es s ly ment ments er ers ion ions
"""), key=len, reverse=True)
STOPWORDS = frozenset(re.findall(r"\S+", """
    a an the of in on at to for from by with as is are was were be been being am do does did done have has had
    having it its this that these those there he she they them his her their we you i my your our and or but if not
    no so than then too very can could will would shall should may might must what which who whom whose when where
    why how s t
"""))


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """A word without a common English ending: crude, but the same for both sides."""
    word = word.lower().replace("\u2019", "'").removesuffix("'s")
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)].removesuffix("e")
    return word.removesuffix("e") if len(word) > 3 else word


def words(text: str) -> list[str]:
    """The stems of a text's words, in order, stop words left out."""
    return [stem(word) for word in _WORD.findall(text.replace("_", " ")) if word.lower() not in STOPWORDS]


def coverage(question: str, texts: list[str]) -> list[float]:
    """For each text the share, 0 to 1, of the question's words it holds, weighted by their rarity among the texts.

    A word that no text holds counts as the rarest.
    """
    asked = set(words(question))
    held = [asked.intersection(words(text)) for text in texts]
    holding = Counter(word for found in held for word in found)
    weights = {word: math.log(1 + len(texts) / max(1, holding[word])) for word in sorted(asked)}
    total = sum(weights.values())
    return [sum(weights[word] for word in sorted(found)) / total if total else 0.0 for found in held]
