"""The formulas of an evaluation, against the libraries that others use."""

import itertools
import json
import math
import random

import ir_measures
import pytest
from ir_measures import RR, R, nDCG
from scipy import stats

KEYS = [f"d{number}" for number in range(30)]


def ranking_metrics(db, keys, grades, k=10):
    return db.execute("SELECT * FROM lore._ranking_metrics(%s, %s, %s)", [keys, json.dumps(grades), k]).fetchone()


def paired_p(db, differences):
    return db.execute("SELECT lore._paired_p(%s::float8[])", [differences]).fetchone()[0]


def test_the_metrics_are_those_of_ir_measures(db):
    for seed in range(200):
        chance = random.Random(seed)
        k = chance.choice([1, 3, 10, 20])
        keys = chance.sample(KEYS, chance.randint(0, k))
        grades = {key: chance.choice([0, 0, 1, 1, 2, 3]) for key in chance.sample(KEYS, chance.randint(1, 15))}
        grades["d0"] = 1
        run = {"q": {key: -place for place, key in enumerate(keys)}}
        measured = ir_measures.calc_aggregate([nDCG @ k, R @ k, RR @ k], {"q": grades}, run)
        expected = [measured[measure] for measure in (nDCG @ k, R @ k, RR @ k)]
        assert ranking_metrics(db, keys, grades, k) == pytest.approx(expected, abs=1e-9)


def test_a_key_counts_once_and_a_ranking_without_relevant_keys_is_worth_nothing(db):
    assert ranking_metrics(db, ["a", "a", "b"], {"b": 1}) == pytest.approx((1 / math.log2(3), 1, 1 / 2))
    assert ranking_metrics(db, ["a", "b"], {}) == ranking_metrics(db, [], {"a": 1}) == (0, 0, 0)
    assert ranking_metrics(db, ["a"], {"a": 0, "b": -1}) == (0, 0, 0)


def test_rankings_of_equal_worth_are_equal_to_the_last_bit(db):
    for seed in range(30):
        chance = random.Random(seed)
        grades, places = {key: 1 for key in KEYS[:15]}, sorted(chance.sample(range(30), 15))
        found = set()
        for _ in range(4):
            ranking = dict(zip(places, chance.sample(KEYS[:15], 15), strict=True))
            keys = [ranking.get(place, f"x{place}") for place in range(30)]
            found.add(ranking_metrics(db, keys, grades, 30))
        assert len(found) == 1
        assert ranking_metrics(db, chance.sample(KEYS[:15], 15), grades, 15)[0] == 1


def test_the_p_value_is_that_of_a_paired_t_test(db):
    chance = random.Random(1)
    for count, spread in itertools.product((2, 3, 4, 5, 30, 225, 1190), (0.01, 0.1, 1)):
        differences = [chance.gauss(0.02, spread) for _ in range(count)]
        assert paired_p(db, differences) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=1e-9)


def test_equal_results_have_a_p_value_of_one_and_a_single_query_has_none(db):
    assert paired_p(db, [0, 0, 0]) == 1
    assert paired_p(db, [0.5, 0.5]) == 0
    assert paired_p(db, [0.5]) is None
