"""Constraints: whatever a model would like to write, the text is what was asked for, and it ends in time."""

import json
import re
from pathlib import Path

import jsonschema_rs
import pytest

from pglore_host.errors import HostError
from pglore_host.generation import Constraint, complete, complete_all

from . import language
from .test_generation import asked, folder, loaded  # noqa: F401

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


def thing(required: list[str] | None = None, **properties) -> dict:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


NODE = thing(["value"], child={"$ref": "#/$defs/node"}, value=WHOLE)
SCHEMAS = [
    True,
    {"type": "boolean"},
    {"type": "null"},
    {"enum": ["red", "green", "blue", 7, None]},
    {"const": {"a": [1, 2]}},
    {"type": "integer", "minimum": 1000, "maximum": 2000},
    {"type": "number", "minimum": 0.25, "exclusiveMaximum": 0.75},
    {"type": "string", "minLength": 5, "maxLength": 12},
    {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{2,4}$"},
    {"type": "string", "format": "date"},
    {"type": "array", "items": WHOLE, "minItems": 3, "maxItems": 6},
    {"type": "array", "prefixItems": [TEXT, WHOLE], "items": False, "minItems": 2},
    {"type": ["string", "null"]},
    thing(name=TEXT, age={"type": "integer", "minimum": 0}),
    thing(["id"], id=WHOLE, note=TEXT, tags={"type": "array", "items": TEXT}),
    thing(person=thing(first=TEXT, last=TEXT), score={"type": "number"}, ok={"type": "boolean"}),
    {"type": "object", "additionalProperties": WHOLE},
    {"anyOf": [thing(kind={"const": "a"}, x=WHOLE), thing(kind={"const": "b"}, y=TEXT)]},
    {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
    thing(
        title=TEXT,
        rows={"type": "array", "minItems": 2, "items": thing(["a"], a=WHOLE, b={"enum": ["x", "yy", "zzz"]}, c=TEXT)},
    ),
]


async def test_every_text_under_a_schema_parses_and_fits_it(folder):  # noqa: F811
    requests = [
        asked(f"thing {number}", constraint=language.schema(schema), max_tokens=100, temperature=1.0, seed=number)
        for number in range(50)
        for schema in SCHEMAS
    ]
    async with loaded(folder("Qwen3")) as model:
        found = await complete_all(model, requests)
    assert len(found) == 1000
    for request, answer in zip(requests, found, strict=True):
        assert not isinstance(answer, HostError), (answer.message, request)
        schema = request.constraint.value
        assert jsonschema_rs.is_valid(schema, json.loads(answer.text)), (answer.text, schema)
        assert answer.complete
        assert answer.usage.completion_tokens <= 100


async def test_what_a_single_token_makes_necessary_still_fits(folder):  # noqa: F811
    rows = {"type": "array", "minItems": 12, "items": thing(name={"enum": ["a", "b"]}, count=WHOLE)}
    schema = thing(["words"], words={"type": "array", "items": TEXT}, rows=rows)
    requests = [
        asked("x", constraint=language.schema(schema), max_tokens=300, temperature=1.0, seed=seed) for seed in range(40)
    ]
    async with loaded(folder("Qwen3")) as model:
        for answer in await complete_all(model, requests):
            assert jsonschema_rs.is_valid(schema, json.loads(answer.text)) and answer.complete


async def test_a_pattern_choices_and_a_grammar_hold_too(folder):  # noqa: F811
    words = ["yes", "no", 'it "depends"\non more']
    pattern = r"[a-z]{2,8}@[a-z]+\.(com|org)"
    lark = 'start: "let" " " NAME " = " NUMBER\nNAME: /[a-z]+/\nNUMBER: /[0-9]{1,6}/'
    async with loaded(folder("Llama")) as model:
        for seed in range(20):
            how = {"temperature": 1.0, "seed": seed, "max_tokens": 60}
            chosen = await complete(model, asked("choose", constraint=language.choices(*words), **how))
            assert chosen.text in words and chosen.finish_reason == "stop"
            matched = await complete(model, asked("write", constraint=language.regex(pattern), **how))
            assert re.fullmatch(pattern, matched.text) and matched.complete
            parsed = await complete(model, asked("write", constraint=Constraint("grammar", lark), **how))
            assert re.fullmatch(r"let [a-z]+ = [0-9]{1,6}", parsed.text)


async def test_what_cannot_end_in_time_says_that_it_is_not_complete(folder):  # noqa: F811
    async with loaded(folder("Qwen3")) as model:
        answer = await complete(model, asked("x", constraint=language.regex("[0-9]{400}"), max_tokens=10))
        assert (answer.finish_reason, answer.complete) == ("length", False)
        endless = await complete_all(model, [asked("x", constraint=Constraint("grammar", 'start: "a" start'))])
        assert endless[0].code == "LO103"


async def test_constrained_and_free_texts_run_together_and_are_as_alone(folder):  # noqa: F811
    free = [asked(f"question {number}") for number in range(6)]
    bound = [asked(f"question {number}", constraint=language.schema(SCHEMAS[13]), max_tokens=60) for number in range(6)]
    async with loaded(folder("Qwen3")) as model:
        expected = [(await complete(model, request)).text for request in [*free, *bound]]
        together = await complete_all(model, [request for pair in zip(free, bound, strict=True) for request in pair])
    assert [answer.text for answer in together[0::2] + together[1::2]] == expected


async def test_a_stop_string_ends_a_constrained_text_too(folder):  # noqa: F811
    async with loaded(folder("Qwen3")) as model:
        bound = language.regex("[a-z]{4}-[0-9]{400}")
        answer = await complete(model, asked("x", constraint=bound, stop=["-"], max_tokens=410))
    assert re.fullmatch("[a-z]{4}", answer.text)
    assert (answer.finish_reason, answer.complete) == ("stop", False)


async def test_a_format_that_is_not_known_is_a_remark(folder):  # noqa: F811
    schema = thing(path={"type": "string", "format": "file-path"}, kind={"const": {"format": "pdf"}})
    async with loaded(folder("Qwen3")) as model:
        answer = await complete(model, asked("x", constraint=language.schema(schema), max_tokens=60))
    assert json.loads(answer.text)["kind"] == {"format": "pdf"}


@pytest.mark.parametrize(
    "constraint, why",
    [
        (language.regex("(?=a)b"), "look-around"),
        (language.regex("["), "unclosed character class"),
        (language.schema({"type": "string", "pattern": "(?=a)b"}), "look-around"),
        (language.schema({"$ref": "#"}), "no text that keeps it"),
        (language.schema({"oneOf": [{"type": "integer"}, {"type": "number"}]}), "use anyOf"),
    ],
)
async def test_what_is_wrong_with_a_constraint_is_said_in_words(folder, constraint, why):  # noqa: F811
    async with loaded(folder("Qwen3")) as model:
        (found,) = await complete_all(model, [asked("x", constraint=constraint)])
    assert why in found.message


@pytest.mark.parametrize("kind", ["schema", "regex", "choices", "grammar"])
async def test_values_that_are_no_constraint_are_refused(folder, kind, tmp_path: Path):  # noqa: F811
    async with loaded(folder("Qwen3")) as model:
        for value in (None, 7, [], "", {"a": 1}["a"], "x" * 300_000, [7], ["a"] * 2000):
            found = await complete_all(model, [asked("x", constraint=Constraint(kind, value))])
            assert isinstance(found[0], HostError), value
            assert found[0].code == ("LO105" if kind == "schema" else "LO103")
