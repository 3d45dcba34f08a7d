"""Configuration: config.json against the tensors, before a library makes room for what it claims.

A config can ask for any amount of memory; the tensors are as large as their file. So each size that config.json
names must be found in the tensors, or stay in proportion to them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .inspection import refused
from .weights import Tensor

HIDDEN = ("hidden_size", "d_model", "dim", "n_embd")
LAYERS = ("num_hidden_layers", "num_layers", "n_layers", "n_layer")
INNER = ("intermediate_size", "d_ff", "hidden_dim", "n_inner")
POSITIONS = ("max_position_embeddings", "n_positions")
LIMITS = {  # name -> the largest number that is believed
    **dict.fromkeys(HIDDEN, 1 << 16),
    **dict.fromkeys(LAYERS, 1 << 10),
    **dict.fromkeys(INNER, 1 << 20),
    **dict.fromkeys(POSITIONS, 1 << 20),
    **dict.fromkeys(("num_attention_heads", "num_heads", "n_heads", "n_head", "num_key_value_heads"), 1 << 12),
    **dict.fromkeys(("head_dim", "d_kv", "embedding_size", "relative_attention_num_buckets"), 1 << 16),
    **dict.fromkeys(("num_decoder_layers", "num_hidden_groups", "type_vocab_size", "num_experts"), 1 << 10),
    "vocab_size": 1 << 24,
}
OFTEN_UNUSED = frozenset({"type_vocab_size", "num_key_value_heads", "num_decoder_layers", *INNER})  # 0 or null is usual
NUMBER_LIMIT = 1 << 40
EMBEDDINGS = re.compile(r"(?:^|\.)(?:word_embeddings|embed_tokens|tok_embeddings|shared|wte)\.weight$")
PLACES = re.compile(r"(?:^|\.)(?:position_embeddings|wpe)\.weight$")
LAYER = re.compile(r"(?:^|\.)(?:layer|layers|block|h)\.(\d+)\.")
# Their positions count from pad_id + 1: two or so fewer tokens fit than config.json says.
OFFSET = frozenset(
    {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer", "roberta-prelayernorm",
     "data2vec-text", "xmod", "ibert"}
)  # fmt: skip
ENCODER_ONLY = frozenset({"t5", "mt5", "umt5", "longt5", "switch_transformers"})  # whose encoder stands alone
WINDOW_TOKENS = 512  # where the files name no limit, as the first of these encoders had it
UNPACKED = frozenset({"fp8", "mxfp4"})  # kinds of quantized language models that transformers unpacks as it reads them
MODEL_TYPE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What config.json says, checked."""

    kind: str  # model_type
    hidden: int  # width of the token states
    vocabulary: int  # token ids are below it
    positions: int | None  # tokens that fit, None where nothing in the model sets a limit
    pad_id: int
    token_types: int  # kinds of segment it tells apart
    labels: int | None  # of a model for classification, None for others


def check(config: Any, tensors: Mapping[str, Tensor], unpacked: frozenset[str] = frozenset()) -> Configuration:
    """What is needed of config.json.

    unpacked  kinds of quantized weights that are taken, since they are unpacked when they are read
    raises  HostError LO204 where it is absurd, asks for what no engine does, or does not fit the tensors
    """
    if not isinstance(config, dict):
        raise refused("config.json is no JSON object")
    kind = config.get("model_type")
    if not isinstance(kind, str) or not MODEL_TYPE.fullmatch(kind):
        raise refused("config.json names no model_type")
    if "quantization_config" in config and (kind_of := packing(config)) not in unpacked:
        raise refused(
            f"its weights are quantized{f' by {kind_of}' if kind_of else ''}, which no engine reads",
            "Use the model's original weights"
            + (', with the option "quantize", or add the URL of a server that runs it.' if unpacked else "."),
        )
    if any("/" in str(config[name]) for name in config if "implementation" in name or "kernel" in name):
        raise refused("config.json asks for code of somebody else's to be run, as a kernel")
    _plausible(config)
    if config.get("is_encoder_decoder") and kind not in ENCODER_ONLY:
        raise refused(f"models of the type {kind!r} have a decoder too, and their encoder is not run alone")
    hidden = _first(config, HIDDEN)
    if hidden is None:
        raise refused("config.json does not say hidden_size: it is no text model")
    vocabulary = _fits(config, tensors, kind, hidden)
    pad = config.get("pad_token_id")
    pad_id = pad if type(pad) is int and 0 <= pad < vocabulary else int(kind in OFFSET)
    positions = None if kind in ENCODER_ONLY else _first(config, POSITIONS)
    if positions and kind in OFFSET:
        positions -= pad_id + 1
    types = config.get("type_vocab_size")
    return Configuration(kind, hidden, vocabulary, positions, pad_id, types if types else 1, _labels(config))


def packing(config: Mapping) -> str | None:
    """How the weights are quantized, by the word that config.json has for it."""
    about = config.get("quantization_config")
    method = about.get("quant_method") if isinstance(about, dict) else None
    return method if isinstance(method, str) and MODEL_TYPE.fullmatch(method) else None


def _plausible(config: dict) -> None:
    for name, limit in LIMITS.items():
        value = config.get(name)
        if value is None or (value == 0 and name in OFTEN_UNUSED):
            continue
        if name == "max_position_embeddings" and value == -1:  # XLNet's word for "no limit"
            continue
        if type(value) is not int or not 1 <= value <= limit:
            raise refused(f"config.json says {name} = {str(value)[:40]}, which cannot be")
    waiting: list[tuple[str, Any]] = list(config.items())
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(str(key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(name, inner) for inner in value]
        elif isinstance(value, int) and abs(value) > NUMBER_LIMIT:
            raise refused(f"config.json says {name[:40]} = {str(value)[:40]}, which cannot be")


def _fits(config: dict, tensors: Mapping[str, Tensor], kind: str, hidden: int) -> int:
    """The vocabulary, once every size has been found in the tensors."""
    words = next((tensor for name, tensor in tensors.items() if EMBEDDINGS.search(name)), None)
    if words is None:
        words = next((tensor for tensor in tensors.values() if tensor.shape[:1] == (config.get("vocab_size"),)), None)
    if words is None or len(words.shape) != 2:
        raise refused("its weights hold no embeddings of words")
    vocabulary = config.get("vocab_size") or words.shape[0]
    width = config.get("embedding_size") or hidden
    if words.shape not in ((vocabulary, width), (vocabulary, hidden)):
        raise refused(f"config.json asks for embeddings of ({vocabulary}, {width}), its weights hold {words.shape}")
    if not any(hidden in tensor.shape for tensor in tensors.values()):
        raise refused(f"config.json says the model is {hidden} wide, and none of its weights is")
    places = next((tensor for name, tensor in tensors.items() if PLACES.search(name)), None)
    positions = _first(config, POSITIONS) or 0
    if places is not None and positions and places.shape[0] != positions:
        raise refused(f"config.json says {positions} positions, its weights hold {places.shape[0]}")
    layers = _first(config, LAYERS) or 0
    numbers = [
        int(found[1][:6])
        for name in tensors
        if (found := LAYER.search(name)) and not (kind in ENCODER_ONLY and name.startswith("decoder."))
    ]
    if numbers and layers and max(numbers) + 1 != layers:
        raise refused(f"config.json says {layers} layers, its weights hold {max(numbers) + 1}")
    distinct = config.get("num_hidden_groups") or layers  # ALBERT's layers share their weights
    inner = _first(config, INNER) or hidden
    claimed = distinct * hidden * (4 * hidden + 2 * inner)
    held = sum(tensor.count for tensor in tensors.values())
    if claimed > 4 * held + (1 << 24) or positions * hidden > 4 * held + (1 << 27):
        raise refused(f"config.json describes a far larger model than its {held:,} weights")
    return vocabulary


def _first(config: dict, names: tuple[str, ...]) -> int | None:
    return next((config[name] for name in names if type(config.get(name)) is int and config[name] > 0), None)


def _labels(config: dict) -> int | None:
    architectures = config.get("architectures") or []
    if not isinstance(architectures, list) or not all(isinstance(name, str) for name in architectures):
        raise refused("config.json names no architectures that can be read")
    if not any(name.endswith("ForSequenceClassification") for name in architectures):
        return None
    if isinstance(names := config.get("id2label"), dict):
        return len(names)
    count = config.get("num_labels", 2)  # as transformers has it
    return count if type(count) is int else 0


def window(config: Configuration, asked: object, tokenizer_limit: object) -> int:
    """Tokens that are read at once: what the files ask for, as far as the model's positions go."""
    wanted = next((value for value in (asked, tokenizer_limit) if type(value) is int and 1 <= value <= 1 << 20), None)
    found = [number for number in (wanted, config.positions) if number]
    size = min(found) if found else WINDOW_TOKENS
    if size < 4:
        raise refused(f"it reads {size} tokens at once, which is too few")
    return size
