"""Answers of the client: conversations, templates, pieces as they are written; each sync and async."""

from contextlib import closing

import psycopg
import pytest

import pglore

TALK = [{"role": "user", "content": "What does VACUUM do?"}, {"role": "assistant", "content": "It reclaims storage."}]


def test_an_answer_tells_why_it_ended(pages):
    assert pages.ask("What reclaims storage?").finish_reason == "stop"
    answer = pages.ask("Who won the football world cup in 1998?")
    assert (answer.finish_reason, answer.sources) == ("no_answer", [])


def test_a_question_of_a_conversation_takes_every_argument(pages):
    answer = pages.ask(
        "And what occupies it?", history=TALK, language="English", template="default", k=3, max_tokens=None,
        fusion="rrf", diversity=0.2, weights={"keyword": 1}, match="any", filter={"year": {"$gte": 2000}},
    )  # fmt: skip
    assert answer.usage["searched"] == "And what occupies it? (VACUUM)"
    assert pages.ask("And what occupies it?", history=[]).usage["searched"] == "And what occupies it?"
    with pytest.raises(TypeError, match="sources"):
        pages.ask("a", sources=3)
    with pytest.raises(pglore.BadArgument):
        pages.ask("a", history=[{"role": "system", "content": "b"}])


def test_a_quoted_answer_is_one_piece_with_its_sources(pages):
    [piece] = list(pages.ask_stream("What reclaims storage?"))
    assert isinstance(piece, pglore.AnswerPiece) and isinstance(piece.sources[0], pglore.Source)
    assert str(piece) == pages.ask("What reclaims storage?").answer and piece.finish_reason == "stop"


def test_pieces_come_one_by_one_and_a_closed_iterator_stops_the_model(lore, pages, writer, idle):
    pieces = list(pages.ask_stream("What reclaims storage?", model=writer, answer_tokens=12))
    assert len(pieces) > 1 and [piece.sources for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert pieces[-1].usage["template"] == "default@0" and pieces[-1].finish_reason in ("stop", "length")
    with closing(pages.ask_stream("What reclaims storage?", model=writer, answer_tokens=100000)) as stream:
        assert next(iter(stream)).answer
    idle()
    assert lore.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_an_error_of_a_stream_is_one_of_the_list(pages):
    with pytest.raises(pglore.UnknownModel):
        list(pages.ask_stream("What?", model="none"))


def test_templates_are_written_listed_and_dropped(lore, pages):
    assert lore.set_template("brief", "{sources} {question}", system="Be brief.") == 1
    assert lore.set_template("brief", "{sources}: {question}", collection=pages.name) == 1
    found = {(one.name, one.collection): one for one in lore.templates()}
    assert found["brief", "pages"].prompt == "{sources}: {question}" and found["brief", None].system == "Be brief."
    assert found["default", None].version == 0 and found["default", None].created_at is None
    assert lore.drop_template("brief", collection="pages", version=1) == 1
    assert lore.drop_template("brief") == 1
    with pytest.raises(pglore.BadArgument):
        lore.set_template("brief", "{question}")
