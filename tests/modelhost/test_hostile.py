"""Hostile folders: refused with a reason that does not say where the folder is, and nothing in them is run."""

import json
import os
import pickle
import socket
from pathlib import Path

import pytest

from pglore_host import files
from pglore_host.errors import HostError

from . import tiny
from .hostile import RAN, Trap, refusal
from .tiny import change


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good tiny model, to be spoilt."""
    made = tiny.bert(tmp_path / "model")
    files.read(made)
    return made


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "a.pt", "b.pth", "c.pkl", "d.ckpt", "e.joblib", "2_Dense/x.bin", ".h/x.PT"]
)
def test_a_pickle_is_refused_also_beside_good_weights(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(Trap(folder.parent)))
    error = refusal(folder)
    assert name in error.message and "Delete" in error.hint


def test_a_pickle_is_refused_in_the_place_of_weights(folder):
    (folder / "model.safetensors").write_bytes(pickle.dumps(Trap(folder.parent)))
    assert "safetensors" in refusal(folder).message


def test_the_weights_of_an_openvino_model_are_no_pickle(folder):
    (folder / "openvino").mkdir()
    (folder / "openvino" / "openvino_model.xml").write_text("<net/>")
    (folder / "openvino" / "openvino_model.bin").write_bytes(b"\x00\x01")
    files.read(folder)
    (folder / "openvino" / "openvino_model.bin").write_bytes(pickle.dumps(Trap(folder.parent)))
    assert "openvino_model.bin" in refusal(folder).message


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "1_Pooling/config.json", "other/more.json"])
def test_code_that_json_asks_for_is_refused(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    if not (folder / name).exists():
        (folder / name).write_text("{}")
    change(folder / name, deeper=[{"auto_map": {"AutoModel": "evil.Model"}}])
    error = refusal(folder)
    assert "auto_map" in error.message and name in error.message


@pytest.mark.parametrize("name", ["modeling.py", "1_Pooling/evil.py", "lib.so"])
def test_code_is_refused(folder, name):
    (folder / name).write_text(f"open({str(folder.parent / RAN)!r}, 'w')")
    assert name in refusal(folder).message


@pytest.mark.parametrize("kind", ["evil.models.Pooling", "os.system", "sentence_transformers_evil.Pooling", 7, None])
def test_a_module_of_somebody_elses_is_refused(folder, kind):
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = kind
    (folder / "modules.json").write_text(json.dumps(modules))
    refusal(folder)


@pytest.mark.parametrize("path", ["../../x", "/etc", "a/../../b", "\x00", 7])
def test_a_module_outside_the_folder_is_refused(folder, path):
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = path
    (folder / "modules.json").write_text(json.dumps(modules))
    refusal(folder)


ABSURD = [10**9, 10**12, 0, -1, "many", 3.5, True, [], 1e300]


@pytest.mark.parametrize("value", ABSURD, ids=str)
@pytest.mark.parametrize("name", ["hidden_size", "vocab_size", "num_hidden_layers", "num_attention_heads"])
def test_absurd_numbers_are_refused(folder, name, value):
    change(folder / "config.json", **{name: value})
    refusal(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"max_position_embeddings": 10**9},
        {"max_position_embeddings": 64},
        {"type_vocab_size": 10**9},
        {"intermediate_size": 10**9},
        {"num_hidden_layers": 1000},
        {"hidden_size": 16},
        {"vocab_size": 121},
        {"rope_scaling": {"factor": 10**40}},
        {"model_type": "../../x"},
        {"model_type": 7},
        {"model_type": None},
        {"architectures": [{}]},
        {"_attn_implementation": "somebody/evil-kernel"},
        {"attn_implementation": "somebody/evil-kernel:run"},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        {"is_encoder_decoder": True, "model_type": "bart"},
    ],
    ids=str,
)
def test_a_config_that_does_not_fit_the_weights_is_refused(folder, values):
    change(folder / "config.json", **values)
    refusal(folder)


NOT_A_NUMBER = ['{"hidden_size": NaN}', '{"a": Infinity}', '{"a": -Infinity}', '{"a": 1e999}']
NO_OBJECT = ["", "{", "[]", "7", "null", '"x"', "[" * 100_000, "\xff", '{"a":' * 60_000]


@pytest.mark.parametrize("content", NOT_A_NUMBER + NO_OBJECT, ids=lambda text: text[:20])
@pytest.mark.parametrize("name", ["config.json", "1_Pooling/config.json", "modules.json", "sentence_bert_config.json"])
def test_json_that_is_none_is_refused(folder, name, content):
    (folder / name).write_text(content, encoding="latin-1")
    refusal(folder)


@pytest.mark.parametrize("name", ["config.json", "1_Pooling/config.json", "tokenizer.json", "model.safetensors"])
def test_a_file_that_is_missing_is_refused(folder, name):
    os.remove(folder / name)
    refusal(folder)


JUNK = [None, -1, 0, 1 << 70, 0.5, "", "x", "../../x", [], [[]], {}, {"a": 1}, True, "\x00"]


def test_any_value_of_any_file_may_be_wrong_without_harm(folder):
    """Each file of JSON, each of its values replaced by junk: read all the same, or refused by an error of the list."""
    for path in sorted(folder.rglob("*.json")):
        if path.name == "tokenizer.json":
            continue
        before = path.read_text()
        content = json.loads(before)
        for entry in content if isinstance(content, list) else [content]:
            for key in list(entry):
                kept = entry[key]
                for junk in JUNK:
                    entry[key] = junk
                    path.write_text(json.dumps(content))
                    try:
                        files.read(folder)
                    except HostError as error:
                        assert error.code == "LO204" and str(folder.parent) not in error.message
                entry[key] = kept
        path.write_text(before)


def test_giant_json_is_not_read(folder):
    with (folder / "config.json").open("r+b") as file:
        file.truncate(1 << 33)  # a hole: it takes no room on the disk
    assert "MB" in refusal(folder).message


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside.json", "nowhere", "config.json"])
def test_a_link_out_of_the_folder_is_refused(folder, target):
    (folder.parent / "outside.json").write_text("{}")
    os.remove(folder / "sentence_bert_config.json")
    (folder / "config.json").rename(folder / "kept.json")
    (folder / "config.json").symlink_to(target)
    refusal(folder)


def test_a_folder_that_is_a_link_out_is_refused(folder):
    (folder.parent / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").rename(folder.parent / "1_Pooling" / "config.json")
    (folder / "1_Pooling").rmdir()
    (folder / "1_Pooling").symlink_to(folder.parent / "1_Pooling")
    assert "link" in refusal(folder).message


def test_a_link_inside_the_folder_is_followed(folder):
    (folder / "config.json").rename(folder / "kept.json")
    (folder / "config.json").symlink_to("kept.json")
    files.read(folder)


def test_a_link_to_its_own_folder_ends(folder):
    (folder / "again").symlink_to(".")
    assert "deep" in refusal(folder).message or "link" in refusal(folder).message


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "extra"])
def test_a_pipe_does_not_hang_the_host(folder, name):
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    assert "neither a file nor a folder" in refusal(folder).message


def test_a_socket_is_refused(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        refusal(folder)


def test_a_folder_without_end_is_refused(folder):
    place = folder
    for _ in range(12):
        place = place / "x"
        place.mkdir()
    assert "deep" in refusal(folder).message


def test_a_folder_of_very_many_files_is_refused(folder):
    (folder / "many").mkdir()
    for number in range(2100):
        (folder / "many" / str(number)).touch()
    assert "2,000" in refusal(folder).message


def test_no_folder_is_refused(tmp_path):
    assert "no such folder" in refusal(tmp_path / "nowhere").message
    (tmp_path / "file").touch()
    assert "is a file" in refusal(tmp_path / "file").message


@pytest.mark.parametrize(
    "weight_map",
    [
        {"a": "../../x.safetensors"},
        {"a": "/etc/x.safetensors"},
        {"a": "missing.safetensors"},
        {"a": 7},
        {"a": None},
        [],
        "x",
        {"not.there": "shard.safetensors"},
    ],
    ids=str,
)
def test_an_index_that_names_what_is_not_there_is_refused(folder, weight_map):
    (folder / "model.safetensors").rename(folder / "shard.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    refusal(folder)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": "1.0"}', "\xff\xfe", "[" * 100_000, '{"model": {}}'])
def test_a_tokenizer_that_is_none_is_refused(folder, content):
    (folder / "tokenizer.json").write_text(content, encoding="latin-1")
    assert "tokenizer" in refusal(folder).message


def test_a_tokenizer_of_more_ids_than_the_model_knows_is_refused(folder):
    raw = json.loads((folder / "tokenizer.json").read_text())
    raw["model"]["vocab"]["new"] = 120
    (folder / "tokenizer.json").write_text(json.dumps(raw))
    assert "120" in refusal(folder).message


def test_an_adapter_is_refused(folder):
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "somebody/else"}')
    assert "adapter" in refusal(folder).message
