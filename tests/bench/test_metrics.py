"""The arithmetic of the benchmarks."""

import math

import pytest

from bench import metrics


def test_a_perfect_ranking_has_ndcg_one():
    assert metrics.ndcg(["a", "b", "x"], {"a", "b"}) == 1.0


def test_ndcg_discounts_by_the_logarithm_of_the_place():
    assert metrics.ndcg(["x", "a"], {"a"}) == pytest.approx(1 / math.log2(3))
    both = (1 / math.log2(3) + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert metrics.ndcg(["x", "a", "b"], {"a", "b"}) == pytest.approx(both)


def test_ndcg_looks_at_the_first_k_only():
    assert metrics.ndcg(["x", "a"], {"a"}, k=1) == 0.0
    assert metrics.ndcg(["a"], {"a", "b", "c"}, k=1) == 1.0


def test_ndcg_without_judgements_is_zero():
    assert metrics.ndcg(["a"], set()) == 0.0


def test_recall_counts_each_key_once():
    assert metrics.recall(["a", "a", "x"], {"a", "b"}) == 0.5


def test_distinct_keeps_the_first_place_of_each_key():
    ranking = metrics.distinct(["b", "a", "b", "c", "a"])
    assert ranking == ["b", "a", "c"]
    assert metrics.hit(ranking, {"c"}, 2) == 0.0
    assert metrics.hit(ranking, {"c"}, 3) == 1.0


def test_percentiles_are_interpolated():
    assert metrics.percentile([1, 2, 3, 4], 50) == 2.5
    assert metrics.percentile([7], 95) == 7
    assert math.isnan(metrics.percentile([], 50))


def test_ndcg_equals_that_of_a_known_library():
    sklearn = pytest.importorskip("sklearn.metrics")
    ranking, relevant = ["a", "x", "b", "y", "z", "c"], {"a", "b", "c"}
    truth = [[float(key in relevant) for key in ranking]]
    scores = [[-float(place) for place in range(len(ranking))]]
    assert metrics.ndcg(ranking, relevant, k=5) == pytest.approx(sklearn.ndcg_score(truth, scores, k=5))
