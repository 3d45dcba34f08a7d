"""Embedding through SQL beside SentenceTransformer.encode in the same run: bulk, one query, nearness of the vectors.

Both use the same model files. The peer runs in fp32, as it comes. Rounds alternate, so that what else the machine
does meets both, and the best round of each counts. "Added" is what SQL and the socket add to a call: its time minus
what the host says that its tokenizer and engine took for the very same call.
"""

from typing import Any

import numpy as np
import psycopg

from bench import common, load, metrics, passages, peer

PASSAGES, QUERIES = 512, 200
BULK = "SELECT lore.embed(%s::text[], model => %s)::text[]"
ENGINE = """
CREATE FUNCTION pg_temp.engine_us() RETURNS integer LANGUAGE plpython3u AS $python$
    import sys; return sys.modules['pglore_bridge.calls'].engine_us
$python$
"""


def parsed(vectors: list[str]) -> np.ndarray:
    """Vectors in pgvector's text form as an array (B, D)."""
    return np.array([np.fromstring(vector.strip("[]"), dtype=np.float32, sep=",") for vector in vectors])


def singles(db: psycopg.Connection, queries: list[str], alias: str | None) -> dict[str, list[float]]:
    """Milliseconds of each query through SQL, of its engine, and what is between."""
    found: dict[str, list[float]] = {"total": [], "engine": [], "added": []}
    for query in queries:
        _, total = common.timed(lambda query=query: load.embed(db, query, alias))
        engine = db.execute("SELECT pg_temp.engine_us()").fetchone()[0] / 1000
        for name, value in (("total", total), ("engine", engine), ("added", total - engine)):
            found[name].append(value)
    return found


def ours(db: psycopg.Connection, texts: list[str], queries: list[str], alias: str | None) -> dict[str, Any]:
    """One round through SQL."""
    rows, ms = common.timed(lambda: db.execute(BULK, [texts, alias]).fetchone()[0])
    found = singles(db, queries, alias)
    return {
        "vectors": parsed(rows),
        "passages_per_s": len(texts) / ms * 1000,
        "p50_ms": metrics.percentile(found["total"], 50),
        "p95_ms": metrics.percentile(found["total"], 95),
        "engine_p50_ms": metrics.percentile(found["engine"], 50),
        "added_p50_ms": metrics.percentile(found["added"], 50),
        "added_p95_ms": metrics.percentile(found["added"], 95),
    }


def theirs(model: Any, texts: list[str], queries: list[str]) -> dict[str, Any]:
    """One round of SentenceTransformer.encode."""
    vectors, ms = common.timed(lambda: model.encode(texts, normalize_embeddings=True))
    times = [common.timed(lambda query=query: model.encode(query))[1] for query in queries]
    return {
        "vectors": vectors,
        "passages_per_s": len(texts) / ms * 1000,
        "p50_ms": metrics.percentile(times, 50),
        "p95_ms": metrics.percentile(times, 95),
    }


def best(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The best value of each figure over the rounds, without the vectors."""
    return {
        name: (max if name == "passages_per_s" else min)(one[name] for one in rounds)
        for name in rounds[0]
        if name != "vectors"
    }


def compare(db: psycopg.Connection, aliases: dict[str, str | None], model: Any, rounds: int) -> dict[str, Any]:
    """All rounds; figures of each alias with its ratios to the peer, and of the peer."""
    texts, queries = passages.take(PASSAGES), common.questions()[:QUERIES]
    db.execute(ENGINE)
    for alias in aliases.values():
        db.execute(BULK, [texts[:128], alias])
        singles(db, queries[:20], alias)
    model.encode(texts[:64])
    seen: dict[str, list] = {name: [] for name in (*aliases, "peer")}
    for _ in range(rounds):
        for name, alias in aliases.items():
            seen[name].append(ours(db, texts, queries, alias))
        seen["peer"].append(theirs(model, texts, queries))
    expected, reference = seen["peer"][0]["vectors"], best(seen["peer"])
    result: dict[str, Any] = {"sentence-transformers": reference}
    for name in aliases:
        own, cosine = best(seen[name]), (seen[name][0]["vectors"] * expected).sum(1)
        result[name] = own | {
            "bulk_speedup": own["passages_per_s"] / reference["passages_per_s"],
            "single_share": own["p50_ms"] / reference["p50_ms"],
            "cosine_min": float(cosine.min()),
            "cosine_mean": float(cosine.mean()),
        }
    return result


FIGURES = {
    "passages_per_s": "passages a second",
    "bulk_speedup": "times the peer's",
    "cosine_min": "worst cosine to the peer",
    "p50_ms": "one query, p50 ms",
    "p95_ms": "one query, p95 ms",
    "single_share": "p50, share of the peer's",
    "engine_p50_ms": "of it tokenizer and engine, p50 ms",
    "added_p50_ms": "added by SQL and socket, p50 ms",
}


def show(result: dict[str, Any], title: str) -> None:
    """The table: a figure a row, who was measured across."""
    cells = {figure: [f"{row[figure]:.7g}" if figure in row else "" for row in result.values()] for figure in FIGURES}
    common.table(title, ["figure", *result], [[FIGURES[figure], *cells[figure]] for figure in FIGURES])


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=3, help="of which the best counts")
    chosen = options.parse_args()
    with common.connect() as db, load.model(db, "bench-f32", dtype="float32") as exact:
        load.embed(db, load.WARM)
        result = compare(db, {"default": None, exact: exact}, peer.model(), chosen.rounds)
        title = f"{PASSAGES} passages of {passages.SHORTEST} to {passages.LONGEST} characters; {QUERIES} single queries"
        show(result, title)
        common.finish("embed", db, result)


if __name__ == "__main__":
    main()
