"""SQL calls and their rows: what the sync and the async client have in common. Nothing here waits."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Number
from typing import Any, TypeVar

from .errors import BadArgument

T = TypeVar("T")
Statement = tuple[bytes, list[Any]]
Vector = list[float]
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # in JSON text; not the backslash of a text before the letters u0000
STR = "Pass a str. Bytes have to be decoded first, numbers written out: str(number)."
REMOVE = "PostgreSQL cannot store it: remove it from the text."
# Arguments that are arrays of texts wherever they stand.
MANY = {"inputs", "left_inputs", "right_inputs", "prompts", "documents", "collections", "keys", "contents"}
MANY |= {"labels", "descriptions", "choices", "stop", "categories", "filterable"}
# And those that are one text: of another type PostgreSQL would say that there is no such function.
TEXTS = {"a", "b", "alias", "chunk_strategy", "collection", "condition", "content", "embedder", "expand", "fusion"}
TEXTS |= {"generator", "golden", "grammar", "index_kind", "input", "input_type", "instruction", "key", "keyword"}
TEXTS |= {"kind", "language", "match", "metric", "mime", "mode", "model", "name", "operation", "prompt", "quality"}
TEXTS |= {"query", "question", "regex", "region", "rerank", "role", "source_language", "strategy", "system", "task"}
TEXTS |= {"template"}
# JSON, whatever it is in Python, where an empty list would pass for an empty object.
JSON = {"filter", "history", "judgements", "messages", "options", "schema", "tools", "weights"}
WHOLE = {"answer_tokens", "candidates", "chunk_overlap", "chunk_size", "dimensions", "k", "max_tokens", "max_words"}
WHOLE |= {"most", "neighbours", "overlap", "per_document", "sample", "size", "top_k", "version"}
LONG = {"evaluation", "per_statement_tokens", "rows", "seed", "tokens", "total"}
NUMBERS = {"agreement", "diversity", "megabytes", "min_score", "per_statement_seconds", "seconds", "target_recall"}
NUMBERS |= {"temperature", "top_p"}
FLAGS = {"if_exists", "if_not_exists", "keep", "multiple", "replace", "truncate"}


def call(function: str, columns: str = "*", **arguments: Any) -> Statement:
    """The statement that calls a function by its arguments' names."""
    named = ", ".join(f"{name} => %s" for name in arguments)
    for name in MANY & arguments.keys():
        arguments[name] = None if arguments[name] is None else _several(name, arguments[name])
    for name in JSON & arguments.keys():
        arguments[name] = jsonb(arguments[name])
    return f"SELECT {columns} FROM {function}({named})".encode(), values(**arguments)


def values(**arguments: Any) -> list[Any]:
    """Values as psycopg is to send them. raises BadArgument for one that is not of its name's type"""
    for name, value in arguments.items():
        if name in TEXTS:
            _require_text(name, value)
        elif name in WHOLE | LONG:
            _require_whole(name, value, 63 if name in LONG else 31)
        elif name in NUMBERS and not (value is None or (isinstance(value, Number) and not isinstance(value, bool))):
            raise BadArgument(f"{name} is not a number: {type(value).__name__}", hint="Pass a number, such as 0.3.")
        elif name in FLAGS and not (value is None or isinstance(value, bool)):
            raise BadArgument(f"{name} is neither True nor False: {type(value).__name__}", hint="Pass a bool.")
    return [parameter(value) for value in arguments.values()]


def parameter(value: Any) -> Any:
    """A value as psycopg is to send it: mappings as jsonb, everything else as it is."""
    if isinstance(value, Mapping):
        return jsonb(value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview)):
        return [parameter(item) for item in value]
    if isinstance(value, str) and "\0" in value:
        raise BadArgument("text contains a NUL character", hint=REMOVE)
    return value


def _several(name: str, values: Iterable[Any]) -> list[Any]:
    """An argument of many texts; raises BadArgument for one text, which Python would let pass for its letters."""
    if isinstance(values, str):
        raise BadArgument(f"{name} is a single text", hint=f"Pass a list of texts: {name}=[...].")
    if isinstance(values, (bytes, bytearray, memoryview)) or not isinstance(values, Iterable):
        raise BadArgument(f"{name} is neither a text nor a list of texts: {type(values).__name__}", hint=STR)
    several = list(values)
    for place, value in enumerate(several):
        _require_text(f"{name}[{place}]", value)
    return several


def _require_text(name: str, value: Any) -> None:
    """raises BadArgument for what is neither text nor None"""
    if not (value is None or isinstance(value, str)):
        raise BadArgument(f"{name} is not a text: {type(value).__name__}", hint=STR)


def _require_whole(name: str, value: Any, bits: int) -> None:
    """raises BadArgument for what is neither a whole number that PostgreSQL's type can hold nor None"""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise BadArgument(f"{name} is not a whole number: {type(value).__name__}", hint="Pass an int, such as 10.")
    if not -(2**bits) <= value < 2**bits:
        raise BadArgument(f"{name} is {value}", hint=f"Pass a number below {2**bits:,}.")


def jsonb(value: Any) -> Any:
    """A value as psycopg is to send it where SQL takes jsonb; None stays None."""
    from psycopg.types.json import Jsonb

    return value if value is None or isinstance(value, Jsonb) else Jsonb(value, dumps=to_json)


def to_json(value: Any) -> str:
    """JSON text; dates and times in ISO form. raises BadArgument for what JSON cannot say."""
    try:
        text = json.dumps(value, default=_jsonable, allow_nan=False)
        if "\\ud" in text:
            json.dumps(value, default=_jsonable, ensure_ascii=False).encode()  # raises for half a character
    except (TypeError, ValueError) as error:
        hint = "Use text, finite numbers, true, false, null, lists and mappings."
        raise BadArgument(f"not JSON: {error}", hint=hint) from error
    if NUL.search(text):
        raise BadArgument("text contains a NUL character", hint=REMOVE)
    return text


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if not hasattr(value, "isoformat"):
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return value.isoformat()


def vector(text: str | None) -> Vector | None:
    """pgvector's text form, [1,2,3], as a list of floats."""
    return None if text is None else json.loads(text)


def text(vector: Sequence[float] | None) -> str | None:
    """A vector in pgvector's text form. raises BadArgument for what is none"""
    try:
        numbers = None if vector is None else [float(number) for number in vector]
    except (TypeError, ValueError) as error:
        raise BadArgument(f"the vector is none: {error}", hint="Pass a list of numbers.") from error
    if numbers is None:
        return None
    if not numbers or not all(map(math.isfinite, numbers)):
        raise BadArgument("the vector is empty, or a number of it is not finite", hint="Pass a list of numbers.")
    return "[" + ",".join(f"{number:.9g}" for number in numbers) + "]"


def build(kind: type[T], row: Mapping[str, Any]) -> T:
    """One row as a dataclass, by column name; columns that a newer server adds are left out."""
    names: tuple[str, ...] = kind.__match_args__  # type: ignore[attr-defined]  # a dataclass's fields
    return kind(**{name: plain(row[name]) for name in names if name in row})


def plain(value: Any) -> Any:
    """A column's value without driver types: an int4range becomes (start, end), half open."""
    if type(value).__name__ == "Range":
        return (0, 0) if value.isempty else (value.lower, value.upper)
    return value


def first(rows: Iterable[Mapping[str, Any]]) -> Any:
    """The only column of the only row; None where there is no row."""
    for row in rows:
        return next(iter(row.values()))
    return None
