"""Collections: each method, sync and async."""

import datetime

import psycopg
import pytest

import pglore
from pglore import documents


def test_a_collection_is_listed_with_its_size(lore, pages):
    [info] = lore.collections()
    assert isinstance(info, pglore.CollectionInfo)
    assert (info.name, info.documents, info.chunks) == ("pages", 4, 4)


def test_making_a_collection_twice_is_refused_unless_said_otherwise(lore, pages):
    with pytest.raises(pglore.BadArgument):
        lore.create_collection("pages")
    assert lore.create_collection("pages", if_not_exists=True).name == "pages"


def test_add_says_what_it_did(pages):
    assert pages.add("new", "A trigger runs a function.") == "added"
    assert pages.add("new", "A trigger runs a function.") == "unchanged"
    assert pages.add("new", "A rule rewrites a query.") == "updated"


def test_add_many_counts_and_the_same_again_costs_nothing(lore):
    collection = lore.create_collection("many")
    some = [(f"key {n}", f"Text number {n}.", {"n": n}) for n in range(5)]
    first = collection.add_many(iter(some))
    assert (first.added, first.updated, first.unchanged) == (5, 0, 0)
    assert first.chunks == 5 and first.tokens > 0
    assert collection.add_many(some) == pglore.Added(unchanged=5)
    assert collection.add_many([]) == pglore.Added()


def test_add_many_sends_long_loads_in_batches(lore, monkeypatch):
    monkeypatch.setattr(documents, "BATCH_DOCUMENTS", 2)
    collection = lore.create_collection("many")
    with pytest.raises(pglore.EmptyInput):
        collection.add_many([("a", "One."), ("b", "Two."), ("c", "Three."), ("d", " ")])
    assert lore.collections()[0].documents == 2


def test_batches_hold_what_fits():
    texts = [documents.Document(str(n), "x" * 100_000) for n in range(5)] + [documents.Document("long", "x" * 900_000)]
    assert [len(batch) for batch in documents.batches(texts)] == [2, 2, 1, 1]


def test_metadata_may_hold_dates(pages):
    pages.add("dated", "A release.", {"on": datetime.date(2026, 1, 31)})
    assert pages.search("release", k=1)[0].metadata["on"] == "2026-01-31"


def test_documents_are_read_as_they_were_added(pages):
    pages.add_many([("z", "Dogs bark.", {"n": 1}), ("y", "Cats purr.")])
    assert pages.documents(["z", "none"]) == [pglore.Document("z", "Dogs bark.", {"n": 1})]
    assert pages.documents("y") == [pglore.Document("y", "Cats purr.")] and pages.documents([]) == []
    assert len(pages.documents()) > 2


def test_remove_counts_what_was_there(pages):
    assert pages.remove("vacuum") == 1
    assert pages.remove(["vacuum", "backup", "no such key"]) == 1


def test_search_finds_the_page_with_scores_and_span(pages):
    hits = pages.search("reclaim disk space", k=2)
    assert [hit.rank for hit in hits] == [1, 2]
    best = hits[0]
    assert isinstance(best, pglore.Hit)
    assert best.key == "vacuum"
    assert best.metadata == {"title": "Vacuum", "year": 2020}
    assert best.span == (0, len(best.content))
    assert best.score >= hits[1].score


@pytest.mark.parametrize("mode", ["vector", "keyword", "hybrid"])
def test_search_has_three_modes(pages, mode):
    assert pages.search("backup of a database", mode=mode)[0].key == "backup"


def test_search_filters_and_reranks(pages):
    hits = pages.search("storage", filter={"year": {"$gte": 2021}}, rerank="default")
    assert {hit.key for hit in hits} == {"backup", "index"}
    assert all(hit.rerank_score is not None for hit in hits)


def test_search_takes_fusion_diversity_and_neighbours(pages):
    hits = pages.search("storage", k=2, fusion="rrf", diversity=0.5, neighbours=1)
    assert len(hits) == 2 and "fusion_score" in pages.search_sql("storage", fusion="rrf")
    with pytest.raises(pglore.BadArgument):
        pages.search("storage", diversity=2)


def test_search_takes_weights_and_expand_and_their_errors_are_the_listed_ones(lore, pages):
    weights = {"vector": 1, "keyword": 0, "wording": 0}
    assert pages.search("storage", weights=weights)[0].key == "vacuum"
    assert pages.explain_search("storage", weights=weights, k=2)[-1].rows == 2
    assert lore.search_all(["pages"], "storage", weights=weights)[0].key == "vacuum"
    assert [hit.key for hit in pages.search("dead tuples", mode="keyword", match="phrase")] == ["vacuum"]
    with pytest.raises(pglore.BadArgument):
        pages.search("storage", match="exact")
    with pytest.raises(pglore.BadArgument):
        pages.search("storage", weights={"vector": float("nan")})
    for call in (pages.search, pages.search_sql, pages.explain_search):
        with pytest.raises(pglore.BadArgument):
            call("storage", weights={"magic": 1})
        with pytest.raises(pglore.UnknownEngine):
            call("storage", expand="queries")
        with pytest.raises(pglore.UnknownModel):
            call("storage", expand="hypothetical", generator="absent")
    with pytest.raises(TypeError, match="magic"):
        pages.search_sql("storage", magic=1)
    with pytest.raises(TypeError, match="magic"):
        pages.explain_search("storage", magic=1)


def test_several_collections_are_searched_at_once(lore, pages):
    lore.create_collection("notes").add("cats", "Cats purr when they are content.")
    hits = lore.search_all(["pages", "notes"], "purring cats", k=2)
    assert isinstance(hits[0], pglore.HitOfAll) and hits[0].collection == "notes" and len(hits) == 2
    vector = lore.embed("purring cats")
    for query, options in (
        ("purring cats", {"fusion": "rrf", "diversity": 0.5, "neighbours": 1}),
        (None, {"vector": vector}),
    ):
        assert lore.search_all(["pages", "notes"], query, **options)[0].key == "cats"


def test_a_bad_filter_raises_bad_filter_with_a_hint(pages):
    with pytest.raises(pglore.BadFilter) as caught:
        pages.search("storage", filter={"year": {"$near": 2021}})
    assert caught.value.hint


def test_an_unknown_collection_raises_unknown_collection(lore):
    for call in ("search", "search_sql", "context", "ask"):
        with pytest.raises(pglore.UnknownCollection):
            getattr(lore.collection("nowhere"), call)("anything")


@pytest.mark.parametrize("name", ['x"; DROP TABLE y; --', "", "%s", "a" * 100, "ünï"])
def test_a_hostile_name_is_a_bad_argument(lore, name):
    with pytest.raises(pglore.BadArgument):
        lore.create_collection(name)


def test_search_sql_runs_and_gives_the_same_rows(pages, db):
    hits = pages.search("what's a 100 % backup?", k=3)
    rows = db.execute(pages.search_sql("what's a 100 % backup?", k=3).encode()).fetchall()
    assert [row[1] for row in rows] == [hit.key for hit in hits]


def test_context_is_numbered_and_within_its_budget(pages):
    passages = pages.context("reclaim storage", k=3, max_tokens=40)
    assert passages[0].key == "vacuum"
    assert [one.source for one in passages] == list(range(1, len(passages) + 1))
    assert sum(one.tokens for one in passages) <= 40


def test_ask_answers_with_its_sources(pages):
    answer = pages.ask("What reclaims storage?")
    assert "VACUUM" in str(answer) and "[1]" in answer.answer
    source = answer.sources[0]
    assert isinstance(source, pglore.Source)
    assert (source.n, source.key) == (1, "vacuum")
    assert source.quote in "VACUUM reclaims storage occupied by dead tuples."
    assert answer.timings["total"] > 0
    assert answer.usage


def test_asking_an_empty_collection_finds_nothing_and_says_so(lore):
    answer = lore.create_collection("empty").ask("What reclaims storage?")
    assert answer.sources == []
    assert "Nothing found" in answer.answer


def test_alter_changes_what_a_collection_is_and_keeps_what_it_holds(lore, pages):
    changes = pages.alter(name="handbook", language="simple", filterable=["year"], chunk_size=64)
    assert [change.setting for change in changes] == ["name", "language", "chunk_size", "filterable"]
    assert isinstance(changes[0], pglore.Change) and (changes[0].before, changes[0].after) == ("pages", "handbook")
    assert pages.name == "handbook" and pages.search("storage", k=1)[0].key == "vacuum"
    [info] = lore.collections()
    assert (info.name, info.language, info.filterable, info.chunk_size) == ("handbook", "simple", ["year"], 64)
    assert pages.alter() == [] and pages.alter(filterable=[])[0].after == "[]"
    with pytest.raises(pglore.BadArgument):
        pages.alter(metric="manhattan")
    with pytest.raises(pglore.UnknownCollection):
        lore.collection("nowhere").alter(chunk_size=64)


def test_drop_deletes_and_a_second_drop_is_refused(lore, pages):
    pages.drop()
    assert lore.collections() == []
    with pytest.raises(pglore.UnknownCollection):
        pages.drop()


def test_a_reader_searches_and_cannot_add(open_client, pages, role):
    reader = open_client(user=role("lore_reader")).collection("pages")
    assert reader.search("reclaim storage")[0].key == "vacuum"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.add("key", "Text.")
