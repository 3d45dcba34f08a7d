"""Arguments of generate and chat as a request: what a caller may ask for, with its bounds."""

import orjson

from .. import errors
from ..arguments import integer, number, optional_text, visible
from ..errors import HostError
from . import checking
from .messages import messages, tools
from .request import KINDS, Constraint, GenerationRequest

PROMPT_LIMIT = 1_000_000  # characters
TOKENS_LIMIT = 1 << 20
STOPS_LIMIT = 16
STOP_CHARACTERS = 200
CHOICES_LIMIT = 1000
CHOICE_CHARACTERS = 2000
PATTERN_CHARACTERS = 20_000
SEED_LIMIT = (1 << 63) - 1


def request(arguments: dict, *, whole: bool) -> GenerationRequest:
    """The request that the arguments of generate (prompt, system) or chat (messages, tools) describe.

    whole   whether it is answered at once
    raises  HostError LO101, LO102, LO103, LO105
    """
    constraint = _constraint(arguments)
    found = GenerationRequest(
        messages=_conversation(arguments),
        max_tokens=integer(arguments, "max_tokens", 1, TOKENS_LIMIT),
        temperature=number(arguments, "temperature", 0, 2) if "temperature" in arguments else 0.0,
        top_p=number(arguments, "top_p", 0.0001, 1, 1.0),
        seed=integer(arguments, "seed", 0, SEED_LIMIT),
        stop=_texts(arguments, "stop", STOPS_LIMIT, STOP_CHARACTERS),
        constraint=constraint,
        tools=tools(arguments.get("tools")),
        lane="bulk" if arguments.get("lane") == "bulk" else "interactive",
        whole=whole,
    )
    if constraint and found.tools:
        why = f"{constraint.kind} and tools exclude each other"
        raise HostError(errors.BAD_ARGUMENT, why, "Leave one of them out.")
    if constraint and found.stop:
        why = f"{constraint.kind} says where the text ends: stop would break it"
        raise HostError(errors.BAD_ARGUMENT, why, "Leave one of them out.")
    return found


def _conversation(arguments: dict) -> list[dict]:
    system = optional_text(arguments, "system")
    if system and len(system) > PROMPT_LIMIT:
        why = f"system is {len(system):,} characters, over the limit of {PROMPT_LIMIT:,}"
        raise HostError(errors.INPUT_TOO_LONG, why)
    before = [{"role": "system", "content": system}] if system and not system.isspace() else []
    if "messages" in arguments:
        return [*before, *messages(arguments["messages"])]
    return [*before, {"role": "user", "content": visible(arguments, "prompt", limit=PROMPT_LIMIT)}]


def _constraint(arguments: dict) -> Constraint | None:
    """The one constraint that is given; raises HostError LO103, LO105."""
    given = [kind for kind in KINDS if arguments.get(kind) is not None]
    if len(given) > 1:
        raise HostError(errors.BAD_ARGUMENT, f"{given[0]} and {given[1]} exclude each other", "Pass one of them.")
    if not given:
        return None
    kind, value = given[0], arguments[given[0]]
    if kind == "schema":
        if value is not True and not isinstance(value, dict):
            hint = 'Such as {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}.'
            raise HostError(errors.BAD_SCHEMA, "the JSON schema is no object", hint)
        checking.meant(value)
        if (size := len(orjson.dumps(value))) > checking.SCHEMA_BYTES:
            why = f"the JSON schema is {size:,} bytes, over the limit of {checking.SCHEMA_BYTES:,}"
            raise HostError(errors.BAD_SCHEMA, why, "Ask for fewer properties, in several calls.")
        return Constraint(kind, value)
    if kind == "choices":
        texts = _texts(arguments, kind, CHOICES_LIMIT, CHOICE_CHARACTERS)
        if not texts:
            raise HostError(errors.BAD_ARGUMENT, "choices is empty", "Pass an array of one or more texts.")
        return Constraint(kind, list(dict.fromkeys(texts)))
    if not isinstance(value, str) or not value or len(value) > PATTERN_CHARACTERS:
        raise HostError(errors.BAD_ARGUMENT, f"{kind} must be a text of 1 to {PATTERN_CHARACTERS:,} characters")
    return Constraint(kind, value)


def _texts(arguments: dict, name: str, count: int, characters: int) -> tuple[str, ...]:
    """An array of texts, none of them empty; raises HostError LO103."""
    given = arguments.get(name)
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > count:
        raise HostError(errors.BAD_ARGUMENT, f"{name} must be an array of at most {count:,} texts")
    if not all(isinstance(text, str) and 0 < len(text) <= characters for text in given):
        raise HostError(errors.BAD_ARGUMENT, f"each of {name} must be a text of 1 to {characters:,} characters")
    return tuple(given)
