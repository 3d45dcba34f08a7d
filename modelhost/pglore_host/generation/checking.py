"""Checking: whether a constraint can be used, and whether a text keeps it. Blocking; see judge.py for what may be long.

Only engines of linear time look at a caller's patterns: one that backtracks could take for ever.
"""

from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

from .. import errors
from ..errors import HostError
from .grammar import complaint
from .request import Constraint

SCHEMA_BYTES = 1 << 18
SHOWN = 200  # characters of a library's word
# Of JSON Schema: one of these stands in whatever says anything, or means to (title, description).
WORDS = frozenset({
    "type", "properties", "required", "items", "prefixItems", "enum", "const", "anyOf", "oneOf", "allOf", "not", "if",
    "$ref", "$defs", "definitions", "$schema", "$id", "additionalProperties", "patternProperties", "propertyNames",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
    "format", "minItems", "maxItems", "uniqueItems", "contains", "minProperties", "maxProperties",
    "dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems", "title", "description",
    "$comment", "default", "examples",
})  # fmt: skip
HIDDEN = "[...]"  # stands for values of the text: an error must not repeat it


class Mismatch(ValueError):
    """A text that does not keep its constraint; says why, without the text."""


@lru_cache(64)
def _validator(schema: bytes) -> Any:
    """The validator of a schema (JSON text); raises HostError LO105."""
    try:
        return jsonschema_rs.validator_for(
            orjson.loads(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions(), mask=HIDDEN
        )
    except Exception as error:
        place = "/".join(map(str, getattr(error, "instance_path", ()))) or "the whole"
        why = " ".join(str(getattr(error, "message", error)).split())[:SHOWN]
        raise HostError(errors.BAD_SCHEMA, f"the JSON schema cannot be used: {place}: {why}") from None


def meant(schema: Any) -> None:
    """Raise HostError LO105 for an object such as {"name": "string"}: as a schema, it would allow anything."""
    if isinstance(schema, dict) and schema and WORDS.isdisjoint(schema):
        hint = 'Such as {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}.'
        raise HostError(errors.BAD_SCHEMA, f"the JSON schema says nothing of a document: {min(schema)[:50]!r}", hint)


def admit(constraint: Constraint) -> None:
    """Raise HostError LO103 or LO105 for a constraint that nothing could keep or check."""
    if constraint.kind == "schema":
        _validator(orjson.dumps(constraint.value))
    elif constraint.kind in ("regex", "grammar") and (why := _matcher(constraint).get_error()):
        why = complaint(why)
        raise HostError(errors.BAD_ARGUMENT, f"the {constraint.kind} cannot be used: {why}")


def parsed(constraint: Constraint, text: str) -> Any:
    """What a text that keeps its constraint stands for: the JSON value of a schema, else the text.

    raises  Mismatch
    """
    if constraint.kind == "choices":
        if text not in constraint.value:  # type: ignore[operator]
            raise Mismatch("is none of the choices")
        return text
    if constraint.kind in ("regex", "grammar"):
        matcher, data = _matcher(constraint), text.encode()
        if not matcher.consume_tokens(list(data)) or not matcher.is_accepting():
            raise Mismatch(f"does not keep the {constraint.kind}")
        return text
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Mismatch("is no JSON") from None
    try:
        _validator(orjson.dumps(constraint.value)).validate(value)
    except jsonschema_rs.ValidationError as error:
        place = "/".join(map(str, error.instance_path)) or "the whole"
        raise Mismatch(f"does not keep the JSON schema ({place}: {error.message[:SHOWN]})") from None
    return value


def _matcher(constraint: Constraint) -> Any:
    """A matcher of the bytes of a text."""
    from llguidance import LLMatcher

    make = LLMatcher.grammar_from_regex if constraint.kind == "regex" else LLMatcher.grammar_from_lark
    return LLMatcher(_bytes(), make(constraint.value))


@lru_cache(1)
def _bytes() -> Any:
    """A tokenizer each of whose tokens is a byte."""
    from llguidance import LLTokenizer

    return LLTokenizer("byte")
