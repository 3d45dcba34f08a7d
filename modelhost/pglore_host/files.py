"""A model's folder: what its own files say about it, and the hash that identifies it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from . import configuration, dense, errors, layout
from .configuration import Configuration
from .errors import HostError
from .inspection import read_json, refused, sweep

KEPT = (".safetensors", ".json", ".txt", ".model", ".jinja")  # files that can change what is computed
UNHASHED = "data_config.json"  # what the model was trained on
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
PAIRS = "_blocks"  # tensors of mxfp4, whose bytes hold two numbers each
WORKING_BYTES = 128 << 20  # what an engine takes beside the weights: code, kernels, one batch


@dataclass(frozen=True)
class ModelFiles:
    """A text encoder with pooling and dense layers, or a cross-encoder."""

    folder: Path
    transformer: Path  # folder of config.json and the weights, mostly the same
    tokenizer: Path  # tokenizer.json
    task: str  # embed, rerank, generate
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
                "its files are not those that were added: one of them has changed",
                "Put the files back, or add the model again with replace => true.",
            )

    def fingerprint(self, dtype: str, prompts: Mapping[str, str] | None = None, dimensions: int | None = None) -> str:
        """Identity of the vectors: files, pooling, number format, prompts, dimensions kept, a window that was set."""
        given = sorted((self.prompts if prompts is None else prompts).items())
        kept = [dimensions] if dimensions else []
        about = json.dumps([self.content_hash, self.pooling, dtype, given, *kept, *self.altered])
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
    cache_tokens: int | None = None,
    quantize: str | None = None,
    **_: object,
) -> ModelFiles:
    """What the folder's files say, with the model's options in front of them; other options are not looked at.

    raises  HostError LO204 for a folder that could do harm, is damaged, or holds no model for the task;
            LO103 for an option that does not fit the model
    """
    try:
        paths = sweep(folder)
        if task == "generate":
            from .generation.files import read as language

            found, raw = _common(folder, folder, paths, task, window_tokens)
            return language(found, raw, folder, cache_tokens, quantize)
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
    modules = layout.modules(folder)
    found, raw = _common(folder, modules[0][1] if modules else folder, paths, task, window_tokens)
    config = found["config"]
    about = layout.as_object(read_json(folder / "config_sentence_transformers.json", optional=True))
    if task == "rerank":
        return _cross_encoder(found, raw, about, modules)
    if config.labels is not None and not modules:
        raise refused("it is a cross-encoder or classifier, which makes no vectors", "Add it with the task rerank.")
    own, include_prompt = layout.pooling(modules, config.hidden)
    width = config.hidden * len((mode or own).split("+"))
    steps = []
    for kind, place in modules[2:]:
        steps.append(dense.read(kind, place, width))
        width = steps[-1].width
    while steps and steps[-1].kind == "Normalize":  # every vector leaves with length 1 anyway
        steps.pop()
    if dimensions is not None and dimensions > width:
        raise HostError(
            errors.BAD_ARGUMENT, f"the option dimensions is {dimensions}, and the model's vectors have {width}"
        )
    if not include_prompt:
        raise refused("its pooling leaves the prompt out, which no engine does")
    return ModelFiles(
        **found,
        pooling=mode or own,
        width=width,
        dimensions=dimensions or width,
        steps=tuple(steps),
        prompts=layout.prompts(about, query_prompt, document_prompt),
        altered=tuple(sorted((n, v) for n, v in {"dimensions": dimensions, "window": window_tokens}.items() if v)),
    )


def _common(
    folder: Path, transformer: Path, paths: list[Path], task: str, window_tokens: int | None
) -> tuple[dict, dict]:
    """The fields that models of every task have, and config.json."""
    if (transformer / "adapter_config.json").exists():
        raise refused("it is an adapter for another model", "Merge it into that model first.")
    tensors = layout.tensors(folder, transformer, paths)
    raw = read_json(transformer / "config.json")
    config = configuration.check(raw, tensors, configuration.UNPACKED if task == "generate" else frozenset())
    tokenizer = next((at / "tokenizer.json" for at in (transformer, folder) if (at / "tokenizer.json").is_file()), None)
    if tokenizer is None:
        raise refused(
            "it has no tokenizer.json", "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes one."
        )
    limit, lower_case = layout.text_config(transformer)
    window = configuration.window(
        config,
        limit,
        layout.as_object(read_json(tokenizer.parent / "tokenizer_config.json", optional=True)).get("model_max_length"),
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
        "window_tokens": window,
        "parameters": sum(tensor.count * (2 if name.endswith(PAIRS) else 1) for name, tensor in tensors.items()),
        "weights_bytes": sum(tensor.size for tensor in tensors.values()), "paths": tuple(paths),
        "lower_case": lower_case,
    }  # fmt: skip
    return found, raw


def _cross_encoder(found: dict, raw: dict, about: dict, modules: list) -> ModelFiles:
    labels = found["config"].labels
    if labels is None:
        raise refused("it is no cross-encoder: config.json names no architecture ...ForSequenceClassification")
    if labels != 1:
        raise refused(f"it gives {labels} labels, and a reranker gives one score")
    if len(modules) > 1:
        raise refused(f"it has modules that no reranker runs: {', '.join(kind for kind, _ in modules[1:])}")
    if layout.prompts(about, None, None):
        raise refused("it puts a prompt before what it reads, which no reranker here does")
    own = raw.get("sentence_transformers")
    paths = (
        about.get("activation_fn"),
        own.get("activation_fn") if isinstance(own, dict) else None,
        raw.get("sbert_ce_default_activation_function"),
    )
    path = next((path for path in paths if path is not None), None)
    return ModelFiles(**found, pooling="", width=1, dimensions=1, activation=dense.activation(path, "Sigmoid"))
