"""Other stores of vectors, each behind the same few lines, for the benchmark of search.

A peer is made with vectors (N, D), unit rows; `find(vector, k)` gives the places of the nearest. A peer whose package
is missing is left out with a word: `pip install pglore[bench]` brings them.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Find = Callable[[np.ndarray, int], list[int]]


@dataclass(frozen=True)
class Peer:
    """A store that has been filled: its name, the seconds its build took, its bytes, and how it searches."""

    name: str
    build_s: float
    size_bytes: int | None
    find: Find


def chroma(vectors: np.ndarray, folder: Path) -> Peer:
    """Chroma with its defaults, cosine, kept on disk."""
    import chromadb

    client = chromadb.PersistentClient(str(folder), settings=chromadb.Settings(anonymized_telemetry=False))
    started = time.perf_counter()
    store = client.create_collection("points", metadata={"hnsw:space": "cosine"}, embedding_function=None)
    for start in range(0, len(vectors), 5000):
        part = vectors[start : start + 5000]
        store.add(ids=[str(start + place) for place in range(len(part))], embeddings=part)
    build_s = time.perf_counter() - started

    def find(vector: np.ndarray, k: int) -> list[int]:
        found = store.query(query_embeddings=vector[None], n_results=k, include=["distances"])
        return [int(key) for key in found["ids"][0]]

    return Peer("Chroma", build_s, _bytes(folder), find)


def lancedb(vectors: np.ndarray, folder: Path) -> Peer:
    """LanceDB with IVF-PQ and ten times as many candidates refined: without that it finds a third."""
    import lancedb as package
    import pyarrow

    started = time.perf_counter()
    flat = pyarrow.array(vectors.reshape(-1))
    data = pyarrow.table(
        {"id": np.arange(len(vectors)), "vector": pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])}
    )
    store = package.connect(str(folder)).create_table("points", data)
    store.create_index(metric="cosine", vector_column_name="vector")
    build_s = time.perf_counter() - started

    def find(vector: np.ndarray, k: int) -> list[int]:
        query = store.search(vector).metric("cosine").limit(k).refine_factor(10).nprobes(20).select(["id", "_distance"])
        return query.to_arrow()["id"].to_pylist()

    return Peer("LanceDB", build_s, _bytes(folder), find)


def faiss(vectors: np.ndarray, folder: Path) -> Peer:
    """FAISS, an HNSW graph in the memory of the process: no server, no storage, no filter."""
    import faiss as package

    started = time.perf_counter()
    index = package.IndexHNSWFlat(vectors.shape[1], 16, package.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 64
    index.add(vectors)
    index.hnsw.efSearch = 80
    build_s = time.perf_counter() - started
    package.write_index(index, str(folder / "index"))
    return Peer("FAISS hnsw", build_s, _bytes(folder), lambda vector, k: index.search(vector[None], k)[1][0].tolist())


def peers(vectors: np.ndarray, files: ExitStack) -> Iterator[Peer | str]:
    """Each peer, filled; the word why where one cannot be had. Its files stay until the stack is closed."""
    for make in (chroma, lancedb, faiss):
        folder = files.enter_context(tempfile.TemporaryDirectory())
        try:
            yield make(vectors, Path(folder))
        except ImportError as error:
            yield f"{make.__name__} is left out: {error}"


def _bytes(folder: Path) -> int:
    """Bytes of all files under a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
