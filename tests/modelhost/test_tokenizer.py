"""The tokenizer: content tokens of any text, and windows around them."""

import numpy as np
import pytest

from pglore_host.errors import HostError
from pglore_host.tokenizer import SLICE_CHARACTERS, ModelTokenizer


@pytest.fixture(scope="module")
def tokenizer(model_folder) -> ModelTokenizer:
    return ModelTokenizer(model_folder, 256)


def test_special_tokens_are_not_counted_but_stand_around_each_window(tokenizer):
    ids = tokenizer.encode(["hello world"])[0]
    assert len(ids) == 2
    assert tokenizer.windows(ids)[0].tolist() == [101, *ids, 102]
    assert tokenizer.content_tokens == 254


def test_nothing_is_cut_off(tokenizer):
    """The model's tokenizer.json asks for 128 tokens and padding: neither holds here."""
    assert len(tokenizer.encode(["word " * 1000])[0]) == 1000
    assert len(tokenizer.encode(["a"])[0]) == 1


def test_windows_are_few_and_of_about_equal_size(tokenizer):
    windows = tokenizer.windows(np.arange(1000, 1000 + 600))
    assert len(windows) == 3 and max(map(len, windows)) <= 256
    assert max(map(len, windows)) - min(map(len, windows)) <= 1
    assert np.concatenate([window[1:-1] for window in windows]).tolist() == list(range(1000, 1600))
    assert len(tokenizer.windows(np.ones(254, dtype=np.int64))) == 1


def test_a_long_text_gives_the_tokens_of_its_parts(tokenizer):
    text = "The quick brown fox, jumps over 13 lazy dogs!  " * (3 * SLICE_CHARACTERS // 47)
    whole = tokenizer.raw.encode(text, add_special_tokens=False).ids
    assert tokenizer.encode([text])[0].tolist() == whole


def test_a_long_text_without_a_space_is_read_to_its_end(tokenizer):
    assert len(tokenizer.encode(["漢" * 3 * SLICE_CHARACTERS])[0]) == 3 * SLICE_CHARACTERS


def test_many_texts_are_those_one_by_one(tokenizer):
    texts = [f"{'word ' * (number % 50)}{number}" for number in range(200)]
    assert [ids.tolist() for ids in tokenizer.encode(texts)] == [tokenizer.encode([text])[0].tolist() for text in texts]


def test_encoding_ends_early_when_it_is_stopped(tokenizer):
    calls = []

    def stopped() -> bool:
        calls.append(1)
        return len(calls) > 2

    assert len(tokenizer.encode(["word " * 100] * 1000, stopped)) < 1000


def test_a_pair_is_read_as_the_models_own_tokenizer_reads_it(tokenizer, model_folder):
    query, document = tokenizer.encode(["which fox", "The quick brown fox"])
    ((ids, types),) = tokenizer.pairs(query, document)
    expected = tokenizer.raw.encode("which fox", "The quick brown fox")
    assert (ids.tolist(), types.tolist()) == (expected.ids, [0] * len(expected.ids))  # this model has one segment
    two = ModelTokenizer(model_folder, 256, token_types=2)
    assert two.pairs(query, document)[0][1].tolist() == expected.type_ids


def test_a_long_document_is_read_in_windows_that_each_hold_the_query(tokenizer):
    query, document = tokenizer.encode(["which fox", "word " * 600])
    pairs = tokenizer.pairs(query, document)
    assert len(pairs) == 3 and all(len(ids) <= 256 and ids[1:3].tolist() == query.tolist() for ids, _ in pairs)
    assert sum(len(ids) - 5 for ids, _ in pairs) == 600


def test_a_query_that_fills_the_window_is_refused(tokenizer):
    query, document = tokenizer.encode(["word " * 240, "word " * 100])
    with pytest.raises(HostError) as caught:
        tokenizer.pairs(query, document)
    assert caught.value.code == "LO102" and "240" in caught.value.message


def test_a_document_without_a_token_is_still_read(tokenizer):
    query, nothing = tokenizer.encode(["which fox", ""])
    assert tokenizer.pairs(query, nothing)[0][0].tolist() == [101, *query, 102, 102]
