"""A model's folder: what is read from it, and what its fingerprint depends on. test_hostile.py has what is refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from pglore_host import files
from pglore_host.errors import HostError

from . import tiny
from .tiny import HIDDEN, change


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A tiny model of its own for each test."""
    return tiny.bert(tmp_path / "model")


def refusal(folder: Path, task: str = "embed", **options) -> HostError:
    """The error that reading a folder gives; it never names where the folder is."""
    with pytest.raises(HostError) as caught:
        files.read(folder, task, **options)
    assert caught.value.hint and "/" not in caught.value.message.replace("'", " ").split("model")[0]
    assert str(folder) not in caught.value.message
    return caught.value


def test_the_models_own_files_say_how_it_is_used(model_folder):
    found = files.read(model_folder)
    assert (found.dimensions, found.window_tokens, found.pooling, found.pad_id) == (384, 256, "mean", 0)
    assert (found.parameters, found.weights_bytes) == (22_713_728, 90_856_960)


def test_the_default_models_hash_and_fingerprint_stay_what_they_were(model_folder):
    """Vectors that are stored carry them."""
    found = files.read(model_folder)
    assert found.content_hash == "0b40d68aaba88031619478e4aa310c939095b6ab5d4e584611d30752d206543c"
    assert found.fingerprint("bfloat16") == "305af677e981e6bc907a19fe706542ccea8df2fdecc751fd4a83b7f6837d577d"


def test_the_fingerprint_depends_on_files_dtype_prompts_and_options(copy):
    prints = [files.read(copy).fingerprint("float32")]
    assert files.read(copy).fingerprint("float32") == prints[0]
    prints.append(files.read(copy).fingerprint("bfloat16"))
    for options in ({"pooling": "cls"}, {"dimensions": 4}, {"window_tokens": 16}, {"query_prompt": "q: "}):
        prints.append(files.read(copy, **options).fingerprint("float32"))
    change(copy / "config_sentence_transformers.json", prompts={"query": "query: "})
    prints.append(files.read(copy).fingerprint("float32"))
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    prints.append(files.read(copy).fingerprint("float32"))
    assert len(set(prints)) == len(prints)


def test_files_that_have_changed_since_they_were_registered_are_refused(copy):
    before = files.read(copy).content_hash
    files.read(copy).verify(before)
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[len(data) // 2] ^= 4
    (copy / "model.safetensors").write_bytes(data)
    with pytest.raises(HostError) as caught:
        files.read(copy).verify(before)
    assert caught.value.code == "LO204" and "changed" in caught.value.message


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_weightedmean_tokens": True}, "weightedmean"),
        ({"pooling_mode_mean_sqrt_len_tokens": True, "pooling_mode_max_tokens": True}, "max+mean+mean_sqrt_len_tokens"),
        ({"pooling_mode": "lasttoken"}, "lasttoken"),
        ({"pooling_mode": ["mean", "cls"]}, "mean+cls"),
        ({"pooling_mode_mean_tokens": False}, "mean"),
    ],
)
def test_every_pooling_is_read(copy, config, expected):
    change(copy / "1_Pooling" / "config.json", **config)
    found = files.read(copy)
    assert found.pooling == expected and found.dimensions == HIDDEN * len(expected.split("+"))


def test_dense_and_norm_layers_change_the_width(copy):
    tiny.module(
        copy, "Dense", {"in_features": HIDDEN, "out_features": 5, "bias": False},
        {"linear.weight": np.ones((5, HIDDEN), np.float32)},
    )  # fmt: skip
    norm = {"norm.weight": np.ones(5, np.float32), "norm.bias": np.zeros(5, np.float32)}
    tiny.module(copy, "LayerNorm", {"dimension": 5}, norm)
    found = files.read(copy)
    assert (found.width, found.dimensions) == (5, 5)
    # Normalize stands before Dense here and counts; one at the end does not: every vector leaves with length 1.
    assert [step.kind for step in found.steps] == ["Normalize", "Dense", "LayerNorm"]
    assert found.steps[1].activation == "Tanh"  # as sentence-transformers has it where the files say nothing


def test_a_folder_of_transformers_alone_is_pooled_by_its_mean_unless_told(copy):
    tiny.plain(copy)
    assert (files.read(copy).pooling, files.read(copy).window_tokens) == ("mean", 30)
    assert files.read(copy, pooling="cls").pooling == "cls"


@pytest.mark.parametrize(
    ("kind", "sentence", "tokenizer", "expected"),
    [
        ("bert", 24, 30, 24),
        ("bert", None, 30, 30),
        ("bert", None, 10**30, 32),
        ("bert", 500, 30, 32),
        ("roberta", None, None, 30),  # positions 0 and 1 are padding's
        ("t5", None, 512, 512),  # positions are relative
        ("t5", None, None, 512),
    ],
)
def test_the_window_is_what_the_files_ask_for_within_the_positions(copy, kind, sentence, tokenizer, expected):
    change(copy / "config.json", model_type=kind, pad_token_id=1 if kind == "roberta" else 0)
    change(copy / "sentence_bert_config.json", max_seq_length=sentence)
    change(copy / "tokenizer_config.json", model_max_length=tokenizer)
    assert files.read(copy).window_tokens == expected


def test_a_window_may_be_made_smaller_but_not_larger_than_the_positions(copy):
    assert files.read(copy, window_tokens=16).window_tokens == 16
    assert refusal(copy, window_tokens=33).code == "LO103"


def test_dimensions_may_be_fewer_but_not_more(copy):
    found = files.read(copy, dimensions=4)
    assert (found.dimensions, found.width) == (4, HIDDEN)
    assert refusal(copy, dimensions=9).code == "LO103"


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"prompts": {"query": "q: ", "document": "", "other": "x"}}, {"query": "q: "}),
        ({"prompts": {"search_query": "sq: ", "search_document": "sd: "}}, {"query": "sq: ", "document": "sd: "}),
        ({"prompts": {"query": "q: ", "passage": "p: "}}, {"query": "q: ", "document": "p: "}),
        ({"prompts": {"all": "a: "}, "default_prompt_name": "all"}, {"query": "a: ", "document": "a: "}),
        ({"prompts": {}}, {}),
        ({}, {}),
    ],
)
def test_prompts_are_the_models_own_unless_given(copy, own, expected):
    change(copy / "config_sentence_transformers.json", **own)
    assert files.read(copy).prompts == expected
    assert files.read(copy, query_prompt="mine: ").prompts["query"] == "mine: "
    assert "query" not in files.read(copy, query_prompt="").prompts


def reranker(copy: Path, **config) -> Path:
    tiny.plain(copy)
    values = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}, **config}
    change(copy / "config.json", **values)
    return copy


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "Sigmoid"),
        ({"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}, "Identity"),
        ({"sbert_ce_default_activation_function": "torch.nn.modules.activation.Sigmoid"}, "Sigmoid"),
    ],
)
def test_a_cross_encoder_says_how_its_score_is_made(copy, config, expected):
    assert files.read(reranker(copy, **config), "rerank").activation == expected


def test_a_model_is_read_for_the_task_that_it_does(copy):
    assert "cross-encoder" in refusal(copy, "rerank").message
    reranker(copy)
    assert "rerank" in refusal(copy).hint
    change(copy / "config.json", id2label={"0": "no", "1": "yes"})
    assert "2 labels" in refusal(copy, "rerank").message


def test_shards_are_read_by_their_index(copy):
    from safetensors.numpy import save_file

    tensors = tiny.tensors()
    whole = files.read(copy)
    names = sorted(tensors)
    places = {}
    for number, part in enumerate((names[:9], names[9:])):
        save_file({name: tensors[name] for name in part}, copy / f"model-{number}.safetensors")
        places |= dict.fromkeys(part, f"model-{number}.safetensors")
    os.remove(copy / "model.safetensors")
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert files.read(copy).parameters == whole.parameters


def test_memory_is_estimated_from_the_number_of_weights(copy, model_folder):
    found = files.read(model_folder)
    assert 90e6 < found.needs_bytes("bfloat16") < found.needs_bytes("float32") < 400e6
