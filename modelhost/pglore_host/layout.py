"""The layout of a model's folder: its modules, weights, pooling and prompts, as Sentence Transformers writes them."""

from pathlib import Path
from typing import Any

from . import weights
from .inspection import inside, read_json, refused
from .pooling import MODES

MODULES = frozenset({"Transformer", "Pooling", "Dense", "LayerNorm", "Normalize"})
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


def modules(folder: Path) -> list[tuple[str, Path]]:
    """Kind and folder of each module in order; nothing for a folder of transformers alone."""
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
        found.append((kind, inside(folder, entry.get("path", ""), "modules.json")))
    kinds = [kind for kind, _ in found]
    if kinds[:1] != ["Transformer"] or "Transformer" in kinds[1:] or "Pooling" in kinds[2:]:
        raise refused(f"its modules are in an order that no engine runs: {', '.join(kinds)}"[:300])
    return found


def tensors(folder: Path, transformer: Path, paths: list[Path]) -> dict[str, weights.Tensor]:
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


def text_config(transformer: Path) -> tuple[object, bool]:
    """Tokens read at once and whether text is lowered first, as sentence-transformers notes them."""
    for path in sorted(transformer.glob(WINDOW_FILES)):
        about = as_object(read_json(path))
        if about.get("module_output_name") not in (None, "token_embeddings", "scores"):
            raise refused(f"its transformer gives {str(about['module_output_name'])[:80]!r}, which no engine does")
        return about.get("max_seq_length"), about.get("do_lower_case") is True
    return None, False


def pooling(modules: list, hidden: int) -> tuple[str, bool]:
    """Modes joined by "+", and whether the prompt takes part; the mean where there is no such module."""
    if len(modules) < 2:
        return "mean", True
    kind, place = modules[1]
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


def prompts(about: dict, query: str | None, document: str | None) -> dict[str, str]:
    """What stands before a query and a document: as given, else as the model's own files say."""
    own = as_object(about.get("prompts") or {})
    usual = own.get(about.get("default_prompt_name") or "", "")
    found = {}
    for kind, given in (("query", query), ("document", document)):
        text = given if given is not None else next((own[name] for name in PROMPT_NAMES[kind] if own.get(name)), usual)
        if not isinstance(text, str):
            raise refused(f"its prompt for the input type {kind} is no text")
        if text:
            found[kind] = text
    return found


def as_object(value: Any) -> dict:
    if not isinstance(value, dict):
        raise refused("one of its JSON files holds no object where one belongs")
    return value
