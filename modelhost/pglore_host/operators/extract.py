"""extract: what a text says, as a JSON document that keeps to a schema.

A text beyond the window is read in pieces. Each gives what it holds under a schema that requires nothing; these are
put together: lists joined, of single values the first. Where the whole does not keep to the schema, the model makes
one document of them.
"""

from typing import Any

import orjson

from .. import errors
from ..arguments import integer
from ..errors import HostError
from ..generation import Constraint, checking, document
from ..generation.judge import Judge
from ..registry import Registry
from . import prompts
from .batch import Batch
from .writing import Writer, needed, writer

FIELDS_LIMIT = 200
FIELD_CHARACTERS = 200
MAX_TOKENS = 1024
JUDGE = Judge()


async def extract(registry: Registry, arguments: dict) -> list[dict]:
    """{"document", "decided_by"} of each input.

    raises  HostError LO101, LO102, LO103, LO105, LO201, LO204, LO206, LO301, LO302, LO303
    """
    batch = Batch(arguments)
    schema = wanted(arguments.get("schema"))
    given = integer(arguments, "max_tokens", 16, 1 << 16)
    limit = Constraint("schema", schema)
    async with writer(registry, arguments, batch.lane) as found:
        model = needed(found, "extract")
        most = given or model.most(MAX_TOKENS)
        await JUDGE.admit(limit)
        instruction = prompts.extract(schema, False)
        room = await model.room(instruction, most)
        long, questions, places = [], [], []
        for place in batch.open:
            pieces = await model.pieces(registry, batch.texts[place], room)
            if len(pieces) > 1:
                long.append((place, pieces))
            else:
                places.append(place)
                questions.append((prompts.conversation(instruction, batch.texts[place]), limit, most))
        batch.put(places, [_document(answer) for answer in await model.ask(questions)])
        for place, pieces in long:
            batch.results[place] = await _of_pieces(model, limit, pieces, most, room)
    return batch.answer()


def wanted(given: Any) -> dict:
    """The JSON schema: as it is, or made of an array of field names; raises HostError LO103, LO105."""
    if isinstance(given, list):
        fits = 0 < len(given) <= FIELDS_LIMIT and len(set(map(str, given))) == len(given)
        if not fits or not all(isinstance(name, str) and 0 < len(name.strip()) <= FIELD_CHARACTERS for name in given):
            why = f"the fields must be 1 to {FIELDS_LIMIT} different texts of 1 to {FIELD_CHARACTERS} characters"
            raise HostError(errors.BAD_SCHEMA, why)
        kind = {"type": ["string", "null"]}
        return {
            "type": "object",
            "properties": dict.fromkeys(given, kind),
            "required": given,
            "additionalProperties": False,
        }
    if not isinstance(given, dict) or not given:
        hint = 'Such as {"type": "object", "properties": {"name": {"type": "string"}}}, or ["name", "date"].'
        raise HostError(errors.BAD_SCHEMA, "the JSON schema is no object", hint)
    checking.meant(given)
    if (size := len(orjson.dumps(given))) > checking.SCHEMA_BYTES:
        why = f"the JSON schema is {size:,} bytes, over the limit of {checking.SCHEMA_BYTES:,}"
        raise HostError(errors.BAD_SCHEMA, why, "Ask for fewer properties, in several calls.")
    return given


def _document(answer: object) -> object:
    if isinstance(answer, HostError):
        return answer
    try:
        return {"document": document.written(str(answer)), "decided_by": "model"}
    except HostError as error:
        return error


async def _of_pieces(model: Writer, limit: Constraint, pieces: list[str], most: int, room: int) -> object:
    loose = relaxed(limit.value)
    asked = [
        (prompts.conversation(prompts.extract(loose, True), piece), Constraint("schema", loose), most)
        for piece in pieces
    ]
    answers = await model.ask(asked)
    for answer in answers:
        if isinstance(answer, HostError):
            return answer
    try:
        parts = [document.value(answer) for answer in answers]
    except HostError as error:
        return error
    whole = merged(parts)
    try:
        await JUDGE.parsed(limit, orjson.dumps(whole).decode())
        return {"document": whole, "decided_by": "model"}
    except checking.Mismatch:
        pass
    text = "\n".join(prompts.said(part) for part in parts)
    if len(text) > room and await model.tokens(text) > room:
        why = f"what the {len(parts)} pieces of the text hold does not fit into the model's window together"
        return HostError(errors.INPUT_TOO_LONG, why, "Cut the text with lore.chunk and extract from the chunks.")
    return _document((await model.ask([(prompts.conversation(prompts.merge(limit.value), text), limit, most)]))[0])


def relaxed(schema: Any) -> Any:
    """The same schema, of which nothing at the top is required and lists may be empty."""
    if not isinstance(schema, dict):
        return schema
    loose = {name: value for name, value in schema.items() if name not in ("required", "minItems", "minProperties")}
    if isinstance(loose.get("properties"), dict):
        loose["properties"] = {
            name: {key: value for key, value in part.items() if key != "minItems"} if isinstance(part, dict) else part
            for name, part in loose["properties"].items()
        }
    return loose


def merged(parts: list[Any]) -> Any:
    """Documents of the parts of a text as one: lists joined, objects by their names, of other values the first."""
    given = [part for part in parts if part not in (None, "", [], {})]
    if not given:
        return parts[0] if parts else None
    if all(isinstance(part, list) for part in given):
        joined: list[Any] = []
        for one in (item for part in given for item in part):
            if one not in joined:
                joined.append(one)
        return joined
    if all(isinstance(part, dict) for part in given):
        names = dict.fromkeys(name for part in given for name in part)
        return {name: merged([part[name] for part in given if name in part]) for name in names}
    return given[0]
