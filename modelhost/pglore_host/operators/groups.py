"""Groups: many texts as one input of an aggregate, read in parts that fit a window.

An aggregate sends what it has gathered from time to time in the stage "map", keeps the parts that come back, and
sends those at the end in the stage "final".
"""

from collections.abc import Sequence

import orjson

from .. import errors
from ..arguments import choice
from ..errors import HostError
from ..registry import Registry
from .writing import Writer

RULE = "\n-----\n"
STAGES = ("map", "final")


def mapping(arguments: dict) -> bool:
    """Whether only a part of a group is there."""
    return choice(arguments, "stage", STAGES, "final") == "map"


def texts(given: str) -> list[str]:
    """The texts of a group, a JSON array; raises HostError LO101, LO103."""
    try:
        found = orjson.loads(given)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise HostError(errors.BAD_ARGUMENT, "a group must be a JSON array of texts")
    if not (visible := [text for text in found if text and not text.isspace()]):
        raise HostError(errors.EMPTY_INPUT, "no text of the group has anything to read in it")
    return visible


async def packed(registry: Registry, model: Writer, given: Sequence[str], room: int) -> list[str]:
    """The texts one after the other, in as few parts as fit; one that is longer is cut."""
    parts: list[list[str]] = []
    left = 0
    for text in given:
        for piece in await model.pieces(registry, text, room):
            size = await model.tokens(piece) + 8
            if not parts or size > left:
                parts.append([])
                left = room
            parts[-1].append(piece)
            left -= size
    return [RULE.join(part) for part in parts]


async def told(model: Writer, questions: Sequence) -> list[str]:
    """Answers; the first error is raised."""
    answers = await model.ask(questions)
    for answer in answers:
        if isinstance(answer, HostError):
            raise answer
    return answers
