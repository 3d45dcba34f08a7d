"""redact: a text with what is personal in it replaced by its category, such as [EMAIL].

What can be told by its form is found by patterns. Names, addresses and any category that a caller words are found by a
language model, which only says which words to hide: the text itself is never written by it.
"""

import asyncio
import re
from typing import Any

import orjson

from .. import errors, stopping
from ..arguments import optional_text
from ..errors import HostError
from ..generation import Constraint
from ..registry import Registry
from ..text import WORKERS
from . import prompts
from .batch import Batch
from .patterns import PATTERNS, Span
from .writing import Writer, alone, needed, writer

OF_MODEL = ("name", "address", "date of birth")  # beside the patterns, where a model is there and nothing is asked for
CATEGORIES_LIMIT = 50
CATEGORY_CHARACTERS = 60
PLACES_LIMIT = 200  # that the model may name in one piece
ANSWER_TOKENS = 1024


async def redact(registry: Registry, arguments: dict) -> list[dict]:
    """{"text", "found": {category: count}, "decided_by"} of each input.

    raises  HostError LO101, LO102, LO103, LO201, LO204, LO206 for a category that only a model finds, LO301, LO302
    """
    batch = Batch(arguments)
    given = categories(arguments.get("categories"))
    region = _region(optional_text(arguments, "region"))
    patterns = [name for name in PATTERNS if given is None or name in given]
    worded = list(OF_MODEL) if given is None else [name for name in given if name not in PATTERNS]
    places = batch.open
    spans = [await stopping.run(WORKERS, by_pattern, batch.texts[place], patterns, region) for place in places]
    by, told = "pattern", {}
    if worded:
        async with writer(registry, arguments, batch.lane) as model:
            if given is not None:
                needed(model, f"to redact {prompts.said(worded[0])}")
            if model is None:
                told = {"alone": True} if alone(arguments) else {}
            else:
                by = "model"
                await _by_model(registry, model, batch, places, worded, spans)
    for place, one in zip(places, spans, strict=True):
        batch.results[place] = (
            one if isinstance(one, HostError) else {**hidden(batch.texts[place], one), "decided_by": by, **told}
        )
    return batch.answer()


def categories(given: Any) -> list[str] | None:
    """Categories, checked and in lower case; raises HostError LO103."""
    if given is None:
        return None
    fits = isinstance(given, list) and 0 < len(given) <= CATEGORIES_LIMIT
    if not fits or not all(isinstance(name, str) and 0 < len(name.strip()) <= CATEGORY_CHARACTERS for name in given):
        why = f"categories must be an array of 1 to {CATEGORIES_LIMIT} texts of 1 to {CATEGORY_CHARACTERS} characters"
        raise HostError(errors.BAD_ARGUMENT, why, f"By pattern: {', '.join(PATTERNS)}; others need a language model.")
    return list(dict.fromkeys(name.strip().lower() for name in given))


def _region(given: str | None) -> str | None:
    import phonenumbers

    if given is not None and given.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise HostError(errors.BAD_ARGUMENT, "region is no country's code", "Two letters, such as US or DE.")
    return given and given.upper()


def by_pattern(text: str, names: list[str], region: str | None) -> list[tuple[Span, str]]:
    """What patterns find, with its category; blocking."""
    return [(span, name) for name in names for span in PATTERNS[name](text, region)]


async def _by_model(
    registry: Registry, model: Writer, batch: Batch, places: list[int], worded: list[str], spans: list
) -> None:
    """Add what the model finds; an error in the place of a text that it could not read."""
    schema = {
        "type": "array",
        "maxItems": PLACES_LIMIT,
        "items": {
            "type": "object",
            "properties": {"category": {"enum": worded}, "text": {"type": "string", "minLength": 1, "maxLength": 200}},
            "required": ["category", "text"],
            "additionalProperties": False,
        },
    }
    limit, instruction = Constraint("schema", schema), prompts.redact(worded)
    most = model.most(ANSWER_TOKENS)
    room = await model.room(instruction, most)
    questions, owners = [], []
    for number, place in enumerate(places):
        for piece in await model.pieces(registry, batch.texts[place], room):
            questions.append((prompts.conversation(instruction, piece), limit, most))
            owners.append(number)
    for number, answer in zip(owners, await model.ask(questions), strict=True):
        if isinstance(answer, HostError) or isinstance(spans[number], HostError):
            spans[number] = answer if isinstance(answer, HostError) else spans[number]
            continue
        text = batch.texts[places[number]]
        named = {entry["text"].strip(): entry["category"] for entry in orjson.loads(answer)}
        spans[number] += await asyncio.to_thread(_places, text, named)


def _places(text: str, named: dict[str, str]) -> list[tuple[Span, str]]:
    """Where the words stand that the model named, as whole words; what is not in the text is the model's own."""
    found = []
    for words, category in named.items():
        if words:
            pattern = re.compile(rf"(?<!\w){re.escape(words)}(?!\w)")
            found += [(match.span(), category) for match in pattern.finditer(text)]
    return found


def hidden(text: str, spans: list[tuple[Span, str]]) -> dict:
    """The text with the places replaced, and how many of each category; what overlaps is one place."""
    parts, counts, end = [], dict[str, int](), 0
    for (start, stop), category in sorted(spans, key=lambda one: (one[0][0], -one[0][1])):
        if start < end:
            if stop > end:  # what is left of it is hidden too
                end = stop
            continue
        parts += [text[end:start], f"[{category.upper()}]"]
        counts[category] = counts.get(category, 0) + 1
        end = stop
    return {"text": "".join(parts) + text[end:], "found": counts}
