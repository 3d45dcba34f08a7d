"""Questions about the PostgreSQL manual: is a right page among the first pages of lore.search?

The questions and their right pages are in data/manual_questions.jsonl, written before any of them was searched for.
The half marked dev was used to choose defaults; the other half was not.
"""

import sys
from typing import Any

import psycopg

from bench import common, metrics

QUESTIONS = common.ROOT / "bench" / "data" / "manual_questions.jsonl"
SEARCH = "SELECT key FROM lore.search(%s, %s) ORDER BY rank"


def ask(db: psycopg.Connection, collection: str, questions: list[dict]) -> list[dict]:
    """Each question with its distinct pages, best first, and the milliseconds it took."""
    answered = []
    for question in questions:
        text = question["question"]
        rows, ms = common.timed(lambda text=text: db.execute(SEARCH, [collection, text]).fetchall())
        # A collection filled from a folder may carry the folder in its keys.
        pages = metrics.distinct(key.rsplit("/", 1)[-1] for (key,) in rows)
        answered.append({**question, "found": pages, "ms": ms})
    return answered


def score(answered: list[dict]) -> dict[str, Any]:
    """Hit rates over the questions, and latencies in ms."""
    return {
        "questions": len(answered),
        "hit@1": metrics.mean([metrics.hit(a["found"], a["pages"], 1) for a in answered]),
        "hit@5": metrics.mean([metrics.hit(a["found"], a["pages"], 5) for a in answered]),
        "p50_ms": metrics.percentile([a["ms"] for a in answered], 50),
        "p95_ms": metrics.percentile([a["ms"] for a in answered], 95),
    }


def print_misses(answered: list[dict]) -> None:
    """The questions without a right page among the first five."""
    for a in answered:
        if not metrics.hit(a["found"], a["pages"], 5):
            common.console.print(
                f"[bold]{a['question']}[/]\n  right: {' '.join(a['pages'])}\n  found: {' '.join(a['found'][:5])}"
            )


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--collection", default="manual", help="the collection that holds the manual")
    options.add_argument("--misses", action="store_true", help="list the questions that found no right page")
    chosen = options.parse_args()
    questions = common.lines(QUESTIONS)
    with common.connect() as db:
        if not db.execute("SELECT 1 FROM lore.collections WHERE name = %s", [chosen.collection]).fetchone():
            sys.exit(f"There is no collection {chosen.collection!r}: `make demo` loads the manual.")
        answered = ask(db, chosen.collection, questions)
        parts = {"all": answered} | {
            split: [a for a in answered if a["split"] == split] for split in ("dev", "held_out")
        }
        result = {name: score(part) for name, part in parts.items()}
        common.table(
            "Questions about the manual",
            ["questions", "number", "first page right", "right page in 5", "p50 ms", "p95 ms"],
            [[name, *figures.values()] for name, figures in result.items()],
        )
        if chosen.misses:
            print_misses(answered)
        common.finish("manual", db, result)


if __name__ == "__main__":
    main()
