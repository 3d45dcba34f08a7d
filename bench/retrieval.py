"""Ranking quality of lore.search on XQuAD-en and Cranfield: vector, keyword, hybrid, hybrid reranked."""

from collections.abc import Iterable
from typing import Any

import psycopg

from bench import common, metrics

DATASETS = ("xquad-en", "cranfield")
VARIANTS: dict[str, dict[str, Any]] = {
    "dense": {"mode": "vector"},
    "keyword": {"mode": "keyword"},
    "hybrid": {"mode": "hybrid"},
    "hybrid+rerank": {"mode": "hybrid", "rerank": "default"},
}
# Defaults apart from the variant: what a user gets who passes nothing.
SEARCH = "SELECT key FROM lore.search(%(collection)s, %(query)s, mode => %(mode)s, rerank => %(rerank)s) ORDER BY rank"


def measure(db: psycopg.Connection, collection: str, data: common.Dataset, variant: dict[str, Any]) -> dict[str, float]:
    """Means over the queries of a data set, and latencies in ms."""
    gains, recalls, times = [], [], []
    for query in data.queries:
        values = {"collection": collection, "query": query["text"], "rerank": None, **variant}
        rows, ms = common.timed(lambda values=values: db.execute(SEARCH, values).fetchall())
        ranking = metrics.distinct(key for (key,) in rows)
        relevant = data.relevant[query["_id"]]
        gains.append(metrics.ndcg(ranking, relevant))
        recalls.append(metrics.recall(ranking, relevant))
        times.append(ms)
    return {
        "ndcg@10": metrics.mean(gains),
        "recall@10": metrics.mean(recalls),
        "p50_ms": metrics.percentile(times, 50),
        "p95_ms": metrics.percentile(times, 95),
    }


def run(
    db: psycopg.Connection, names: Iterable[str], variants: Iterable[str], *, fresh: bool, limit: int | None
) -> dict[str, Any]:
    """Every variant on every data set."""
    result: dict[str, Any] = {}
    for name in names:
        data, collection = common.beir(name), f"bench_{name}"
        if limit is not None:
            del data.queries[limit:]
        seconds = common.fill(db, collection, data.documents, fresh=fresh)
        scores = {variant: measure(db, collection, data, VARIANTS[variant]) for variant in variants}
        common.table(
            f"{name}: {len(data.documents)} documents, {len(data.queries)} queries",
            ["search", "nDCG@10", "recall@10", "p50 ms", "p95 ms"],
            [[variant, *score.values()] for variant, score in scores.items()],
        )
        result[name] = {"queries": len(data.queries), "load_s": seconds, **scores}
    return result


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--dataset", choices=DATASETS, action="append", help="only this one (may be repeated)")
    options.add_argument("--limit", type=int, help="only this many queries of each: reranking takes time")
    options.add_argument("--variant", choices=VARIANTS, action="append", help="only this one (may be repeated)")
    chosen = options.parse_args()
    with common.connect() as db:
        result = run(db, chosen.dataset or DATASETS, chosen.variant or VARIANTS, fresh=chosen.fresh, limit=chosen.limit)
        common.finish("retrieval", db, result)


if __name__ == "__main__":
    main()
