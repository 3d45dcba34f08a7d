"""Grammars: a constraint in llguidance's own form, once it is known to be of a size that can be compiled."""

import json
from collections.abc import Iterator

from llguidance import LLMatcher

from .. import errors
from ..errors import HostError
from .request import Constraint

JSON_OPTIONS = {"whitespace_pattern": " ?", "json_allowed_escapes": '"\\bfnrt'}  # no \u0000: jsonb has no such thing
LIMITS = {"regex": 10_000, "grammar": 100_000, "schema": 200_000}  # characters
FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri", "unknown"}
VALUES = ("const", "enum", "default", "examples")  # of a schema: what they hold is no schema
NODES, DEPTH = 5000, 64  # of a schema: objects, arrays and values
CHOICES, CHOICE_CHARACTERS = 1000, 2000


def grammar(constraint: Constraint) -> str:
    """llguidance's form of a constraint; raises HostError LO103, LO105 for what is no constraint, or too large."""
    value = constraint.value
    if constraint.kind == "schema":
        return _schema(value)
    if constraint.kind == "choices":
        fits = isinstance(value, list | tuple) and 0 < len(value) <= CHOICES
        if not fits or not all(isinstance(word, str) and 0 < len(word) <= CHOICE_CHARACTERS for word in value):
            why = f"choices must be 1 to {CHOICES:,} texts of 1 to {CHOICE_CHARACTERS:,} characters"
            raise HostError(errors.BAD_ARGUMENT, why)
        words = (json.dumps(word, ensure_ascii=False) for word in value)
        return LLMatcher.grammar_from_lark("start: " + " | ".join(words))
    if not isinstance(value, str) or not 0 < len(value) <= LIMITS[constraint.kind]:
        why = f"the {constraint.kind} must be a text of 1 to {LIMITS[constraint.kind]:,} characters"
        raise HostError(errors.BAD_ARGUMENT, why)
    made = LLMatcher.grammar_from_regex if constraint.kind == "regex" else LLMatcher.grammar_from_lark
    return made(value)


def _schema(value: object) -> str:
    if value is True:
        value = {}
    if not isinstance(value, dict):
        raise HostError(errors.BAD_SCHEMA, "the schema is no JSON object")
    if (nodes := sum(1 for _ in _walk(value))) > NODES:
        raise HostError(errors.BAD_SCHEMA, f"the schema is too large: over {min(nodes, NODES):,} parts")
    text = json.dumps(_formatted(value), ensure_ascii=False)
    if len(text) > LIMITS["schema"]:
        raise HostError(errors.BAD_SCHEMA, f"the schema is over {LIMITS['schema']:,} characters")
    try:
        return LLMatcher.grammar_from_json_schema(text, overrides=JSON_OPTIONS)
    except ValueError as error:
        raise HostError(errors.BAD_SCHEMA, f"the schema cannot be used: {complaint(str(error))}") from error


def _formatted(part: object) -> object:
    """A schema without the formats that llguidance does not know: to JSON Schema a format is a remark."""
    if isinstance(part, list):
        return [_formatted(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    return {
        name: inner if name in VALUES else _formatted(inner)
        for name, inner in part.items()
        if not (name == "format" and isinstance(inner, str) and inner not in FORMATS)
    }


def complaint(text: str) -> str:
    """What llguidance says against a constraint, in a line that its writer can use."""
    if "NoExtensionBias" in text:
        return "there is no text that keeps it"
    if "coerce_one_of" in text:
        return "oneOf whose cases may hold at once is not supported, use anyOf"
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    found = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (found or lines or [""])[0][:200]


def _walk(value: object) -> Iterator[None]:
    """One for each part of a schema, and an end soon after there are too many."""
    waiting, count = [(value, 0)], 0
    while waiting and count <= NODES:
        part, depth = waiting.pop()
        count += 1
        yield None
        if depth > DEPTH:
            raise HostError(errors.BAD_SCHEMA, f"the schema is nested more than {DEPTH} deep")
        if isinstance(part, dict):
            waiting += [(inner, depth + 1) for inner in part.values()]
        elif isinstance(part, list):
            waiting += [(inner, depth + 1) for inner in part]


def reach(part: object) -> float:
    """Characters that a text under a schema can be made to hold, about; a part that is repeated counts so often."""
    if isinstance(part, dict):
        size = sum(len(str(name)) + reach(inner) for name, inner in part.items())
        times, letters = (value if type(value) is int else 0 for value in map(part.get, ("minItems", "minLength")))
        return min(1e6, size * max(1, times) + letters)
    if isinstance(part, list | tuple):
        return sum(map(reach, part))
    return len(str(part))
