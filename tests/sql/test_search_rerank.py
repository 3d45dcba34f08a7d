"""A cross-encoder as the reranker of searches and answers, end to end: a tiny one, real, made for the test."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from .conftest import TEXTS
from .test_registry import MODEL, models  # noqa: F401  a fixture


@pytest.fixture
def keyword():
    """One kind of keyword index: which of them makes no difference here."""
    return "tsvector"


QUERY = "which command reclaims storage"


@pytest.fixture(scope="module")
def cross_encoder():
    """The folder of a cross-encoder by chance, where the server's account can read it."""
    pytest.importorskip("sentence_transformers")
    from ..modelhost import zoo

    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        folder = zoo.reranker(Path(place) / "cross", MODEL)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)
        yield folder


@pytest.fixture
def pages(db, cross_encoder, models):  # noqa: F811
    """A collection with titles and headings, and the alias of the cross-encoder."""
    db.execute("SELECT lore.add_model('cross', 'rerank', %s, '{\"dtype\": \"float32\"}')", [str(cross_encoder)])
    db.execute("SELECT lore.create_collection('manual', keyword => 'tsvector')")
    for key, text in TEXTS.items():
        content = f"# About {key}\n\n{text}" if key < "r" else text
        db.execute("SELECT lore.add('manual', %s, %s, jsonb_build_object('title', %s::text))", [key, content, key])
    return "cross"


def search(db, **arguments):
    named = "".join(f", {name} => %({name})s" for name in arguments)
    return db.execute(
        f"SELECT rank, key, score, rerank_score, concat_ws(E'\\n', metadata ->> 'title', heading, content) "
        f"FROM lore.search('manual', %(query)s{named})".encode(),
        {"query": QUERY, **arguments},
    ).fetchall()


def test_the_score_of_each_hit_is_the_cross_encoders_own(db, pages, cross_encoder):
    from sentence_transformers import CrossEncoder

    hits = search(db, rerank="cross", k=6)
    assert len(hits) == 6
    expected = CrossEncoder(str(cross_encoder), device="cpu").predict([(QUERY, text) for *_, text in hits])
    np.testing.assert_allclose([hit[3] for hit in hits], expected, atol=1e-4)


def test_the_cross_encoder_has_its_say_beside_the_fusion(db, pages):
    plain, reranked = search(db, k=6), search(db, rerank="cross", k=6)
    assert {hit[1] for hit in plain} == {hit[1] for hit in reranked}
    assert all(hit[3] is None for hit in plain)
    assert [hit[2] for hit in reranked] == sorted((hit[2] for hit in reranked), reverse=True)

    def normalised(values):
        return (np.array(values) - np.mean(values)) / np.std(values)

    before = {hit[1]: hit[2] for hit in plain}
    total = normalised([before[hit[1]] for hit in reranked]) + normalised([hit[3] for hit in reranked])
    np.testing.assert_allclose([hit[2] for hit in reranked], total, atol=1e-6)


@pytest.mark.parametrize("mode", ["vector", "keyword", "hybrid"])
def test_every_mode_and_every_other_option_reranks(db, pages, mode):
    options = {
        "mode": mode,
        "diversity": 0.2,
        "neighbours": 1,
        "per_document": 2,
        "filter": '{"title": {"$ne": "wal"}}',
    }
    hits = search(db, rerank="cross", k=3, **options)
    assert hits and all(hit[3] is not None for hit in hits) and "wal" not in {hit[1] for hit in hits}
    statement = db.execute(
        "SELECT lore.search_sql('manual', %s, k => 3, mode => %s, rerank => 'cross')", [QUERY, mode]
    ).fetchone()[0]
    expected = db.execute(
        "SELECT key, rerank_score FROM lore.search('manual', %s, k => 3, mode => %s, rerank => 'cross')", [QUERY, mode]
    ).fetchall()
    rows = db.execute(statement.encode()).fetchall()
    assert [(row[1], pytest.approx(row[12], abs=1e-5)) for row in rows] == expected


def test_default_is_the_reranker_that_was_made_the_default(db, pages):
    late = search(db, rerank="default")
    db.execute("SELECT lore.set_default('cross')")
    assert search(db, rerank="default") == search(db, rerank="cross")
    assert [hit[3] for hit in late] != [hit[3] for hit in search(db, rerank="default")]


def test_ask_and_context_and_search_all_and_explain_take_it(db, pages):
    sources = db.execute("SELECT sources FROM lore.ask('manual', %s, rerank => 'cross')", [QUERY]).fetchone()[0]
    assert sources and all(source["scores"]["rerank"] is not None for source in sources)
    plain = db.execute("SELECT sources FROM lore.ask('manual', %s, rerank => NULL)", [QUERY]).fetchone()[0]
    assert all(source["scores"]["rerank"] is None for source in plain)
    assert db.execute(
        "SELECT bool_and(rerank_score IS NOT NULL) FROM lore.context('manual', %s, rerank => 'cross')", [QUERY]
    ).fetchone() == (True,)
    assert db.execute(
        "SELECT bool_and(rerank_score IS NOT NULL) FROM lore.search_all('{manual}', %s, rerank => 'cross')", [QUERY]
    ).fetchone() == (True,)
    stages = db.execute("SELECT stage FROM lore.explain_search('manual', %s, rerank => 'cross')", [QUERY]).fetchall()
    assert ("rerank",) in stages


CALLS = (
    "lore.search('manual', 'q', rerank => {})", "lore.search('manual', 'q', rerank => {}, mode => 'vector')",
    "lore.ask('manual', 'q', rerank => {})", "lore.context('manual', 'q', rerank => {})",
    "lore.search_all('{{manual}}', 'q', rerank => {})", "lore.explain_search('manual', 'q', rerank => {})",
)  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_what_is_no_reranker_is_unknown(db, pages, fails, call):
    aliases = ["'absent'", "'all-minilm-l6-v2'", "'extractive'", "''", "'x''; DROP TABLE lore_data.collections; --'"]
    assert [fails(f"SELECT * FROM {call.format(alias)}".encode()) for alias in aliases] == ["LO201"] * len(aliases)
    assert db.execute(f"SELECT * FROM {call.format('NULL')}".encode()).fetchall()


def test_a_cross_encoder_that_was_dropped_is_unknown_at_once(db, pages, fails):
    search(db, rerank="cross")
    db.execute("SELECT lore.drop_model('cross')")
    assert fails("SELECT * FROM lore.search('manual', 'q', rerank => 'cross')") == "LO201"


def test_a_reader_reranks_but_cannot_name_a_folder(db, pages, cross_encoder, connect, role, fails):
    reader = connect(user=role("lore_reader"))
    assert reader.execute("SELECT rerank_score FROM lore.search('manual', 'q', rerank => 'cross')").fetchone()[0]
    path = [str(cross_encoder)]
    assert fails("SELECT * FROM lore.search('manual', 'q', rerank => %s)", path, on=reader) == "LO201"


def test_variants_of_an_evaluation_compare_rerankers(db, pages):
    rows = db.execute("""SELECT variant FROM lore.evaluate('manual', '{"q": "purring cats"}', '{"q": {"cats": 1}}',
        variants => '{"none": {}, "late": {"rerank": "late-interaction"}, "cross": {"rerank": "cross"}}')""").fetchall()
    assert [row[0] for row in rows] == ["none", "late", "cross"]
    named = db.execute("SELECT reranker, reranker_fingerprint IS NULL FROM lore.evaluations ORDER BY 1").fetchall()
    assert named == [("cross", False), ("late-interaction", False), (None, True)]
