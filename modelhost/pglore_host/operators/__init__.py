"""Operators on texts: whether a condition holds, which label fits, what a text says, and so on; of many at once.

Each takes {"inputs": [text, ...], ...} and gives a result for each input, or its error: see batch.py.
"""

from collections.abc import Callable

from .classify import classify
from .matches import matches

OPERATORS: dict[str, Callable] = {  # (registry, arguments) -> results
    "matches": matches,
    "classify": classify,
}
