"""Operators on texts: whether a condition holds, which label fits, what a text says, and so on; of many at once.

Each takes {"inputs": [text, ...], ...} and gives a result for each input, or its error: see batch.py.
"""

from collections.abc import Callable

from .answer import answer_group
from .classify import classify
from .extract import extract
from .matches import matches
from .rank import rank
from .redact import redact
from .sentiment import sentiment
from .shares import decided
from .similarity_join import similarity_join
from .summarize import summarize, summarize_group
from .translate import translate

OPERATORS: dict[str, Callable] = {  # (registry, arguments) -> results
    "matches": matches,
    "classify": classify,
    "sentiment": sentiment,
    "extract": extract,
    "summarize": summarize,
    "summarize_group": summarize_group,
    "answer_group": answer_group,
    "translate": translate,
    "redact": redact,
    "rank": rank,
    "similarity_join": similarity_join,
}

__all__ = ["OPERATORS", "decided"]
