"""Texts through the client, sync and async: at once, in pieces, in a conversation, as objects."""

import dataclasses
import datetime
import decimal
import enum
import inspect
import json
import threading
import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Literal

import psycopg
import pytest

import pglore
from pglore.objects import Maker, closed

SAID = [{"role": "user", "content": "hello"}]


@pytest.fixture
def prompt(db) -> str:
    """A question with its source, for the extractive generator."""
    return db.execute("SELECT lore.prompt('What reclaims space?', ARRAY['VACUUM reclaims space.'])").fetchone()[0]


@dataclasses.dataclass
class Invoice:
    """What a letter is to be read into."""

    number: int
    customer: str


def test_generate_answers_from_the_prompt(lore, prompt):
    assert "VACUUM" in lore.generate(prompt)


def test_many_prompts_give_their_texts_in_order(lore, writer):
    many = lore.generate(["hello", None, "goodbye"], model=writer, max_tokens=5)
    assert many == [lore.generate("hello", model=writer, max_tokens=5), None, many[2]] and many[2]


def test_a_result_tells_of_the_text(lore, writer):
    found = lore.generate_result("hello", model=writer, max_tokens=5)
    assert isinstance(found, pglore.Generation) and str(found) == found.text == lore.generate(
        "hello", model=writer, max_tokens=5
    )
    assert (found.finish_reason, found.completion_tokens, found.model) == ("length", 5, writer)
    assert found.timings["total_ms"] > 0


def test_a_conversation_goes_on(lore, writer):
    assert lore.chat(SAID, model=writer, max_tokens=5).text
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    assert lore.chat(SAID, model=writer, max_tokens=5, tools=[tool]).finish_reason == "length"


@pytest.mark.parametrize("ask", ["generate_stream", "chat_stream"])
def test_pieces_come_as_they_are_written(lore, writer, ask):
    given = "hello" if ask == "generate_stream" else SAID
    with closing(getattr(lore, ask)(given, model=writer, max_tokens=100000)) as pieces:
        assert next(iter(pieces)).text
        assert lore.host_status().active == 1  # the rest is still being written
    pieces = list(getattr(lore, ask)(given, model=writer, max_tokens=100))
    assert [piece.finish_reason for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert pieces[-1].finish_reason == "length" and pieces[-1].completion_tokens == 100
    whole = lore.generate("hello", model=writer, max_tokens=100)
    assert "".join(piece.text for piece in pieces) == whole


def test_a_closed_iterator_stops_the_model_and_leaves_the_connection_clean(lore, writer, idle):
    with closing(lore.generate_stream("hello", model=writer, max_tokens=100000)) as pieces:
        assert next(iter(pieces)).text
    idle()
    assert lore.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert lore.generate("hello", model=writer, max_tokens=3)


def test_the_connection_can_be_used_between_two_pieces_and_what_is_done_there_stays(lore, writer):
    for number, _ in enumerate(lore.generate_stream("hello", model=writer, max_tokens=5)):
        lore.create_collection(f"c{number}")
    assert "c0" in [collection.name for collection in lore.collections()]


def test_an_error_of_a_stream_is_one_of_the_list(lore, writer):
    with pytest.raises(pglore.EmptyInput):
        list(lore.generate_stream("", model=writer))
    with pytest.raises(pglore.UnknownModel):
        list(lore.generate_stream("a", model="none"))
    with pytest.raises(pglore.BadSchema):
        lore.generate("a", model=writer, schema={"type": "nonsense"})
    with pytest.raises(pglore.UnknownEngine) as caught:
        lore.generate("a", choices=["yes", "no"])
    assert "add_model" in caught.value.hint
    assert lore.generate("hello", model=writer, max_tokens=3)


def test_what_a_class_asks_for_is_a_schema_and_what_comes_back_an_object(monkeypatch, dsn):
    asked = []

    class Stub(pglore.Client):
        def _rows(self, statement):
            asked.append(statement)
            return [{**dict.fromkeys(pglore.Generation.__match_args__), "parsed": {"number": 7, "customer": "Ann"}}]

    assert Stub(None).generate_as(Invoice, "Read this.", model="m") == Invoice(7, "Ann")
    sent = json.loads(json.dumps(asked[0][1][-1].obj))
    assert sent == Maker(Invoice).schema and sent["required"] == ["number", "customer"]
    assert Stub(None).chat_as(Invoice, SAID, model="m") == Invoice(7, "Ann")
    assert json.loads(json.dumps(asked[1][1][-1].obj)) == sent and b"lore.chat" in asked[1][0]


def test_an_answer_that_is_no_object_is_said_to_be_none(lore, writer):
    with pytest.raises(pglore.BadArgument) as caught:
        lore.generate_as(Invoice, "Read this.", model=writer, max_tokens=3)
    assert "max_tokens" in caught.value.hint


class Colour(enum.Enum):
    """One of two."""

    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Part:
    """What an order holds."""

    name: str
    weight: float | None


@dataclasses.dataclass
class Order:
    """Of all kinds of fields that JSON can say."""

    part: Part
    parts: list[Part]
    maybe: Part | None
    colour: Colour
    size: Literal["s", "m"]
    at: datetime.datetime
    day: datetime.date
    number: uuid.UUID
    tags: set[str]
    pair: tuple[int, str]
    counts: dict[str, int]
    price: decimal.Decimal
    properties: int = 3


PART = {"name": "bolt", "weight": None}
ORDER = {
    "part": PART, "parts": [PART, PART], "maybe": None, "colour": "red", "size": "m", "at": "2026-11-21T08:00:00Z",
    "day": "2026-11-21", "number": "12345678-1234-5678-1234-567812345678", "tags": ["a", "a"], "pair": [1, "b"],
    "counts": {"a": 1}, "price": "1.50",
}  # fmt: skip


def wrote(parsed: object, text: str = "...") -> pglore.Generation:
    return pglore.Generation(text, parsed, None, "stop", 1, 1, None, "m")


def test_fields_of_all_kinds_become_objects():
    found = Maker(Order).make(wrote(ORDER))
    assert found.parts == [Part("bolt", None)] * 2 and found.maybe is None and found.colour is Colour.RED
    assert found.at == datetime.datetime(2026, 11, 21, 8, tzinfo=datetime.UTC) and found.day.year == 2026
    assert (found.tags, found.pair, found.price, found.properties) == ({"a"}, (1, "b"), decimal.Decimal("1.50"), 3)
    assert Maker(list[Part]).make(wrote([PART])) == [Part("bolt", None)]
    assert Maker(int | None).make(wrote(None, "null")) is None


def test_objects_have_no_properties_but_those_of_the_class():
    schema = Maker(Order).schema
    assert schema["additionalProperties"] is schema["$defs"]["Part"]["additionalProperties"] is False
    assert schema["properties"]["counts"]["additionalProperties"] == {"type": "integer"}
    assert "additionalProperties" not in schema["properties"] and "uniqueItems" not in schema["properties"]["tags"]
    odd = {"properties": {"default": {"properties": {"a": {}}}}, "default": {"properties": {}}}
    assert closed(odd)["properties"]["default"]["additionalProperties"] is False
    assert closed(odd)["default"] == {"properties": {}}
    assert closed({"properties": {}, "additionalProperties": True})["additionalProperties"] is True


def test_what_cannot_be_an_object_says_why():
    with pytest.raises(pglore.BadArgument, match="not whole: stop"):
        Maker(Part).make(wrote(None, '{"name": '))
    with pytest.raises(pglore.BadArgument, match=r"part\.name: "):
        Maker(Order).make(wrote({**ORDER, "part": {"name": 7, "weight": None}}))
    for kind in (object(), threading.Thread, Callable[[], int]):
        with pytest.raises(pglore.BadArgument, match="JSON schema"):
            Maker(kind)
    with pytest.raises(pglore.BadArgument, match="leave out choices"):
        pglore.Client(None).generate_as(Part, "Read this.", choices=["a"])


OPTIONS = [
    ("generate", pglore.PromptOptions),
    ("generate_result", pglore.PromptOptions),
    ("generate_stream", pglore.PromptOptions),
    ("chat", pglore.ChatOptions),
    ("chat_stream", pglore.ChatOptions),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_a_method_takes_the_arguments_of_its_function(db, name, options):
    [given] = db.execute(
        "SELECT proargnames[:pronargs] FROM pg_proc WHERE pronamespace = 'lore'::regnamespace AND proname = %s "
        "AND proargtypes[0] IN ('text'::regtype, 'jsonb'::regtype)",
        [name],
    ).fetchone()
    method = set(inspect.signature(getattr(pglore.Client, name)).parameters) - {"self", "options"}
    assert method | options.__optional_keys__ == set(given)


def test_a_generation_has_the_columns_of_its_type(db):
    columns = [column.name for column in db.execute("SELECT * FROM lore.generate_result(NULL)").description]
    assert [field.name for field in dataclasses.fields(pglore.Generation)] == columns
