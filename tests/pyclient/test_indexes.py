"""Vector indexes from Python."""

import pglore


def test_an_index_is_estimated_built_measured_and_tuned(lore, pages):
    assert {row.index_kind for row in pages.index_estimate()} >= {"exact", "hnsw", "hnsw_bit"}
    assert "CONCURRENTLY" in " ".join(pages.index_sql("hnsw"))
    built = pages.build_index("hnsw", {"m": 8})
    assert isinstance(built, pglore.BuiltIndex) and (built.index_kind, built.chunks) == ("hnsw", 4)
    found = pages.recall(k=2, sample=3)
    assert (found.recall, found.searched, found.sampled) == (1.0, "hnsw", 3)
    assert pages.recall(filter={"absent": 1}).recall is None
    assert pages.tune(0.9, k=2, sample=3)[0].reached
    assert lore.maintain() == []
    assert lore.collections()[0].index_kind == "hnsw"


def test_a_search_takes_a_vector(lore, pages):
    vector = lore.embed("How do I reclaim storage?", input_type="query")
    assert pages.search(None, vector=vector)[0].key == "vacuum"
    assert pages.search("How do I reclaim storage?", mode="vector", vector=vector) == pages.search(None, vector=vector)
