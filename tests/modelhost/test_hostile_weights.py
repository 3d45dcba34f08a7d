"""Hostile weights: damaged, of other shapes or incomplete ones are refused before anything is computed with them."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pglore_host import device, engines, files, settings
from pglore_host.errors import HostError

from . import tiny
from .hostile import refusal
from .tiny import HIDDEN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good tiny model, to be spoilt."""
    made = tiny.bert(tmp_path / "model")
    files.read(made)
    return made


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def with_header(change: Callable[[dict], object]) -> Callable[[bytes], bytes]:
    """A change to the header of a safetensors file."""

    def spoil(data: bytes) -> bytes:
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        raw = json.dumps(change(header) or header).encode()
        return struct.pack("<Q", len(raw)) + raw + data[8 + length :]

    return spoil


WORDS = "embeddings.word_embeddings.weight"
BIAS = "embeddings.LayerNorm.bias"
SPOILT = {
    "cut in half": cut,
    "without its last byte": lambda data: data[:-1],
    "with a byte more": lambda data: data + b"x",
    "empty": lambda data: b"",
    "seven bytes": lambda data: data[:7],
    "a header of 2**63 bytes": lambda data: struct.pack("<Q", 1 << 63) + data[8:],
    "a header of no bytes": lambda data: struct.pack("<Q", 0) + data[8:],
    "a header that is no JSON": lambda data: data[:8] + b"x" + data[9:],
    "a header that is a list": lambda data: struct.pack("<Q", 2) + b"[]",
    "a header nested deeply": lambda data: struct.pack("<Q", 200_000) + b"[" * 200_000,
    "an unknown dtype": with_header(lambda header: header[WORDS].update(dtype="X9")),
    "overlapping tensors": with_header(lambda header: header[BIAS].update(data_offsets=header[WORDS]["data_offsets"])),
    "a negative offset": with_header(lambda header: header[BIAS].update(data_offsets=[-4, 4])),
    "an offset beyond the end": with_header(lambda header: header[BIAS].update(data_offsets=[1 << 40, (1 << 40) + 32])),
    "a shape that is larger": with_header(lambda header: header[BIAS].update(shape=[1 << 40])),
    "a shape of floats": with_header(lambda header: header[BIAS].update(shape=[8.0])),
    "a hole": with_header(lambda header: header.pop(BIAS) and None),
    "a name twice": lambda data: data.replace(
        b'"encoder.layer.1.output.dense.bias"', b'"encoder.layer.0.output.dense.bias"'
    ),
}


@pytest.mark.parametrize("how", SPOILT)
def test_damaged_weights_are_refused(folder, how):
    path = folder / "model.safetensors"
    path.write_bytes(SPOILT[how](path.read_bytes()))
    assert "model.safetensors" in refusal(folder).message


def test_every_byte_of_a_header_may_be_wrong_without_harm(folder):
    path = folder / "model.safetensors"
    data = path.read_bytes()
    chance = np.random.default_rng(3)
    for _ in range(300):
        spoilt = bytearray(data)
        spoilt[chance.integers(0, 3000)] ^= 1 << chance.integers(0, 8)
        path.write_bytes(spoilt)
        try:
            files.read(folder)
        except HostError as error:
            assert error.code == "LO204"


def test_a_flipped_bit_in_the_weights_is_found_by_the_hash_that_was_registered(folder):
    before = files.read(folder).content_hash
    path = folder / "model.safetensors"
    spoilt = bytearray(path.read_bytes())
    spoilt[-100] ^= 0x40
    path.write_bytes(spoilt)
    with pytest.raises(HostError) as caught:
        files.read(folder).verify(before)
    assert caught.value.code == "LO204"


FITTING = {"linear.weight": (4, HIDDEN), "linear.bias": (4,)}


@pytest.mark.parametrize(
    ("config", "weights"),
    [
        ({}, {"linear.weight": (4, HIDDEN)}),
        ({}, {"linear.weight": (HIDDEN, 4), "linear.bias": (4,)}),
        ({}, {}),
        ({"out_features": 10**12}, FITTING),
        ({"in_features": 9}, {"linear.weight": (4, 9), "linear.bias": (4,)}),
        ({"activation_function": "os.system"}, FITTING),
        ({"activation_function": "torch.nn.evil"}, FITTING),
        ({"module_input_name": "token_embeddings"}, FITTING),
    ],
    ids=str,
)
def test_a_dense_layer_that_does_not_fit_is_refused(folder, config, weights):
    config = {"in_features": HIDDEN, "out_features": 4, **config}
    tiny.module(folder, "Dense", config, {name: np.zeros(shape, np.float32) for name, shape in weights.items()})
    refusal(folder)


def rewritten(folder: Path, spoil: Callable[[dict], object]) -> None:
    """Write the weights again with other tensors."""
    from safetensors.numpy import save_file

    tensors = tiny.tensors()
    spoil(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def renamed(tensors: dict) -> None:
    for name in [name for name in tensors if "layer.1.attention" in name]:
        tensors[name.replace("attention", "attending")] = tensors.pop(name)


LATE = {
    "a tensor is missing": lambda tensors: tensors.pop("encoder.layer.0.output.dense.bias"),
    "a tensor has another shape": lambda tensors: tensors.update({BIAS: np.zeros(HIDDEN + 1, np.float32)}),
    "the tensors of a layer are called otherwise": renamed,
}


# One of them is enough for the engine that converts in a process of its own: the same function reads for both.
@pytest.mark.parametrize(("how", "engine"), [*((how, "torch") for how in LATE), ("a tensor is missing", "openvino")])
def test_weights_that_do_not_make_up_the_model_are_refused_when_it_is_loaded(folder, tmp_path, how, engine):
    """transformers would fill the gaps with chance and warn."""
    rewritten(folder, LATE[how])
    chosen = settings.Settings(data_directory=tmp_path, cache=tmp_path / "cache")
    running = engines.create(files.read(folder), device.choose(chosen, {"engine": engine, "device": "cpu"}), chosen)
    with pytest.raises(HostError) as caught:
        running.load()
    assert caught.value.code == "LO204" and "weights" in caught.value.message
    assert str(folder.parent) not in caught.value.message
