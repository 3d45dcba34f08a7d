"""Documents: the JSON that a model wrote, as PostgreSQL's jsonb can hold it, with its numbers digit for digit."""

import json
import re
from typing import Any

import orjson

from .. import errors
from ..errors import HostError

# Numbers that numeric may not hold: it takes 131,072 digits before the point and 16,383 behind.
_HUGE = re.compile(r"[0-9]{10000}|[0-9][eE][+-]?[0-9]{4}")
_NUL, _ESCAPE = r"\u0000", r"\u"


def written(text: str) -> Any:
    """A JSON text as part of a reply: as it stands, for read as floats its numbers would lose digits.

    raises  HostError LO105 for numbers or depths that nothing reads, ValueError for what is no JSON
    """
    if _HUGE.search(text) or _NUL in text:
        return value(text)
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:  # beyond the range of a float, perhaps
        if _ESCAPE in text:  # half a pair, perhaps, which jsonb does not take
            raise
        _checked(text)
    return orjson.Fragment(text)


def value(text: str) -> Any:
    """What a JSON text stands for; raises as written."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        _checked(text)
        why = "a number that the model wrote has too many digits"
        raise HostError(errors.BAD_SCHEMA, why, "Bound it in the schema with minimum and maximum.") from None


def _checked(text: str) -> None:
    """Raise ValueError or HostError LO105 where even a reader without a range of numbers cannot read a text."""
    try:
        json.loads(text, parse_int=len, parse_float=len)
    except RecursionError:
        why = "what the model wrote is nested too deep"
        raise HostError(errors.BAD_SCHEMA, why, "Ask for a schema that ends.") from None
