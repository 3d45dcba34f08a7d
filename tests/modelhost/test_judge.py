"""The judge: what is cheap is checked at once, what may take for ever in a process of its own and in bounded time."""

import asyncio

import pytest

from pglore_host import errors
from pglore_host.errors import HostError
from pglore_host.generation import Constraint
from pglore_host.generation.checking import Mismatch
from pglore_host.generation.judge import LIMIT_S, Judge, is_plain

PLAIN = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
NESTED = {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/a"}}] * 2}
ENDLESS = {"$defs": {"a": NESTED}, "$ref": "#/$defs/a"}  # 2 ** depth ways to look at a nested array


def kept(kind, value, text):
    return asyncio.run(Judge().parsed(Constraint(kind, value), text))


@pytest.mark.parametrize(
    "kind, value, text, parsed",
    [
        ("schema", PLAIN, '{"n": 3}', {"n": 3}),
        ("schema", True, "[1]", [1]),
        ("schema", {"$ref": "#/$defs/a", "$defs": {"a": PLAIN}}, '{"n": 3}', {"n": 3}),
        ("schema", {"type": "string", "pattern": "^a+$"}, '"aa"', "aa"),
        ("choices", ["a", "b"], "b", "b"),
        ("regex", "[a-c]+", "abc", "abc"),
        ("regex", "(" + "a|" * 150 + "b)+", "ab", "ab"),
        ("grammar", 'start: "a" start | "b"', "aab", "aab"),
    ],
)
def test_a_text_that_keeps_its_constraint_is_read(kind, value, text, parsed):
    assert kept(kind, value, text) == parsed


@pytest.mark.parametrize(
    "kind, value, text",
    [
        ("schema", PLAIN, '{"n": "secret"}'),
        ("schema", PLAIN, "secret"),
        ("schema", {"$ref": "#/$defs/a", "$defs": {"a": PLAIN}}, '"secret"'),
        ("choices", ["a", "b"], "secret"),
        ("regex", "[a-c]+", "secret"),
        ("grammar", 'start: "a"', "secret"),
    ],
)
def test_a_text_that_does_not_is_told_without_the_text(kind, value, text):
    with pytest.raises(Mismatch) as caught:
        kept(kind, value, text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "kind, value, code",
    [
        ("schema", {"type": "nonsense"}, errors.BAD_SCHEMA),
        ("schema", {"$ref": "http://127.0.0.1:9/schema"}, errors.BAD_SCHEMA),
        ("schema", {"$ref": "file:///etc/passwd"}, errors.BAD_SCHEMA),
        ("schema", {"pattern": "(?=a)b"}, errors.BAD_SCHEMA),
        ("regex", "(a", errors.BAD_ARGUMENT),
        ("regex", "(" * 300, errors.BAD_ARGUMENT),
        ("grammar", "nonsense", errors.BAD_ARGUMENT),
    ],
)
def test_a_constraint_that_cannot_be_is_an_error_of_the_list(kind, value, code):
    with pytest.raises(HostError) as caught:
        asyncio.run(Judge().admit(Constraint(kind, value)))
    assert caught.value.code == code and caught.value.hint


async def test_what_takes_for_ever_is_ended_and_holds_nobody_up():
    beats = []

    async def beat():
        while True:
            await asyncio.sleep(0.01)
            beats.append(None)

    beside = asyncio.create_task(beat())
    judge, text = Judge(), "[" * 40 + "1" + "]" * 40
    await judge.admit(Constraint("schema", ENDLESS))
    beats.clear()
    with pytest.raises(HostError) as caught:
        async with asyncio.timeout(LIMIT_S + 60):
            await judge.parsed(Constraint("schema", ENDLESS), text)
    beside.cancel()
    assert caught.value.code == errors.BAD_SCHEMA
    assert len(beats) >= 5  # held up there would be none


def test_only_what_takes_next_to_no_time_is_plain():
    assert is_plain(Constraint("schema", PLAIN), "{}") and is_plain(Constraint("schema", True), "{}")
    for schema in (ENDLESS, {"pattern": "a"}, {"items": {"not": {}}}, {"enum": ["x" * 20_000]}):
        assert not is_plain(Constraint("schema", schema), "{}")
    assert not is_plain(Constraint("regex", "a" * 1000), "a") and not is_plain(
        Constraint("schema", True), "x" * 100_000
    )
