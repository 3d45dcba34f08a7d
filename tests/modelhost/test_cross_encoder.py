"""Cross-encoders in the host: scores of whole documents, however long, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from pglore_host import files, settings
from pglore_host.errors import HostError
from pglore_host.memory import Memory
from pglore_host.model import Model

from . import tiny

QUERY = "which table is large"


@pytest.fixture
async def model(zoo, cache):
    chosen = settings.Settings(data_directory=cache, cache=cache, engine="torch", device="cpu", dtype="float32")
    made = Model("r", lambda: files.read(zoo("reranker"), "rerank"), chosen, Memory(chosen))
    await made.ready()
    yield made
    await made.unload()


async def test_scores_are_those_of_sentence_transformers_whatever_they_are_batched_with(model, zoo):
    from sentence_transformers import CrossEncoder

    documents = ["tables", "a large table " * 9, "x", "the quick brown fox jumps over the lazy dog"] * 5
    expected = CrossEncoder(str(zoo("reranker")), device="cpu").predict([(QUERY, text) for text in documents])
    np.testing.assert_allclose(await model.scores(QUERY, documents), expected, atol=1e-5)


async def test_a_long_document_has_the_score_of_its_best_window(model):
    ids = model.tokenizer.encode([" ".join(f"word {number}" for number in range(200))])[0]
    asked = model.tokenizer.encode([QUERY])[0]
    parts = [pair[0][len(asked) + 2 : -1] for pair in model.tokenizer.pairs(asked, ids)]
    assert len(parts) > 3 and np.concatenate(parts).tolist() == ids.tolist()
    texts = [model.tokenizer.raw.decode(part.tolist()) for part in parts]
    apart = await model.scores(QUERY, texts)
    whole = await model.scores(QUERY, [" ".join(texts)])
    assert whole == pytest.approx([max(apart)], abs=1e-5)


async def test_a_query_without_a_token_and_one_that_is_too_long_are_refused(model):
    for query, code in (("", "LO101"), ("word " * 60, "LO102")):
        with pytest.raises(HostError) as caught:
            await model.scores(query, ["a document of a few words", "and one more " * 20])
        assert caught.value.code == code


async def test_a_document_without_a_token_gets_a_score_and_no_documents_get_none(model):
    assert len(await model.scores(QUERY, [""])) == 1
    assert await model.scores(QUERY, []) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
async def test_weights_that_give_no_finite_vector_are_refused(tmp_path: Path, value):
    from safetensors.numpy import save_file

    folder = tiny.bert(tmp_path / "model")
    tensors = tiny.tensors()
    tensors["encoder.layer.1.output.dense.bias"][3] = value
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    chosen = settings.Settings(data_directory=tmp_path, cache=tmp_path, engine="torch", device="cpu")
    model = Model("n", lambda: files.read(folder), chosen, Memory(chosen))
    with pytest.raises(HostError) as caught:
        await model.ready()
    assert caught.value.code == "LO204" and "finite" in caught.value.message
