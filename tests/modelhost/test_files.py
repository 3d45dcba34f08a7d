"""A model's folder: what is read from it, what is refused, and what its fingerprint depends on."""

import json
import shutil
from pathlib import Path

import pytest

from pglore_host import files
from pglore_host.errors import HostError


@pytest.fixture
def copy(model_folder: Path, tmp_path: Path) -> Path:
    """A copy of the default model without its weight: small files and an empty stand-in for model.safetensors."""
    target = tmp_path / "model"
    shutil.copytree(model_folder, target, ignore=shutil.ignore_patterns("*.safetensors"))
    (target / "model.safetensors").write_bytes(b"weights")
    return target


def change(path: Path, **values) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def reason(folder: Path) -> str:
    """Why a folder is refused."""
    with pytest.raises(HostError) as caught:
        files.read(folder)
    assert caught.value.code == "LO204" and caught.value.hint
    return caught.value.message


def test_the_models_own_files_say_how_it_is_used(model_folder):
    found = files.read(model_folder)
    assert (found.dimensions, found.window_tokens, found.pooling, found.pad_id) == (384, 256, "mean", 0)


def test_the_fingerprint_depends_on_files_pooling_dtype_and_prompts(copy):
    first = files.read(copy).fingerprint("float32")
    assert files.read(copy).fingerprint("float32") == first
    assert files.read(copy).fingerprint("bfloat16") != first
    change(copy / "config_sentence_transformers.json", prompts={"query": "query: "})
    with_prompt = files.read(copy)
    assert with_prompt.prompts == {"query": "query: "} and with_prompt.fingerprint("float32") != first
    (copy / "model.safetensors").write_bytes(b"weightz")
    assert files.read(copy).fingerprint("float32") not in (first, with_prompt.fingerprint("float32"))


def test_other_poolings_are_read(copy):
    change(copy / "1_Pooling" / "config.json", pooling_mode_mean_tokens=False, pooling_mode_cls_token=True)
    assert files.read(copy).pooling == "cls"
    change(copy / "1_Pooling" / "config.json", pooling_mode="lasttoken")
    assert files.read(copy).pooling == "lasttoken"


def test_code_of_the_models_own_is_refused(copy):
    change(copy / "config.json", auto_map={"AutoModel": "evil.Model"})
    assert "auto_map" in reason(copy)


def test_weights_that_are_no_safetensors_are_refused(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    assert "safetensors" in reason(copy)


def test_a_module_that_no_engine_runs_is_refused(copy):
    modules = json.loads((copy / "modules.json").read_text())
    modules.append({"idx": 3, "name": "3", "path": "3_Dense", "type": "sentence_transformers.models.Dense"})
    (copy / "modules.json").write_text(json.dumps(modules))
    assert "Dense" in reason(copy)


@pytest.mark.parametrize("name", ["config.json", "modules.json", "1_Pooling/config.json"])
@pytest.mark.parametrize("content", [None, "", "{", "[]", "7", "null"])
def test_a_folder_with_broken_files_is_refused(copy, name, content):
    if content is None:
        (copy / name).unlink()
    else:
        (copy / name).write_text(content)
    assert str(copy) in reason(copy)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert "nowhere" in reason(tmp_path / "nowhere")
