"""lore.estimate: tokens as the model will count them, seconds as this host has taken."""

import json

import psycopg
import pytest

TEXTS = "ARRAY(SELECT 'text number ' || i || repeat(' with more words', i % 9) FROM generate_series(1, {}) AS i)"


def one(db, statement, *parameters):
    return db.execute(statement, parameters or None).fetchone()


def test_the_tokens_of_an_embedding_are_those_it_takes(db):
    texts = TEXTS.format(150)
    columns = "model_used, texts, sampled, input_tokens, output_tokens, exact, seconds > 0, tokens_per_s > 0"
    model, count, sampled, tokens, *rest = one(db, f"SELECT {columns} FROM lore.estimate('embed', {texts})")
    db.execute(f"SELECT lore.embed({texts})")
    spent = one(
        db, "SELECT input_tokens FROM lore.calls WHERE pid = pg_backend_pid() AND operation = 'embed' ORDER BY id DESC"
    )
    assert (model, count, sampled, rest) == ("all-minilm-l6-v2", 150, 150, [0, True, True, True])
    assert tokens == spent[0]


def test_a_sample_stands_for_all_and_the_model_reads_no_more(db):
    texts, large = TEXTS.format(2000), TEXTS.format(200)
    sampled, tokens = one(db, f"SELECT sampled, input_tokens FROM lore.estimate('embed', {texts})")
    known = one(db, f"SELECT input_tokens FROM lore.estimate('embed', {large})")[0] * 10
    assert sampled == 200 and abs(tokens - known) < 0.1 * known
    total = one(db, f"SELECT texts, input_tokens FROM lore.estimate('embed', {large}, total => 1000000)")
    assert total[0] == 1000000 and abs(total[1] - known * 500) < 0.01 * known * 500


@pytest.fixture
def fresh(db, chat_server):
    """The alias of a language model that nobody has called yet."""
    options = json.dumps({"name": chat_server[1], "structured": "none"})
    db.execute("SELECT lore.add_model('fresh', 'generate', %s, %s, replace => true)", [chat_server[0], options])
    yield "fresh"
    with psycopg.connect(db.info.dsn, autocommit=True) as owner:
        owner.execute("SELECT lore.drop_model('fresh', if_exists => true)")


def test_what_a_generator_writes_and_how_fast_is_learned_from_its_calls(db, fresh):
    columns = "output_tokens, most_output_tokens, seconds, exact, input_tokens > 0"
    given = "ARRAY['abcdefgh', 'ijklmnop'], model => 'fresh', max_tokens => 50"
    estimate = f"SELECT {columns} FROM lore.estimate('generate', {given})"
    assert one(db, estimate) == (100, 100, None, False, True)
    for _ in range(2):
        db.execute("SELECT lore.generate('abcdefgh', model => 'fresh', max_tokens => 6)")
    spent = one(db, "SELECT sum(work_ms) / 1000 FROM lore.calls WHERE model = 'fresh' AND operation = 'generate'")[0]
    written, most, seconds, *_ = one(db, estimate)
    assert (written, most) == (12, 100) and seconds == pytest.approx(spent, rel=0.7)


@pytest.mark.parametrize("operation", ["rerank", "generate", "classify", "summarize"])
def test_there_is_an_estimate_without_a_language_model(db, operation):
    given = ", query => 'a question'" if operation == "rerank" else ""
    read, written, seconds = one(
        db, f"SELECT input_tokens, output_tokens, seconds FROM lore.estimate('{operation}', {TEXTS.format(5)}{given})"
    )
    assert read > 20 and written == 0 and seconds > 0


def test_a_column_is_estimated_without_reading_all_of_a_large_table(db):
    db.execute("""
        CREATE TABLE public.notes AS SELECT i, CASE WHEN i % 4 > 0 THEN 'note number ' || i END AS body
        FROM generate_series(1, 120000) AS i""")
    db.execute("ANALYZE public.notes")
    texts, sampled = one(db, "SELECT texts, sampled FROM lore.estimate_column('embed', 'public.notes', 'body')")
    assert abs(texts - 90000) < 4000 and sampled == 200
    db.execute("CREATE VIEW public.few AS SELECT i, body FROM public.notes WHERE i <= 40")
    assert one(db, "SELECT texts, sampled FROM lore.estimate_column('embed', 'public.few', 'body')") == (30, 30)
    assert one(db, "SELECT texts FROM lore.estimate_column('embed', 'public.few', 'i')") == (40,)


def test_nothing_costs_nothing_and_nonsense_is_refused(db, fails, role, connect):
    assert one(db, "SELECT texts, input_tokens, seconds FROM lore.estimate('embed', '{}')") == (0, 0, 0)
    assert one(db, "SELECT texts, seconds FROM lore.estimate('embed', ARRAY[NULL, ' '])") == (0, 0)
    assert one(db, "SELECT model_used FROM lore.estimate(NULL, ARRAY['a'])") == (None,)
    assert fails("SELECT lore.estimate('dance', ARRAY['a'])") == "LO103"
    assert fails("SELECT lore.estimate('embed', ARRAY['a'], total => -1)") == "LO103"
    assert fails("SELECT lore.estimate('embed', ARRAY['a'], model => 'nothing')") == "LO201"
    assert fails("SELECT lore.estimate_column('embed', 'pg_class', 'no such')") == "42703"
    reader = connect(user=role("lore_reader"))
    assert fails("SELECT lore.estimate_column('embed', 'pg_authid', 'rolname')", on=reader) == "42501"
