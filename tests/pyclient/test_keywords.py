"""Keyword scores from Python."""

import pytest

import pglore


def test_scores_come_best_first_and_by_the_way_to_match(pages):
    scores = pages.keyword_scores("storage tuples")
    assert list(scores.values()) == sorted(scores.values(), reverse=True) and len(scores) > 0
    assert set(pages.keyword_scores("storage tupl", match="prefix")) <= set(scores)
    assert pages.keyword_scores("tuples storage zebra", match="all") == {}
    assert pages.keyword_scores("storage", filter={"absent": 1}) == {}
    with pytest.raises(pglore.BadArgument):
        pages.keyword_scores("storage", match="exact")


def test_without_a_vocabulary_a_query_stays_as_it_is(pages):
    assert pages.corrected("storrage") == "storrage"
