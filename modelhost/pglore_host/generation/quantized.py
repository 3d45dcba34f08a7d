"""Quantized: a language model's matrices as int8, on a CPU by oneDNN in torch, on a GPU by bitsandbytes.

On a CPU each row of a matrix has a scale of its own, and so has each token that is multiplied with it. The numbers of
a token never depend on what else is in the batch: a text is the same in any company.
Letters: T tokens, I and O numbers before and after a matrix.
"""

import importlib.util
from collections.abc import Sequence

import torch

from .. import errors
from ..device import cpu_flags
from ..errors import HostError
from ..inspection import refused

WHOLE = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})  # one of these adds up 8 by 8 bits without running over
ROUTERS = frozenset({"gate", "router", "shared_expert_gate"})  # small, and what they choose decides all that follows
SAMPLE_ROWS, SAMPLE_TOKENS = 2, 64


class Int8Linear(torch.nn.Module):
    """A linear layer with its weights in int8."""

    def __init__(self, exact: torch.nn.Linear) -> None:
        super().__init__()
        weights = exact.weight.detach().float()
        self._scales = (weights.abs().amax(1) / 127).clamp_(min=1e-12)
        self._zeros = torch.zeros(len(weights), dtype=torch.int32)
        rounded = (weights / self._scales[:, None]).round_().to(torch.int8)
        self._packed = torch.ops.onednn.qlinear_prepack(rounded, None)
        self._bias = None if exact.bias is None else exact.bias.detach().float()
        self._steps = 127 if cpu_flags() & WHOLE else 63  # of a token's largest number
        self.in_features, self.out_features = exact.in_features, exact.out_features

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(..., T, I) to (..., T, O)."""
        exact = states.float()
        scales = exact.abs().amax(-1, keepdim=True).clamp_(min=1e-12).div_(self._steps)
        middle = self._steps + 1
        steps = (exact / scales).round_().add_(middle).to(torch.uint8)
        found = torch.ops.onednn.qlinear_pointwise(
            steps, 1.0, middle, self._packed, self._scales, self._zeros, None, 1.0, 0, torch.float32, "none", [], ""
        ).mul_(scales)
        return (found if self._bias is None else found.add_(self._bias)).to(states.dtype)


def shrink(model: torch.nn.Module) -> float:
    """Put Int8Linear in the place of every linear layer; returns the share of the weights that this is.

    raises  HostError LO204 where the processor or the model has nothing to do it with
    """
    every, done = sum(part.numel() for part in model.parameters()), 0
    for parent in list(model.modules()):
        for name, part in list(parent.named_children()):
            if type(part) is torch.nn.Linear and name not in ROUTERS:
                done += part.weight.numel()
                try:
                    setattr(parent, name, Int8Linear(part))
                except (RuntimeError, AttributeError) as error:
                    why = "torch has no kernels for int8 on this processor"
                    raise refused(why, 'Leave the option "quantize" out.') from error
    if not done:
        raise refused("it has no matrices of the kind that is quantized here", 'Leave the option "quantize" out.')
    return done / max(every, done)


def settings(how: str) -> object:
    """What transformers is told so that it loads the weights on a GPU in int8 or int4; raises HostError LO206."""
    if importlib.util.find_spec("bitsandbytes") is None or importlib.util.find_spec("accelerate") is None:
        raise HostError(
            errors.UNKNOWN_ENGINE,
            f"{how} on a GPU needs the package bitsandbytes, which is not installed beside the model host",
            "pip install 'pglore[quantize]' into the model host's environment.",
        )
    from transformers import BitsAndBytesConfig

    if how == "int8":  # the threshold would look at the whole batch, and make a text depend on its company
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_threshold=0.0)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)


def unpacking(how: str) -> object:
    """What transformers is told so that it unpacks the quantized weights of a folder as it reads them."""
    from transformers import FineGrainedFP8Config, Mxfp4Config

    return {"fp8": FineGrainedFP8Config, "mxfp4": Mxfp4Config}[how](dequantize=True)


def guesses(model: torch.nn.Module, ids: Sequence[int]) -> torch.Tensor:
    """Logarithms of the chances of each next token of a sample, for `loss`."""
    width = min(SAMPLE_TOKENS, len(ids) // SAMPLE_ROWS)
    rows = torch.tensor(ids[: width * SAMPLE_ROWS]).view(SAMPLE_ROWS, width)
    with torch.inference_mode():
        return model(rows, use_cache=False).logits.float().log_softmax(-1)


def loss(exact: torch.Tensor, coarse: torch.Tensor) -> dict[str, float]:
    """How often the likeliest next token is the same, and how far the chances differ (Kullback and Leibler, nats)."""
    same = (exact.argmax(-1) == coarse.argmax(-1)).float().mean().item()
    apart = (exact.exp() * (exact - coarse)).sum(-1).mean().item()
    return {"agreement": round(same, 4), "divergence": round(apart, 6), "tokens": exact.shape[0] * exact.shape[1]}
