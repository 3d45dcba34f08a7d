"""Answers of lore.ask: does the extractive answer hold a gold answer, and does a question without one get refused?

XQuAD's questions are asked of its own paragraphs, then a sample of Cranfield's of the same paragraphs: nothing there
answers those.
"""

import re
import string
from typing import Any

import psycopg

from bench import common, metrics

ASK = "SELECT answer, sources FROM lore.ask(%s, %s)"
CITATION = re.compile(r"\s*\[\d+\]")


def normalised(text: str) -> str:
    """Lower case, no articles, no punctuation, single spaces.

    Source: SQuAD's evaluation script, arXiv:1606.05250.
    """
    text = "".join(" " if c in string.punctuation or c in "–—“”‘’" else c for c in text.lower())
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def contains(answer: str, gold: list[str]) -> bool:
    """Whether the answer, without its citations, holds one of the gold answers as whole words."""
    text = f" {normalised(CITATION.sub('', answer))} "
    return any(f" {normalised(g)} " in text for g in gold)


def answered(db: psycopg.Connection, collection: str, data: common.Dataset, misses: bool) -> dict[str, Any]:
    """The share of answers that hold a gold answer, that cite a right document, and that are refusals."""
    right, cited, refused, times = [], [], [], []
    for query in data.queries:
        text = query["text"]
        (answer, sources), ms = common.timed(lambda text=text: db.execute(ASK, [collection, text]).fetchone())
        right.append(float(contains(answer, query["answers"])))
        cited.append(float(any(source["key"] in data.relevant[query["_id"]] for source in sources)))
        refused.append(float(not sources))
        times.append(ms)
        if misses and not right[-1]:
            common.console.print(f"{text}\n  gold: {query['answers']}\n  answer: {answer}", markup=False)
    return {
        "questions": len(right),
        "gold_in_answer": metrics.mean(right),
        "right_document_cited": metrics.mean(cited),
        "refused": metrics.mean(refused),
        "p50_ms": metrics.percentile(times, 50),
        "p95_ms": metrics.percentile(times, 95),
    }


def refusals(db: psycopg.Connection, collection: str, questions: list[str]) -> dict[str, Any]:
    """How many questions that nothing in the collection answers get no source."""
    replies = [db.execute(ASK, [collection, question]).fetchone() for question in questions]
    return {"questions": len(questions), "refused": metrics.mean([float(not sources) for _, sources in replies])}


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--misses", action="store_true", help="print the answers that lack the gold answer")
    options.add_argument("--limit", type=int, help="only this many questions")
    chosen = options.parse_args()
    data, other, collection = common.beir("xquad-en"), common.beir("cranfield"), "bench_xquad-en"
    if chosen.limit is not None:
        del data.queries[chosen.limit :]
    with common.connect() as db:
        common.fill(db, collection, data.documents, fresh=chosen.fresh)
        own = answered(db, collection, data, chosen.misses)
        foreign = refusals(db, collection, [query["text"] for query in other.queries[:100]])
        common.table("lore.ask on XQuAD-en", ["figure", "value"], own.items())
        common.table("Cranfield's questions asked of XQuAD-en", ["figure", "value"], foreign.items())
        common.finish("answers", db, {"answered": own, "unanswerable": foreign})


if __name__ == "__main__":
    main()
