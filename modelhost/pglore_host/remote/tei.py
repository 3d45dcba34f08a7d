"""The protocol of Text Embeddings Inference: POST /embed and /rerank, GET /info."""

from collections.abc import Sequence

import numpy as np

from . import answers
from .answers import Useless
from .options import RemoteOptions

INFO = "/info"


def embed(options: RemoteOptions, name: str, texts: Sequence[str], truncate: bool) -> tuple[str, dict]:
    """Path and body of a request for vectors."""
    body: dict = {"inputs": list(texts), "normalize": True, "truncate": truncate}
    if options.dimensions:
        body["dimensions"] = options.dimensions
    return "/embed", body


def vectors(answer: object, count: int, dimensions: int | None) -> np.ndarray:
    """(count, D) float32 unit rows; raises Useless."""
    if not isinstance(answer, list) or len(answer) != count:
        has = f"{len(answer):,}" if isinstance(answer, list) else "no"
        raise Useless(f"has {has} vectors for {count:,} texts")
    return answers.vectors(answer, dimensions)


def rerank(options: RemoteOptions, name: str, query: str, documents: Sequence[str]) -> tuple[str, dict]:
    """Path and body of a request for scores."""
    return "/rerank", {"query": query, "texts": list(documents), "raw_scores": False, "truncate": False}


def scores(answer: object, count: int) -> list[float]:
    """Score of each document in the order given; raises Useless."""
    items = answers.ordered(answer, count, "scores")
    return answers.scores([item.get("score") for item in items])


def about(answer: object) -> dict:
    """What /info says, as far as it is used: task (or None), window_tokens, batch_texts, served."""
    if not isinstance(answer, dict):
        return {}
    kind = answer.get("model_type")
    kinds = set(kind) if isinstance(kind, dict) else {kind}
    return {
        "task": "rerank" if "reranker" in kinds else "embed" if "embedding" in kinds else None,
        "window_tokens": _whole(answer.get("max_input_length")),
        "batch_texts": _whole(answer.get("max_client_batch_size")),
        "served": "@".join(
            value[:200] for name in ("model_id", "model_sha") if isinstance(value := answer.get(name), str) and value
        ),
    }


def _whole(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None
