"""Vectors for the benchmarks of search: real ones of the default embedder, and synthetic ones.

Real: sentences of the PostgreSQL manual and of the data sets in `../shared/data`, embedded once through lore.embed and
kept in PGLORE_CACHE (or ~/.cache/pglore). Alike: as many as are asked for, made from real ones. Hard: most of the 384
dimensions matter, and the neighbours of a query are hardly nearer than the rest.
Letters: N vectors, D dimensions; every row has length 1.
"""

import json
import os
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import psycopg

from bench import common

DIMENSIONS = 384
NAMES = ("cranfield", "xquad-en")


class Text(HTMLParser):
    """The text of an HTML page."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def cache() -> Path:
    """The folder that vectors are kept in."""
    folder = Path(os.environ.get("PGLORE_CACHE", Path.home() / ".cache" / "pglore")) / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pages() -> Path:
    """The folder that dev/manual.sh keeps the PostgreSQL manual's HTML pages in."""
    return cache().parent / "manual" / "usr" / "share" / "doc" / "postgresql-doc-17" / "html"


def sentences(manual: Path) -> list[str]:
    """Distinct parts of sentences of at least 20 characters, shuffled, always in the same order."""
    texts = [
        document["text"]
        for name in ("cranfield", "xquad-en")
        for document in common.lines(common.data_folder() / name / "corpus.jsonl")
    ]
    for page in sorted(manual.glob("*.html")):
        reader = Text()
        reader.feed(page.read_text(encoding="utf-8", errors="replace"))
        texts.append(" ".join(" ".join(reader.parts).split()))
    cut = (part.strip()[:400] for text in texts for part in re.split(r"(?<=[.!?;:,]) ", text))
    found = dict.fromkeys(part for part in cut if len(part) >= 20)
    order = np.random.default_rng(0).permutation(len(found))
    listed = list(found)
    return [listed[place] for place in order]


def real(db: psycopg.Connection, number: int, manual: Path | None = None, seconds: float = 600) -> np.ndarray:
    """Vectors of sentences (N, D): those kept, and more within the time allowed."""
    path = cache() / "sentences.npy"
    kept = np.load(path) if path.exists() else np.empty((0, DIMENSIONS), np.float32)
    texts = sentences(manual or pages()) if len(kept) < number else []
    until = time.monotonic() + seconds
    parts = [kept]
    for start in range(len(kept), min(number, len(texts)), 1000):
        if time.monotonic() > until:
            break
        rows = db.execute("SELECT unnest(lore.embed(%s::text[]))::text", [texts[start : start + 1000]]).fetchall()
        parts.append(np.array([json.loads(text) for (text,) in rows], np.float32))
        if len(parts) % 10 == 0:
            np.save(path, np.concatenate(parts))
    if len(parts) > 1:
        np.save(path, np.concatenate(parts))
    return np.concatenate(parts)[:number]


def hard(number: int, seed: int = 1) -> np.ndarray:
    """Vectors (N, D) around 1,000 centres that lie close together, with noise in every dimension."""
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((1000, DIMENSIONS)).astype(np.float32)
    made = centres[chance.integers(0, 1000, number)] + 1.5 * chance.standard_normal(
        (number, DIMENSIONS), dtype=np.float32
    )
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def alike(real: np.ndarray, number: int, seed: int = 1) -> np.ndarray:
    """Vectors (N, D) like the real ones: each is one of them, moved by half the difference of two others.

    real  (any number, D); with 100,000 of them a million have neighbours about as near as sentences have
    """
    chance = np.random.default_rng(seed)
    made = np.empty((number, real.shape[1]), np.float32)
    for start in range(0, number, 10_000):
        one, two, three = chance.integers(0, len(real), (3, min(10_000, number - start)))
        made[start : start + len(one)] = real[one] + (real[two] - real[three]) / 2
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def neighbours(vectors: np.ndarray, queries: np.ndarray, k: int) -> list[set[int]]:
    """The places of the k nearest vectors of each query, by exact search."""
    found: list[set[int]] = []
    for start in range(0, len(queries), 100):
        scores = queries[start : start + 100] @ vectors.T
        found += [set(row) for row in np.argpartition(-scores, k, axis=1)[:, :k].tolist()]
    return found
