"""A language model's folder: what its files say about how it writes and what its cache takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import configuration
from ..files import BYTES, ModelFiles
from ..inspection import read_json, refused

WRITES = ("ForCausalLM", "LMHeadModel")  # endings of the architectures that write
LAYER_TYPES = frozenset({"full_attention", "sliding_attention"})  # whose states lie at their positions
CACHE_BYTES = 1 << 30  # that the states of the sequences under way take at most, where no option says otherwise
CACHE_SHARE = 0.1  # ... or this share of the weights, where that is more
CACHE_TOKENS = 1 << 17  # and no more than so many
LEAST_CACHE = 256  # tokens


@dataclass(frozen=True)
class LanguageFiles(ModelFiles):
    """A causal language model."""

    ends: frozenset[int] = frozenset()  # ids that end a text
    penalty: float = 1.0  # of repetition, which the model's makers ask for
    state_numbers: int = 0  # that a token's states take in all layers
    asked_cache_tokens: int | None = None  # the option
    quantize: str | None = None  # the option: int8, int4
    packing: str | None = None  # how the weights in the files are quantized: fp8, mxfp4

    def state_bytes(self, dtype: str) -> int:
        """Memory of one token's states."""
        return self.state_numbers * BYTES[dtype]

    def cache_tokens(self, dtype: str) -> int:
        """Tokens whose states the cache may hold."""
        if self.asked_cache_tokens:
            return self.asked_cache_tokens
        room = max(CACHE_BYTES, int(self.parameters * BYTES[dtype] * CACHE_SHARE)) // self.state_bytes(dtype)
        return max(LEAST_CACHE, min(CACHE_TOKENS, room))

    def needs_bytes(self, dtype: str) -> int:
        """See ModelFiles; the cache counts whole, though it grows as it is used.

        Weights that are quantized count whole too: a CPU holds the exact ones until they are.
        """
        return super().needs_bytes(dtype) + self.cache_tokens(dtype) * self.state_bytes(dtype)


def read(
    found: Mapping[str, Any], raw: dict, folder: Path, cache_tokens: int | None, quantize: str | None
) -> LanguageFiles:
    """The files of a language model; `found` is what every kind has (see files.py), raw its config.json.

    raises  HostError LO204 for a model that does not write, or not in a way that is run here
    """
    architectures = raw.get("architectures") or []
    if not any(str(name).endswith(WRITES) for name in architectures):
        raise refused("it is no language model: config.json names no architecture ...ForCausalLM")
    kinds = set(raw.get("layer_types") or []) - LAYER_TYPES
    if kinds:
        raise refused(
            f"it has layers of the kind {min(map(str, kinds))[:40]!r}, whose states are not kept by position",
            "Serve it with vLLM or llama.cpp, and add that server's URL.",
        )
    config: configuration.Configuration = found["config"]
    about = read_json(folder / "generation_config.json", optional=True)
    ends: set[int] = set()
    for source in (about, raw):
        given = source.get("eos_token_id") if isinstance(source, dict) else None
        ends |= {end for end in (given if isinstance(given, list) else [given]) if type(end) is int}
    penalty = about.get("repetition_penalty") if isinstance(about, dict) else None
    layers = configuration._first(raw, configuration.LAYERS) or 1
    heads = configuration._first(raw, ("num_attention_heads", "n_head", "num_heads", "n_heads")) or 1
    keys = configuration._first(raw, ("num_key_value_heads",)) or heads
    width = configuration._first(raw, ("head_dim",)) or config.hidden // heads
    return LanguageFiles(
        **found,
        pooling="",
        width=0,
        dimensions=0,
        ends=frozenset(end for end in ends if 0 <= end < config.vocabulary),
        penalty=float(penalty) if isinstance(penalty, int | float) and 0.5 <= penalty <= 4 else 1.0,
        state_numbers=2 * layers * keys * width,
        asked_cache_tokens=cache_tokens,
        quantize=quantize,
        packing=configuration.packing(raw),
        altered=(("window", found["window_tokens"]), *([("quantize", quantize)] if quantize else [])),
    )
