"""Objects of a class from what a generator wrote: the class as a JSON schema, the JSON as an object. Needs pydantic."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .errors import BadArgument

if TYPE_CHECKING:
    from .generate import Generation

NAMED = {"properties", "$defs", "definitions", "dependentSchemas"}  # of a JSON schema: what holds schemas by name
VALUES = {"const", "default", "enum", "example", "examples"}  # what holds data
OPEN = {"additionalProperties", "patternProperties", "unevaluatedProperties", "$ref", "allOf"}


class Maker:
    """What makes objects of one class, or of any type that pydantic knows: `schema` to ask for, `make` of the answer.

    raises  BadArgument where pydantic is not installed or knows no JSON form of the type
    """

    def __init__(self, kind: Any) -> None:
        try:
            from pydantic import PydanticUserError, TypeAdapter
        except ImportError as error:
            hint = "pip install pydantic, or pass schema= and read parsed."
            raise BadArgument("objects of a class are made by pydantic, which is not installed", hint=hint) from error
        try:
            self.adapter = TypeAdapter(kind)
            self.schema = closed(self.adapter.json_schema(), sets=True)
        except PydanticUserError as error:
            name = getattr(kind, "__name__", kind)
            hint = "Use a dataclass, a pydantic model or a TypedDict whose fields JSON can say, or pass schema=."
            raise BadArgument(f"{name} has no JSON schema: {_first(error)}", hint=hint) from error

    def options(self, given: Mapping[str, Any]) -> Any:
        """The options of a call with the schema added. raises BadArgument where they say what the text must be"""
        if found := [name for name in ("schema", "choices", "regex", "grammar") if given.get(name) is not None]:
            raise BadArgument(f"the class says what the text must be: leave out {', '.join(found)}")
        return {**given, "schema": self.schema}

    def make(self, found: Generation) -> Any:
        """The object. raises BadArgument for an answer that is cut, or turned down by a rule of the class"""
        if found.parsed is None and found.text.strip() != "null":
            raise BadArgument(f"the answer is not whole: {found.finish_reason}", hint="Raise max_tokens.")
        return self.read(found.parsed)

    def read(self, document: Any) -> Any:
        """The object that a JSON document says. raises BadArgument for one turned down by a rule of the class"""
        try:
            return self.adapter.validate_json(json.dumps(document))
        except ValueError as error:
            hint = "The schema allows what the class does not: say more in its annotations."
            raise BadArgument(f"the answer is no object of the class: {_first(error)}", hint=hint) from error


def closed(schema: Any, *, sets: bool = False) -> Any:
    """A JSON schema whose objects have the properties it names and no others, unless it says otherwise.

    sets  leave out that items differ, which cannot be asked for: what makes a set of them sees to it
    """
    if isinstance(schema, list):
        return [closed(inner, sets=sets) for inner in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {name: value if name in VALUES else closed(value, sets=sets) for name, value in schema.items()}
    for name in NAMED & schema.keys():  # whatever these properties are called, they are schemas
        found[name] = {key: closed(inner, sets=sets) for key, inner in schema[name].items()}
    if sets:
        found.pop("uniqueItems", None)
    if isinstance(schema.get("properties"), Mapping) and not OPEN & schema.keys():
        found["additionalProperties"] = False
    return found


def _first(error: Exception) -> str:
    """What an error of pydantic says: of a value, where and what; without its links."""
    details = getattr(error, "errors", None)
    if not callable(details):
        return str(error).splitlines()[0]
    first = details(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
