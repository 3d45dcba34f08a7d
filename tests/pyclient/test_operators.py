"""The operators through the client, sync and async, without a language model: SQL's own tests have one."""

import dataclasses

import pytest

import pglore

CATS = ["the cat sleeps on the sofa", None, "the court set the decision aside"]


@dataclasses.dataclass
class Person:
    """What a text is to be read into."""

    name: str


def test_conditions_and_labels_of_one_and_of_many(lore):
    assert lore.matches(CATS[0], "about cats") is True
    assert lore.matches(CATS, "about cats") == [True, None, False]
    assert lore.classify(CATS[0], ["animals", "law"]) == "animals"
    assert lore.classify(CATS, ["animals", "law"], descriptions=["cats, dogs", None]) == ["animals", None, "law"]
    assert list(lore.classify_scores(CATS[2], ["animals", "law"])) == ["law", "animals"]
    assert lore.classify_multiple(CATS[0], ["about cats", "about law"]) == ["about cats"]
    assert lore.sentiment(["I love it.", "I am very disappointed."]) == ["positive", "negative"]
    assert lore.rank("a burning house", "fire") > lore.rank("a green garden", "fire")


def test_results_tell_who_decided_and_what_failed(lore):
    first, second = lore.matches_result([CATS[0], " "], "about cats", model="extractive")
    assert isinstance(first, pglore.Matched) and first.matches and first.decided_by == "embedding"
    assert second.ordinal == 2 and second.matches is None and second.error.startswith("LO101")
    assert [row.label for row in lore.classify_result(CATS, ["animals", "law"])] == ["animals", None, "law"]
    assert lore.sentiment_result(["I hate it."])[0].score < 0
    [pair] = lore.similarity_join(["car"], ["kitten", "automobile"])
    assert isinstance(pair, pglore.Pair) and (pair.left_input, pair.right_input) == ("car", "automobile")
    [redacted] = lore.redact_result(["ann@b.org"], ["email"])
    assert redacted == pglore.Redacted(1, "[EMAIL]", {"email": 1}, "pattern", None)


def test_what_is_not_remembered_has_no_shares(lore):
    assert lore.matches_shares("about cats") == lore.classify_shares(["a", "b"]) == pglore.Shares(0, 0, 0)


def test_texts_that_are_made_of_texts(lore):
    assert lore.redact("call +49 30 901820", region=None) == "call [PHONE]"
    assert lore.redact([None, "a@b.org"]) == [None, "[EMAIL]"]
    assert lore.summarize("Cats sleep. Cats purr a lot. Cats are cats.", max_words=4)
    for call in (
        lambda: lore.translate("a", "German"),
        lambda: lore.extract("a", ["name"]),
        lambda: lore.extract_as(Person, "a"),
    ):
        with pytest.raises(pglore.UnknownEngine):
            call()


def test_wrong_arguments_are_the_clients_exceptions(lore):
    with pytest.raises(pglore.BadArgument, match="twice"):
        lore.classify("a", ["x", "x"])
    with pytest.raises(pglore.EmptyInput, match="element 2"):
        lore.sentiment(["a", ""])


def test_one_text_where_many_belong_is_told_and_not_taken_for_its_letters(lore):
    for call in (
        lambda: lore.classify(CATS[0], "animals"),
        lambda: lore.classify(CATS[0], ["a", "b"], descriptions="ab"),
        lambda: lore.matches_result(CATS[0], "about cats"),
        lambda: lore.redact(CATS[0], categories="email"),
        lambda: lore.rerank("cats", "ab"),
        lambda: lore.generate("Choose.", choices="ab"),
        lambda: list(lore.generate_stream("Choose.", stop="ab")),
    ):
        with pytest.raises(pglore.BadArgument, match="is a single text"):
            call()
    assert lore.classify(CATS[0], {"animals": 1, "law": 2}.keys()) == "animals"
