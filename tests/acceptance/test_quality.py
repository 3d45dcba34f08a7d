"""Ranking and answers on public test collections, through SQL, with all defaults."""

import pytest

from bench import answers, common, retrieval


@pytest.fixture
def dataset(db, shared_data, monkeypatch):
    """A function that loads a data set into a collection: dataset('cranfield')."""
    monkeypatch.setenv("PGLORE_DATA", str(shared_data))
    if db.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_textsearch'").fetchone():
        db.execute("CREATE EXTENSION IF NOT EXISTS pg_textsearch")

    def load(name):
        data = common.beir(name)
        common.fill(db, name, data.documents)
        return data

    return load


def test_dense_search_on_xquad_is_as_good_as_published(db, dataset):
    data = dataset("xquad-en")
    scores = retrieval.measure(db, "xquad-en", data, retrieval.VARIANTS["dense"])
    assert scores["ndcg@10"] == pytest.approx(0.944, abs=0.005)


def test_hybrid_search_on_cranfield_is_better_than_either_arm(db, dataset):
    data = dataset("cranfield")
    assert retrieval.measure(db, "cranfield", data, retrieval.VARIANTS["hybrid"])["ndcg@10"] >= 0.43


def test_answers_of_two_sentences_hold_what_was_asked_for(db, dataset):
    data = dataset("xquad-en")
    data.queries[:] = data.queries[::12]  # a hundred, from all articles
    result = answers.answered(db, "xquad-en", data, misses=False)
    assert result["gold_in_answer"] >= 0.85
    assert result["refused"] <= 0.05
