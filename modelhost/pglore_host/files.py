"""A model's folder: what its own files say about it, and the hash that identifies it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from . import errors
from .errors import HostError

KEPT = (".safetensors", ".json", ".txt", ".model")  # files that can change a vector
NORMALIZE, POOLING, TRANSFORMER = "Normalize", "Pooling", "Transformer"


@dataclass(frozen=True)
class ModelFiles:
    """A Sentence Transformers folder with one transformer, pooling and (perhaps) normalisation."""

    folder: Path
    dimensions: int
    window_tokens: int  # tokens read at once, special tokens included
    pooling: str  # mean, cls, max, lasttoken
    pad_id: int
    prompts: Mapping[str, str] = field(default_factory=dict)  # by input type: query, document

    @cached_property
    def content_hash(self) -> str:
        """sha256 over the names and hashes of the files that can change a vector."""
        total = hashlib.sha256()
        for path in sorted(self.folder.rglob("*")):
            if path.suffix in KEPT and path.name != "data_config.json":
                with path.open("rb") as file:
                    inner = hashlib.file_digest(file, "sha256").hexdigest()
                total.update(f"{path.relative_to(self.folder).as_posix()} {inner}\n".encode())
        return total.hexdigest()

    def fingerprint(self, dtype: str) -> str:
        """Identity of the vectors: files, pooling, number format and prompts."""
        about = json.dumps([self.content_hash, self.pooling, dtype, sorted(self.prompts.items())])
        return hashlib.sha256(about.encode()).hexdigest()


def read(folder: Path) -> ModelFiles:
    """What the folder's files say.

    raises  HostError LO204 for a folder that is no such model, has no safetensors, or wants code of its own run
    """
    try:
        config = _json(folder / "config.json")
        if "auto_map" in config:
            raise _refused(folder, "its config.json asks for code of its own to be run (auto_map)")
        if not list(folder.glob("*.safetensors")):
            raise _refused(folder, "it has no weights as safetensors")
        modules = {entry["type"].rpartition(".")[2]: entry for entry in _json(folder / "modules.json")}
        if unknown := set(modules) - {TRANSFORMER, POOLING, NORMALIZE}:
            raise _refused(folder, f"it has modules that no engine runs: {', '.join(sorted(unknown))}")
        pooling = _json(folder / modules[POOLING]["path"] / "config.json")
        about = _json(folder / "config_sentence_transformers.json", optional=True)
        return ModelFiles(
            folder=folder,
            dimensions=int(config["hidden_size"]),
            window_tokens=_window(folder, config),
            pooling=_pooling(folder, pooling),
            pad_id=int(config.get("pad_token_id") or 0),
            prompts={kind: text for kind, text in (about.get("prompts") or {}).items() if text},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _refused(folder, repr(error)) from error


def _json(path: Path, *, optional: bool = False) -> dict:
    if optional and not path.exists():
        return {}
    return json.loads(path.read_text(encoding="utf-8"))


def _window(folder: Path, config: dict) -> int:
    limit = int(config["max_position_embeddings"])
    return min(limit, int(_json(folder / "sentence_bert_config.json", optional=True).get("max_seq_length") or limit))


def _pooling(folder: Path, config: dict) -> str:
    modes = (
        [config["pooling_mode"]]
        if "pooling_mode" in config
        else [
            name
            for name, key in (
                ("mean", "mean_tokens"),
                ("cls", "cls_token"),
                ("max", "max_tokens"),
                ("lasttoken", "lasttoken"),
            )
            if config.get(f"pooling_mode_{key}")
        ]
    )
    if len(modes) != 1 or modes[0] not in ("mean", "cls", "max", "lasttoken"):
        raise _refused(folder, f"its pooling is none that is known: {modes}")
    return modes[0]


def _refused(folder: Path, why: str) -> HostError:
    return HostError(errors.MODEL_NOT_LOADED, f"the model in {folder} is refused: {why}")
