"""Pooling and dense layers as torch: on a GPU the token states stay there, and only the vectors travel.

Letters: B texts, L tokens after padding, D model width, H width of the pooled vector.
The same as pooling.py and dense.py do in numpy.
"""

import torch
from torch.nn import functional

from ..dense import EPSILON, Step
from ..files import ModelFiles

ACTIVATIONS = {
    "Identity": lambda numbers: numbers,
    "Tanh": torch.tanh,
    "ReLU": torch.relu,
    "GELU": functional.gelu,
    "SiLU": functional.silu,
    "Sigmoid": torch.sigmoid,
}


class Head:
    """What stands behind the last layer of an embedder, with its weights as float32 on a device."""

    def __init__(self, files: ModelFiles, device: str) -> None:
        self._modes = files.pooling.split("+")
        self._steps: list[tuple[Step, dict[str, torch.Tensor]]] = [
            (step, {name: torch.tensor(value, device=device) for name, value in step.tensors.items()})
            for step in files.steps
        ]

    def __call__(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, L, D) of any float and (B, L) to (B, H) float32."""
        vectors = torch.cat([_pool(states, mask, mode) for mode in self._modes], dim=1)
        for step, held in self._steps:
            vectors = _step(step, held, vectors)
        return vectors


def _pool(states: torch.Tensor, mask: torch.Tensor, mode: str) -> torch.Tensor:
    if mode == "cls":
        return states[:, 0].float()
    if mode == "max":
        return states.masked_fill(mask[:, :, None] == 0, float("-inf")).amax(dim=1).float()
    if mode == "lasttoken":
        return states[torch.arange(len(states), device=states.device), mask.sum(dim=1) - 1].float()
    weights = mask.float()
    if mode == "weightedmean":
        weights = weights * torch.arange(1, mask.shape[1] + 1, device=mask.device)
    total = weights.sum(dim=1, keepdim=True).clamp(min=1e-9)
    if mode == "mean_sqrt_len_tokens":
        total = total.sqrt()
    return (states * weights[:, :, None].to(states.dtype)).sum(dim=1, dtype=torch.float32) / total


def _step(step: Step, held: dict[str, torch.Tensor], vectors: torch.Tensor) -> torch.Tensor:
    if step.kind == "Normalize":
        return functional.normalize(vectors, dim=-1)
    if step.kind == "LayerNorm":
        return functional.layer_norm(vectors, vectors.shape[-1:], held["norm.weight"], held["norm.bias"], EPSILON)
    found = ACTIVATIONS[step.activation](functional.linear(vectors, held["linear.weight"], held.get("linear.bias")))
    if step.residual:
        found = found + (functional.linear(vectors, held["residual.weight"]) if "residual.weight" in held else vectors)
    return found
