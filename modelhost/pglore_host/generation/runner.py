"""The runner: a causal language model of transformers and its cache; new tokens of some rows to logits.

Letters: B rows, T new tokens of the longest of them, V size of the vocabulary.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from .. import errors
from ..device import Device
from ..engines import give_back
from ..errors import HostError
from ..inspection import refused
from . import attention, packed, quantized
from .cache import RowCache, rounded
from .files import LanguageFiles

PROBE_TOKENS = 24  # of the comparison with the model's own way
COARSE = 0.1  # the same with quantized weights: a number at the edge between two steps may fall on either side
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.15, "float16": 0.05}  # of a probability, there


class Runner:
    """One model, called from one thread."""

    def __init__(self, files: LanguageFiles, device: Device) -> None:
        self._files, self._device = files, device
        self._dtype = getattr(torch, device.dtype)
        self.cache = RowCache(device.kind)
        self.taken_bytes = 0  # by the weights, where the device tells
        self.quality: dict | None = None  # what quantized weights lose, where it was measured
        self.model: torch.nn.Module = None  # type: ignore[assignment]  # there once loaded

    def load(self, sample: Sequence[int] = ()) -> None:
        """Read the weights (safetensors only, no code of the model's own).

        sample  ids of a text, on which it is measured what quantized weights lose
        raises  HostError LO204, LO206, MemoryError
        """
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        kind = self._device.kind
        if kind == "cuda" and not torch.cuda.is_available():
            raise HostError(errors.MODEL_NOT_LOADED, f"torch {torch.__version__} finds no CUDA device")
        before = torch.cuda.memory_allocated() if kind == "cuda" else 0
        folder, how = self._files.transformer, self._files.quantize
        known: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        given, packing = dict(known), self._files.packing
        if packing:
            given["quantization_config"] = quantized.unpacking(packing)
        if how and kind != "cpu":
            if packing:
                raise refused(f"its weights are quantized already ({packing})", 'Leave the option "quantize" out.')
            given |= {"quantization_config": quantized.settings(how), "device_map": {"": 0 if kind == "cuda" else kind}}
        try:
            config = AutoConfig.from_pretrained(folder, **known)
            model, about = AutoModelForCausalLM.from_pretrained(
                folder, config=config, use_safetensors=True, dtype=self._dtype, output_loading_info=True, **given
            )
            self.model = model.eval() if "device_map" in given else model.eval().to(kind)
        except torch.cuda.OutOfMemoryError as error:
            raise MemoryError(str(error)) from error
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
            first = (str(error).strip().replace(str(folder), "its folder").splitlines() or [type(error).__name__])[0]
            raise refused(f"transformers cannot read it: {first[:200]}") from error
        if about["mismatched_keys"]:
            raise refused("the shapes of its weights are not those that config.json asks for")
        if missing := sorted(about["missing_keys"]):
            raise refused(f"{len(missing)} of its weights are missing, {missing[0][:80]!r} among them")
        if how and kind == "cpu":
            self._shrink(sample)
        self._compare()
        give_back()
        if kind == "cuda":
            self.taken_bytes = torch.cuda.memory_allocated() - before

    def _shrink(self, sample: Sequence[int]) -> None:
        """Quantize the weights, and measure what that loses; the exact ones are given back."""
        before = quantized.guesses(self.model, sample)
        share = quantized.shrink(self.model)
        self.quality = {**quantized.loss(before, quantized.guesses(self.model, sample)), "share": round(share, 4)}
        give_back()

    def _compare(self) -> None:
        """Run a few tokens both ways; raises HostError LO204 for a model that is not of the kind that fits here."""
        chosen = np.random.default_rng(1).integers(0, self._files.config.vocabulary, (2, PROBE_TOKENS))
        usual = self.model.config._attn_implementation
        try:
            with torch.inference_mode():
                whole = self.model(torch.from_numpy(chosen).to(self._device.kind), use_cache=False).logits[:, -1]
            if self._device.kind == "cpu":
                packed.pack(self.model)
            self.model.set_attn_implementation(attention.NAME)
            self.cache.resize(2, rounded(PROBE_TOKENS))
            half = PROBE_TOKENS // 2
            self.forward(0, [chosen[0, :half], chosen[1, : half - 3]], [0, 0])
            self.forward(0, [chosen[0, half:-1], chosen[1, half - 3 : -1]], [half, half - 3])
            ours = self.forward(0, [chosen[0, -1:], chosen[1, -1:]], [PROBE_TOKENS - 1] * 2)
        except (RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError, AssertionError) as error:
            raise refused(
                f"models of the type {self._files.config.kind!r} are not run here ({type(error).__name__}, {usual})",
                "Serve it with vLLM or llama.cpp, and add that server's URL.",
            ) from error
        self.cache.resize(0, 0)
        wrong = (ours.softmax(-1) - whole.float().softmax(-1)).abs().max().item()
        if not np.isfinite(wrong):
            raise refused(
                "what it computes is not finite: its weights are damaged, or too large for this number format",
                'Give it the option "dtype": "float32", or "bfloat16" on a GPU.',
            )
        if wrong > (COARSE if self._files.quantize else TOLERANCE[self._device.dtype]):
            raise refused(
                f"models of the type {self._files.config.kind!r} keep states of a kind that cannot be batched here",
                "Serve it with vLLM or llama.cpp, and add that server's URL.",
            )

    def forward(self, low: int, tokens: Sequence[Sequence[int] | np.ndarray], starts: Sequence[int]) -> torch.Tensor:
        """Run new tokens of the rows from `low` on, each from its start; their states are kept.

        The cache must have room for T from the latest start on.

        returns  (B, V) float32, of the last token of each row
        raises   MemoryError when the device's memory is not enough
        """
        counts = [len(row) for row in tokens]
        width = max(counts)
        ids = np.zeros((len(tokens), width), dtype=np.int64)
        for number, row in enumerate(tokens):
            ids[number, : counts[number]] = row
        first = np.asarray(starts, dtype=np.int64)
        # What stands behind a shorter row's end is computed for nothing, and kept where that row's next tokens go.
        places = first[:, None] + np.arange(width)
        kind = self._device.kind
        step = attention.Step(
            low,
            torch.from_numpy(places).to(kind),
            max(start + count for start, count in zip(starts, counts, strict=True)),
            self._dtype,
            torch.arange(len(tokens), device=kind)[:, None],
            int(first[0]) if (first == first[0]).all() else None,
        )
        last = sorted({count - 1 for count in counts})
        self.cache.step = step
        try:
            with torch.inference_mode(), step:
                found = self.model(
                    input_ids=torch.from_numpy(ids).to(kind),
                    position_ids=step.positions.clamp(max=self._files.window_tokens - 1),
                    past_key_values=self.cache,
                    use_cache=True,
                    logits_to_keep=torch.tensor(last, device=kind) if width > 1 else 1,
                ).logits
                pick = [last.index(count - 1) for count in counts]
                return found[torch.arange(len(tokens), device=kind), torch.tensor(pick, device=kind)].float()
        except torch.cuda.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise MemoryError(f"the device {kind} has too little memory for this batch") from error
        except RuntimeError as error:
            if "allocate memory" not in str(error) and "not enough memory" not in str(error):
                raise
            raise MemoryError("the machine has too little memory for this batch") from error

    def health(self) -> str | None:
        """Why the device cannot go on, or None: an error on a GPU stays."""
        try:
            if self._device.kind == "cuda":
                torch.cuda.synchronize()
        except RuntimeError as error:
            return str(error).splitlines()[0]
        return None

    def unload(self) -> None:
        """Give the memory back."""
        self.model = None  # type: ignore[assignment]
        self.cache = RowCache(self._device.kind)
        give_back()
        if self._device.kind == "cuda":
            torch.cuda.empty_cache()
