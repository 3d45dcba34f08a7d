"""A model's folder: what its own files say about it, and the hash that identifies it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from . import configuration, dense, errors, weights
from .configuration import Configuration
from .errors import HostError
from .inspection import inside, read_json, refused, sweep
from .pooling import MODES

KEPT = (".safetensors", ".json", ".txt", ".model")  # files that can change a vector
UNHASHED = "data_config.json"  # what the model was trained on
MODULES = frozenset({"Transformer", "Pooling", "Dense", "LayerNorm", "Normalize"})
STEPS = ("Dense", "LayerNorm", "Normalize")
LEGACY_MODES = {  # in the order in which sentence-transformers joins them
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
PROMPT_NAMES = {  # what models call the prompts of the two input types, best first
    "query": ("query", "search_query", "question", "retrieval.query"),
    "document": ("document", "passage", "corpus", "search_document", "retrieval.passage"),
}
WINDOW_FILES = "sentence_*_config.json"
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
WORKING_BYTES = 96 << 20  # what an engine takes beside the weights: code, kernels, one batch


@dataclass(frozen=True)
class ModelFiles:
    """A text encoder with pooling and dense layers, or a cross-encoder."""

    folder: Path
    transformer: Path  # folder of config.json and the weights, mostly the same
    tokenizer: Path  # tokenizer.json
    task: str  # embed, rerank
    config: Configuration
    width: int  # H, numbers of a pooled vector before it is cut to `dimensions`; 1 for a cross-encoder
    dimensions: int
    window_tokens: int  # tokens read at once, special tokens included
    pooling: str  # modes of pooling.MODES joined by "+"; empty for a cross-encoder
    parameters: int
    weights_bytes: int
    paths: tuple[Path, ...]  # every file of the folder
    steps: tuple[dense.Step, ...] = ()  # behind the pooling
    activation: str = "Identity"  # of a cross-encoder's score, a name of dense.ACTIVATIONS
    lower_case: bool = False  # the model reads lower case, and its tokenizer leaves that to its caller
    prompts: Mapping[str, str] = field(default_factory=dict)  # by input type: query, document
    altered: tuple = ()  # options that change a vector, where given

    @property
    def pad_id(self) -> int:
        """The id that stands behind the end of a text."""
        return self.config.pad_id

    @cached_property
    def content_hash(self) -> str:
        """sha256 over the names and hashes of the files that can change a vector."""
        total = hashlib.sha256()
        for path in self.paths:
            if path.suffix in KEPT and path.name != UNHASHED:
                with path.open("rb") as file:
                    inner = hashlib.file_digest(file, "sha256").hexdigest()
                total.update(f"{path.relative_to(self.folder).as_posix()} {inner}\n".encode())
        return total.hexdigest()

    def verify(self, content_hash: str) -> None:
        """Compare with the hash that was taken when the model was added; raises HostError LO204 where it differs."""
        if self.content_hash != content_hash:
            raise refused(
                "its files are not those that were registered",
                "Bring them back, or register the model anew if the change is meant: lore.drop_model, lore.add_model.",
            )

    def fingerprint(self, dtype: str) -> str:
        """Identity of the vectors: files, pooling, number format, prompts, and the options that change a vector."""
        about = json.dumps([self.content_hash, self.pooling, dtype, sorted(self.prompts.items()), *self.altered])
        return hashlib.sha256(about.encode()).hexdigest()

    def needs_bytes(self, dtype: str) -> int:
        """Memory that the model will take on its device, estimated."""
        return int(self.parameters * BYTES[dtype] * 1.1) + WORKING_BYTES


def read(
    folder: Path,
    task: str = "embed",
    *,
    pooling: str | None = None,
    dimensions: int | None = None,
    window_tokens: int | None = None,
    query_prompt: str | None = None,
    document_prompt: str | None = None,
    **_: object,
) -> ModelFiles:
    """What the folder's files say, with the model's options in front of them; other options are not looked at.

    raises  HostError LO204 for a folder that could do harm, is damaged, or holds no model for the task;
            LO103 for an option that does not fit the model
    """
    try:
        paths = sweep(folder)
        return _read(folder, paths, task, pooling, dimensions, window_tokens, query_prompt, document_prompt)
    except OSError as error:
        raise refused(f"its files cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise refused(f"its files contradict each other ({type(error).__name__})") from error


def _read(
    folder: Path,
    paths: list[Path],
    task: str,
    mode: str | None,
    dimensions: int | None,
    window_tokens: int | None,
    query_prompt: str | None,
    document_prompt: str | None,
) -> ModelFiles:
    modules = _modules(folder)
    transformer = modules[0][1] if modules else folder
    if (transformer / "adapter_config.json").exists():
        raise refused("it is an adapter for another model", "Merge it into that model first.")
    tensors = _tensors(folder, transformer, paths)
    raw = read_json(transformer / "config.json")
    config = configuration.check(raw, tensors)
    tokenizer = next((at / "tokenizer.json" for at in (transformer, folder) if (at / "tokenizer.json").is_file()), None)
    if tokenizer is None:
        raise refused(
            "it has no tokenizer.json", "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes one."
        )
    about = _object(read_json(folder / "config_sentence_transformers.json", optional=True))
    limit, lower_case = _text_config(transformer)
    window = configuration.window(
        config,
        limit,
        _object(read_json(tokenizer.parent / "tokenizer_config.json", optional=True)).get("model_max_length"),
    )
    if window_tokens is not None:
        if config.positions and window_tokens > config.positions:
            raise HostError(
                errors.BAD_ARGUMENT,
                f"the option window_tokens is {window_tokens}, and the model reads {config.positions}",
            )
        window = window_tokens
    found = {
        "folder": folder, "transformer": transformer, "tokenizer": tokenizer, "task": task, "config": config,
        "window_tokens": window, "parameters": sum(tensor.count for tensor in tensors.values()),
        "weights_bytes": sum(tensor.size for tensor in tensors.values()), "paths": tuple(paths),
        "lower_case": lower_case,
    }  # fmt: skip
    if task == "rerank":
        return _cross_encoder(found, raw, about, modules)
    if config.labels is not None and not modules:
        raise refused("it is a cross-encoder or classifier, which makes no vectors", "Add it with the task rerank.")
    own, include_prompt = _pooling(modules, config.hidden)
    width = config.hidden * len((mode or own).split("+"))
    steps = []
    for kind, place, _ in modules[2:]:
        steps.append(dense.read(kind, place, width))
        width = steps[-1].width
    while steps and steps[-1].kind == "Normalize":  # every vector leaves with length 1 anyway
        steps.pop()
    if dimensions is not None and dimensions > width:
        raise HostError(
            errors.BAD_ARGUMENT, f"the option dimensions is {dimensions}, and the model's vectors have {width}"
        )
    prompts = _prompts(about, query_prompt, document_prompt)
    if prompts and not include_prompt:
        raise refused("its pooling leaves the prompt out, which no engine does")
    return ModelFiles(
        **found,
        pooling=mode or own,
        width=width,
        dimensions=dimensions or width,
        steps=tuple(steps),
        prompts=prompts,
        altered=tuple(sorted((n, v) for n, v in {"dimensions": dimensions, "window": window_tokens}.items() if v)),
    )


def _cross_encoder(found: dict, raw: dict, about: dict, modules: list) -> ModelFiles:
    labels = found["config"].labels
    if labels is None:
        raise refused("it is no cross-encoder: config.json names no architecture ...ForSequenceClassification")
    if labels != 1:
        raise refused(f"it gives {labels} labels, and a reranker gives one score")
    if len(modules) > 1:
        raise refused(f"it has modules that no reranker runs: {', '.join(kind for kind, _, _ in modules[1:])}")
    if _prompts(about, None, None):
        raise refused("it puts a prompt before what it reads, which no reranker here does")
    own = raw.get("sentence_transformers")
    paths = (
        about.get("activation_fn"),
        own.get("activation_fn") if isinstance(own, dict) else None,
        raw.get("sbert_ce_default_activation_function"),
    )
    path = next((path for path in paths if path is not None), None)
    return ModelFiles(**found, pooling="", width=1, dimensions=1, activation=dense.activation(path, "Sigmoid"))


def _modules(folder: Path) -> list[tuple[str, Path, Any]]:
    """Kind, folder and entry of each module in order; nothing for a folder of transformers alone."""
    entries = read_json(folder / "modules.json", optional=True)
    if entries == {}:
        return []
    found = []
    for entry in entries:
        package, _, kind = entry["type"].rpartition(".")
        if package.partition(".")[0] != "sentence_transformers":
            raise refused(f"its modules.json asks for code of the model's own to be run: {entry['type'][:80]!r}")
        if kind not in MODULES:
            raise refused(f"it has modules that no engine runs: {kind[:80]}")
        found.append((kind, inside(folder, entry.get("path", ""), "modules.json"), entry))
    kinds = [kind for kind, _, _ in found]
    if kinds[:1] != ["Transformer"] or "Transformer" in kinds[1:] or "Pooling" in kinds[2:]:
        raise refused(f"its modules are in an order that no engine runs: {', '.join(kinds)}"[:300])
    return found


def _tensors(folder: Path, transformer: Path, paths: list[Path]) -> dict[str, weights.Tensor]:
    """The transformer's tensors, from one file or the shards that its index names; every other file is checked too."""
    headers = {path: weights.header(path) for path in paths if path.suffix == ".safetensors"}
    if not headers:
        raise refused("it has no weights as safetensors")
    whole = transformer / "model.safetensors"
    if whole in headers:
        return headers[whole]
    index = read_json(transformer / "model.safetensors.index.json", optional=True)
    places = index["weight_map"] if index else {}
    if not places:
        raise refused("it has no model.safetensors")
    found: dict[str, weights.Tensor] = {}
    for name in sorted({*places.values()}):
        shard = inside(transformer, name, "model.safetensors.index.json")
        if shard not in headers:
            raise refused(f"its index names the file {str(name)[:80]!r}, which is not there")
        found |= headers[shard]
    if missing := places.keys() - found.keys():
        raise refused(f"its index names the tensor {min(missing)[:80]!r}, which is in no file")
    return found


def _text_config(transformer: Path) -> tuple[object, bool]:
    """Tokens read at once and whether text is lowered first, as sentence-transformers notes them."""
    for path in sorted(transformer.glob(WINDOW_FILES)):
        about = _object(read_json(path))
        if about.get("module_output_name") not in (None, "token_embeddings", "scores"):
            raise refused(f"its transformer gives {str(about['module_output_name'])[:80]!r}, which no engine does")
        return about.get("max_seq_length"), about.get("do_lower_case") is True
    return None, False


def _pooling(modules: list, hidden: int) -> tuple[str, bool]:
    """Modes joined by "+", and whether the prompt takes part; the mean where there is no such module."""
    if len(modules) < 2:
        return "mean", True
    kind, place, _ = modules[1]
    if kind != "Pooling":
        raise refused(f"its modules are in an order that no engine runs: Transformer, {kind}")
    config = read_json(place / "config.json")
    width = config.get("embedding_dimension", config.get("word_embedding_dimension", hidden))
    if width != hidden:
        raise refused(f"its pooling takes states {str(width)[:40]} wide, and the model's are {hidden}")
    modes = config.get("pooling_mode") or [mode for key, mode in LEGACY_MODES.items() if config.get(key)] or ["mean"]
    modes = [modes] if isinstance(modes, str) else list(modes)
    if any(mode not in MODES for mode in modes) or len(modes) > len(MODES):
        raise refused(f"its pooling is none that is known: {str(modes)[:120]}")
    return "+".join(modes), config.get("include_prompt", True) is not False


def _prompts(about: dict, query: str | None, document: str | None) -> dict[str, str]:
    """What stands before a query and a document: as given, else as the model's own files say."""
    own = _object(about.get("prompts") or {})
    usual = own.get(about.get("default_prompt_name") or "", "")
    found = {}
    for kind, given in (("query", query), ("document", document)):
        text = given if given is not None else next((own[name] for name in PROMPT_NAMES[kind] if own.get(name)), usual)
        if not isinstance(text, str):
            raise refused(f"its prompt for the input type {kind} is no text")
        if text:
            found[kind] = text
    return found


def _object(value: Any) -> dict:
    if not isinstance(value, dict):
        raise refused("one of its JSON files holds no object where one belongs")
    return value
