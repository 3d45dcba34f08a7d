"""Dense: what a Sentence Transformers model does to a pooled vector, as numpy; the torch engine has its own.

Letters: B texts, I width before a step, O width after it.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from . import weights
from .inspection import read_json, refused

ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "SiLU", "Sigmoid")
WIDTH_LIMIT = 1 << 16
EPSILON = 1e-5  # of torch.nn.LayerNorm
_erf = np.frompyfunc(math.erf, 1, 1)


@dataclass(frozen=True)
class Step:
    """One module behind the pooling: Dense, LayerNorm or Normalize."""

    kind: str
    folder: Path
    width: int  # O
    activation: str = "Identity"
    residual: bool = False

    @cached_property
    def tensors(self) -> dict[str, np.ndarray]:
        """Its weights as float32, by name: linear.weight (O, I), linear.bias (O,), residual.weight, norm.*."""
        if self.kind == "Normalize":
            return {}
        path = self.folder / "model.safetensors"
        return {name: weights.array(path, tensor) for name, tensor in weights.header(path).items()}

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """(B, I) float32 to (B, O)."""
        if self.kind == "Normalize":
            return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
        held = self.tensors
        if self.kind == "LayerNorm":
            centred = vectors - vectors.mean(axis=-1, keepdims=True)
            spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
            return centred / spread * held["norm.weight"] + held["norm.bias"]
        found = vectors @ held["linear.weight"].T
        if "linear.bias" in held:
            found += held["linear.bias"]
        found = activate(self.activation, found)
        if self.residual:
            found = found + (vectors @ held["residual.weight"].T if "residual.weight" in held else vectors)
        return found


def activate(name: str, numbers: np.ndarray) -> np.ndarray:
    """An activation by its name in torch.nn, element by element, as float32."""
    if name == "Tanh":
        return np.tanh(numbers)
    if name == "ReLU":
        return np.maximum(numbers, 0)
    if name in ("Sigmoid", "SiLU"):
        with np.errstate(over="ignore"):
            gate = 1 / (1 + np.exp(-numbers))
        return gate if name == "Sigmoid" else numbers * gate
    if name == "GELU":
        return numbers * (0.5 * (1 + _erf(numbers / math.sqrt(2)).astype(np.float32)))
    return numbers


def activation(path: object, default: str) -> str:
    """The name of an activation from its path in a model's files; raises HostError LO204 for one that is not known."""
    if path is None:
        return default
    name = path.rpartition(".")[2] if isinstance(path, str) and path.startswith("torch.nn.") else None
    if name not in ACTIVATIONS:
        raise refused(f"its activation is none that is known: {str(path)[:80]!r}")
    return name


def read(kind: str, folder: Path, width: int) -> Step:
    """A step for vectors of this width; raises HostError LO204 where its files do not fit."""
    if kind == "Normalize":
        return Step(kind, folder, width)
    config = read_json(folder / "config.json")
    if not isinstance(config, dict):
        raise refused(f"the config.json of its module {folder.name!r} is no JSON object")
    for name in ("module_input_name", "module_output_name"):
        if config.get(name) not in (None, "sentence_embedding"):
            raise refused(f"its module {folder.name!r} works on {str(config[name])[:80]!r}, which no engine does")
    path = folder / "model.safetensors"
    if not path.is_file():
        raise refused(f"its module {folder.name!r} has no model.safetensors")
    if kind == "LayerNorm":
        step = Step(kind, folder, width)
        expected = {"norm.weight": (width,), "norm.bias": (width,)}
    else:
        out = config.get("out_features")
        if config.get("in_features") != width or type(out) is not int or not 1 <= out <= WIDTH_LIMIT:
            raise refused(f"its module {folder.name!r} does not take vectors of {width} numbers")
        step = Step(
            kind, folder, out, activation(config.get("activation_function"), "Tanh"), bool(config.get("use_residual"))
        )
        expected = {"linear.weight": (out, width)}
        if config.get("bias", True):
            expected["linear.bias"] = (out,)
        if step.residual and out != width:
            expected["residual.weight"] = (out, width)
    found = {name: tensor.shape for name, tensor in weights.header(path).items()}
    if found != expected:
        raise refused(f"the weights of its module {folder.name!r} are {found}, not {expected}"[:300])
    return step
