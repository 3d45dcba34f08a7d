"""embed, similarity, tokens: what the embedder says about texts."""

import asyncio
from typing import cast

import numpy as np
import orjson

from . import errors, metrics
from .arguments import choice, flag, optional_text, text, visible
from .entry import Use
from .errors import HostError
from .generation import Generator
from .model import empty
from .pooling import unit
from .queue import LANES
from .registry import Registry

INPUT_TYPES = ("document", "query")
TEXTS_LIMIT = 1024  # texts of one request; the bridge sends arrays in groups below it
TEXT_LIMIT = 1_000_000  # characters
CHARACTERS_LIMIT = 4_000_000  # of all texts of a request
INLINE_ROWS = 16
SPLIT = "Send them in several requests."


async def embed(registry: Registry, arguments: dict) -> tuple[dict, bytes]:
    """Vectors of texts: header fields, and one pgvector literal a line.

    raises  HostError LO101, LO102, LO103, LO201, LO204, LO302
    """
    texts = checked(arguments.get("texts"))
    input_type = choice(arguments, "input_type", INPUT_TYPES, "document")
    lane = choice(arguments, "lane", LANES, "interactive")
    truncate = flag(arguments, "truncate")
    async with registry.use(optional_text(arguments, "model"), "embed") as use:
        length = dimensions(arguments, use)
        if not texts:
            return {}, b""
        vectors, longer = await vectors_of(use, texts, input_type, lane, truncate)
        metrics.made(vectors.shape[1])
        fields: dict = {"engine_us": metrics.engine_us()}
        if longer or (truncate and use.is_remote):
            fields["long"] = _long(use, longer, truncate)
    if length:
        vectors = unit(vectors[:, :length])
    body = _literals(vectors) if len(vectors) <= INLINE_ROWS else await asyncio.to_thread(_literals, vectors)
    return fields, body


def checked(texts: object) -> list[str]:
    """Texts within the limits of a request, each with something to read in it; raises HostError LO101, LO102, LO103."""
    if not isinstance(texts, list) or not all(isinstance(entry, str) for entry in texts):
        raise HostError(errors.BAD_ARGUMENT, "texts must be a list of texts")
    if len(texts) > TEXTS_LIMIT:
        raise HostError(
            errors.INPUT_TOO_LONG, f"a request holds {len(texts):,} texts, over the limit of {TEXTS_LIMIT:,}", SPLIT
        )
    characters = 0
    for number, entry in enumerate(texts):
        if not entry or entry.isspace():
            raise empty(number, len(texts))
        if len(entry) > TEXT_LIMIT:
            raise HostError(
                errors.INPUT_TOO_LONG, f"a text is {len(entry):,} characters, over the limit of {TEXT_LIMIT:,}"
            )
        characters += len(entry)
    if characters > CHARACTERS_LIMIT:
        raise HostError(
            errors.INPUT_TOO_LONG,
            f"the texts of a request are {characters:,} characters, over the limit of {CHARACTERS_LIMIT:,}",
            SPLIT,
        )
    return texts


def dimensions(arguments: dict, use: Use) -> int | None:
    """How many of the first numbers of each vector are asked for, or None for all; raises HostError LO103."""
    wanted = arguments.get("dimensions")
    if wanted is None:
        return None
    most = use.dimensions or (use.model.dimensions if use.is_remote else use.model.files.dimensions)
    if type(wanted) is not int or wanted < 1 or (most and wanted > most):
        raise HostError(
            errors.BAD_ARGUMENT,
            f"dimensions must be a whole number from 1 to {most}, the length of the model's vectors",
        )
    return wanted


def _long(use: Use, texts: int, truncate: bool) -> dict:
    """What became of texts longer than the window; a remote server that cuts does not tell how many."""
    if use.is_remote:
        return {"texts": None, "cut": True, "window": None}
    return {"texts": texts, "cut": truncate, "window": use.model.files.window_tokens}


async def vectors_of(
    use: Use, texts: list[str], input_type: str, lane: str, truncate: bool = False
) -> tuple[np.ndarray, int]:
    """Unit vectors (N, D) of texts as an alias gives them, and how many texts are longer than the window."""
    if use.is_remote:
        return await use.model.vectors(texts, input_type, truncate, lane), 0
    prompt = use.prompt(input_type)
    given = [prompt + entry for entry in texts] if prompt else texts
    vectors, longer = await use.model.vectors(given, lane, truncate)
    if use.dimensions:
        vectors = unit(vectors[:, : use.dimensions])
    return vectors, longer


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
    """Number of content tokens of a text; raises HostError LO102, LO201, LO206 where only a server could count."""
    content, alias = text(arguments, "input", limit=10_000_000), optional_text(arguments, "model")
    entry = registry.entries.get(alias or "")
    if entry is None or entry.task != "generate":
        return await _counted(registry, alias, content)
    if registry.allowed(alias, "generate").origin.kind != "builtin":
        async with registry.use(alias, "generate") as use:
            counted = await cast(Generator, use.model).count([content])
        if counted is None:
            why = f'the model "{alias}" runs elsewhere: its server alone could count tokens'
            raise HostError(errors.UNKNOWN_ENGINE, why, "Leave model out: the default embedder's count is near it.")
        return {"tokens": counted[0]}
    return await _counted(registry, None, content)  # extractive borrows the default embedder


async def _counted(registry: Registry, alias: str | None, content: str) -> dict:
    async with registry.local(alias) as use:
        return {"tokens": len((await use.model.encode([content]))[0])}
