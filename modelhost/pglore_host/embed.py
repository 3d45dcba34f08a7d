"""embed, similarity, tokens: what the embedder says about texts."""

import asyncio

import numpy as np
import orjson

from . import errors
from .arguments import choice, optional_text, text, visible
from .entry import Use
from .errors import HostError
from .model import empty
from .pooling import unit
from .queue import LANES
from .registry import Registry

INPUT_TYPES = ("document", "query")
TEXTS_LIMIT = 1024  # texts of one request; the bridge sends arrays in groups below it
TEXT_LIMIT = 1_000_000  # characters
INLINE_ROWS = 16


async def embed(registry: Registry, arguments: dict) -> tuple[dict, bytes]:
    """Vectors of texts: header fields, and one pgvector literal a line.

    raises  HostError LO101, LO102, LO103, LO201, LO204, LO302
    """
    texts = arguments.get("texts")
    if not isinstance(texts, list) or not all(isinstance(entry, str) for entry in texts):
        raise HostError(errors.BAD_ARGUMENT, "texts must be a list of texts")
    if len(texts) > TEXTS_LIMIT:
        raise HostError(errors.INPUT_TOO_LONG, f"a request holds {len(texts):,} texts, over the limit of {TEXTS_LIMIT}")
    input_type = choice(arguments, "input_type", INPUT_TYPES, "document")
    lane = choice(arguments, "lane", LANES, "interactive")
    for number, entry in enumerate(texts):
        if not entry or entry.isspace():
            raise empty(number, len(texts))
        if len(entry) > TEXT_LIMIT:
            raise HostError(
                errors.INPUT_TOO_LONG, f"a text is {len(entry):,} characters, over the limit of {TEXT_LIMIT:,}"
            )
    async with registry.use(optional_text(arguments, "model"), "embed") as use:
        if not texts:
            return {}, b""
        vectors, windowed = await vectors_of(use, texts, input_type, lane)
        fields = {"windowed": {"texts": windowed, "window": use.model.files.window_tokens}} if windowed else {}
    body = _literals(vectors) if len(vectors) <= INLINE_ROWS else await asyncio.to_thread(_literals, vectors)
    return fields, body


async def vectors_of(use: Use, texts: list[str], input_type: str, lane: str) -> tuple[np.ndarray, int]:
    """Unit vectors (N, D) of texts as an alias gives them, and how many texts were read in windows."""
    if use.is_remote:
        return await use.model.vectors(texts, input_type), 0
    prompt = use.prompt(input_type)
    vectors, windowed = await use.model.vectors([prompt + entry for entry in texts] if prompt else texts, lane)
    if use.dimensions:
        vectors = unit(vectors[:, : use.dimensions])
    return vectors, windowed


def _literals(vectors: np.ndarray) -> bytes:
    """Rows as pgvector literals, a line each: the shortest digits that give the same float32."""
    return b"\n".join(orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY) for row in np.ascontiguousarray(vectors))


async def similarity(registry: Registry, arguments: dict) -> dict:
    """Cosine of two texts; raises as embed."""
    pair = [visible(arguments, "a"), visible(arguments, "b")]
    async with registry.use(optional_text(arguments, "model"), "embed") as use:
        vectors, _ = await vectors_of(use, pair, "document", "interactive")
    return {"similarity": float(np.clip(vectors[0].astype(np.float64) @ vectors[1], -1, 1))}


async def tokens(registry: Registry, arguments: dict) -> dict:
    """Number of content tokens of a text; raises HostError LO102, LO201."""
    content = text(arguments, "input", limit=10_000_000)
    async with registry.local(optional_text(arguments, "model")) as use:
        return {"tokens": len((await use.model.encode([content]))[0])}
