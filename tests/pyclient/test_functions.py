"""The functions on text: each method against the same SQL, sync and async."""

import dataclasses
import inspect
import logging

import psycopg
import pytest

import pglore
from pglore.call import vector
from pglore.search import SearchOptions


def test_embed_gives_the_vector_that_sql_gives(lore, db):
    found = lore.embed("reclaim disk space", input_type="query")
    [expected] = db.execute("SELECT lore.embed('reclaim disk space', input_type => 'query')::text").fetchone()
    assert found == pytest.approx(vector(expected), abs=1e-6)
    assert sum(x * x for x in found) == pytest.approx(1, abs=1e-4)


def test_embed_of_many_keeps_order_and_none(lore):
    first, none, second = lore.embed(["one", None, "two"])
    assert none is None
    assert first == pytest.approx(lore.embed("one"), abs=1e-2)
    assert second == pytest.approx(lore.embed("two"), abs=1e-2)
    assert lore.embed([]) == []


def test_embed_of_an_empty_text_raises_empty_input(lore):
    with pytest.raises(pglore.EmptyInput) as caught:
        lore.embed("  ")
    assert caught.value.hint


def test_embed_cuts_texts_and_vectors_when_asked(lore):
    long = "The weather was fine and nothing happened. " * 40
    first, second = lore.embed([long + "Snow.", long + "Rain, and wind all night."], truncate=True, dimensions=100)
    assert len(first) == len(second) == 100
    assert first == pytest.approx(second, abs=1e-2)
    with pytest.raises(pglore.BadArgument):
        lore.embed("text", dimensions=385)


def test_embed_with_an_unknown_model_raises_unknown_model(lore):
    with pytest.raises(pglore.UnknownModel):
        lore.embed("text", model="no-such-model")


def test_tokens_counts(lore):
    assert lore.tokens("one two three") == 3


def test_similarity_orders_meanings(lore):
    near = lore.similarity("shrink a table", "reclaim disk space")
    assert near > lore.similarity("shrink a table", "the cat sat on the mat")


def test_rerank_puts_the_best_first(lore):
    documents = ["The cat sat.", "VACUUM reclaims disk space.", "Rain falls."]
    ranked = lore.rerank("how to reclaim disk space", documents, top_k=2)
    assert [type(one) for one in ranked] == [pglore.Ranked] * 2
    assert (ranked[0].ordinal, ranked[0].document) == (2, documents[1])
    assert ranked[0].score >= ranked[1].score


def test_chunks_are_where_their_spans_say(lore):
    text = "# Care\n\n" + "Tables grow. Vacuum them. " * 40
    chunks = lore.chunk(text, size=32)
    assert len(chunks) > 1
    for number, chunk in enumerate(chunks):
        assert isinstance(chunk, pglore.Chunk)
        assert text[slice(*chunk.span)] == chunk.content
        assert (chunk.ordinal, chunk.heading) == (chunks[0].ordinal + number, "Care")


def test_parse_reads_html(lore):
    page = b"<html><head><title>Care</title></head><body><h1>Care</h1><p>Vacuum &amp; analyze.</p></body></html>"
    parsed = lore.parse(page, mime="text/html")
    assert parsed.title == "Care"
    assert "Vacuum & analyze." in parsed.content


def test_models_hold_a_default_for_each_task(lore):
    defaults = {model.task: model.alias for model in lore.models() if model.is_default}
    assert set(defaults) == {"embed", "rerank", "generate"}


def test_host_status_tells_the_process(lore):
    status = lore.host_status()
    assert isinstance(status, pglore.HostStatus)
    assert status.pid > 0
    assert status.uptime.total_seconds() >= 0


def test_host_metrics_tell_what_each_model_did(lore):
    lore.embed("text")
    (found,) = [row for row in lore.host_metrics() if row.alias == "all-minilm-l6-v2"]
    assert isinstance(found, pglore.HostMetrics)
    assert found.requests > 0 and found.parts["interactive"]["infer"]["p50"] > 0
    assert found.last_used.tzinfo is not None


def test_doctor_gives_findings(lore):
    assert all(isinstance(finding, pglore.Finding) for finding in lore.doctor())


def test_a_long_text_is_embedded_with_a_notice_in_the_log(lore, caplog):
    with caplog.at_level(logging.INFO, logger="pglore"):
        lore.embed("vacuum the table " * 200)
    assert "window" in caplog.text


def test_a_connection_of_ones_own_can_be_wrapped_and_stays_ones_own(dsn):
    with psycopg.connect(dsn) as connection:
        client = pglore.Client(connection)
        client.create_collection("mine").add("a", "Text.")
        connection.rollback()
        assert client.collections() == []
    with pglore.connect(dsn) as client:
        assert client.connection.autocommit


def test_the_dsn_is_taken_from_the_environment(dsn, monkeypatch):
    monkeypatch.setenv("PGLORE_DSN", dsn)
    with pglore.connect() as client:
        assert client.connection.info.dbname in dsn


METHODS = [
    (pglore.Client, "tokens", "tokens"), (pglore.Client, "similarity", "similarity"),
    (pglore.Client, "rerank", "rerank"), (pglore.Client, "chunk", "chunk"), (pglore.Client, "parse", "parse"),
    (pglore.Client, "create_collection", "create_collection"),
    (pglore.Collection, "search", "search"), (pglore.Collection, "search_sql", "search_sql"),
    (pglore.Collection, "context", "context"), (pglore.Collection, "ask", "ask"),
    (pglore.Collection, "ask_stream", "ask_stream"), (pglore.Client, "set_template", "set_template"),
    (pglore.Client, "drop_template", "drop_template"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "method", "function"), METHODS)
def test_a_method_takes_the_arguments_of_its_function_with_the_same_defaults(db, kind, method, function):
    rows = db.execute(
        "SELECT n.name, pg_get_function_arg_default(p.oid, n.ordinal::int) FROM pg_proc p,"
        " unnest(p.proargnames[:p.pronargs]) WITH ORDINALITY AS n(name, ordinal)"
        " WHERE p.pronamespace = 'lore'::regnamespace AND p.proname = %s",
        [function],
    ).fetchall()
    expected = {name: None if default is None else default.split("::")[0].strip("'") for name, default in rows}
    given = inspect.signature(getattr(kind, method)).parameters
    optional = {name: one.default for name, one in given.items() if one.default is not inspect.Parameter.empty}
    names = set(given) - {"self", "name"}
    if "options" in names:  # those of a search, or of a question
        options = pglore.AskOptions if method.startswith("ask") else SearchOptions
        names = names - {"options"} | set(options.__annotations__)
    own = {"name"} if "name" in expected else {"collection"}
    assert names == set(expected) - own
    for name, default in optional.items():
        default = "{}" if default == () else default
        assert str(default).lower().replace("none", "null") == (expected[name] or "").lower(), name


RESULTS = [
    (pglore.Model, "lore.models"),
    (pglore.CollectionInfo, "lore.collections"),
    (pglore.HostStatus, "lore.host_status()"),
    (pglore.HostMetrics, "lore.host_metrics()"),
    (pglore.Finding, "lore.doctor()"),
    (pglore.Ranked, "lore.rerank('a', ARRAY['a'])"),
    (pglore.Chunk, "lore.chunk('a')"),
    (pglore.Parsed, "lore.parse('a')"),
    (pglore.Added, "lore.add_many('c', '{}', '{}')"),
    (pglore.Hit, "lore.search('c', 'a')"),
    (pglore.Passage, "lore.context('c', 'a')"),
    (pglore.Answer, "lore.ask('c', 'a')"),
    (pglore.AnswerPiece, "lore.ask_stream('c', 'a')"),
    (pglore.Template, "lore.templates"),
]


@pytest.mark.parametrize(("kind", "relation"), RESULTS)
def test_a_result_has_the_columns_of_its_function_in_their_order(db, kind, relation):
    db.execute("SELECT lore.create_collection('c')")
    columns = [column.name for column in db.execute(f"SELECT * FROM {relation} LIMIT 0").description]
    assert [field.name for field in dataclasses.fields(kind)] == columns
