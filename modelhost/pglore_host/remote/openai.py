"""The OpenAI protocol: POST /embeddings; and POST /rerank in the shape that Jina, Cohere and vLLM share."""

from collections.abc import Sequence

import numpy as np

from . import answers
from .answers import Useless
from .options import RemoteOptions

INFO = None  # there is no route that tells what a model can do


def embed(options: RemoteOptions, name: str, texts: Sequence[str], truncate: bool) -> tuple[str, dict]:
    """Path and body of a request for vectors; the protocol has no way to ask for truncation."""
    body: dict = {"model": name, "input": list(texts), "encoding_format": "float"}
    if options.dimensions:
        body["dimensions"] = options.dimensions
    return "/embeddings", body


def vectors(answer: object, count: int, dimensions: int | None) -> np.ndarray:
    """(count, D) float32 unit rows; raises Useless."""
    items = answers.ordered(_member(answer, "data"), count, "vectors")
    return answers.vectors([item.get("embedding") for item in items], dimensions)


def rerank(options: RemoteOptions, name: str, query: str, documents: Sequence[str]) -> tuple[str, dict]:
    """Path and body of a request for scores."""
    return "/rerank", {
        "model": name,
        "query": query,
        "documents": list(documents),
        "top_n": len(documents),
    }


def scores(answer: object, count: int) -> list[float]:
    """Score of each document in the order given; raises Useless."""
    items = answers.ordered(_member(answer, "results"), count, "scores")
    return answers.scores([item.get("relevance_score") for item in items])


def _member(answer: object, name: str) -> object:
    if not isinstance(answer, dict) or name not in answer:
        raise Useless(f'has no "{name}"')
    return answer[name]
