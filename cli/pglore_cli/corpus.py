"""Retrieval tests in BEIR layout, read from a folder: documents, queries, judgements.

corpus.jsonl    {"_id": "d1", "title": "...", "text": "..."} a line
queries.jsonl   {"_id": "q1", "text": "..."} a line
qrels/NAME.tsv  query, document and grade, tab-separated, with or without a line of names; or as TREC writes them:
                query, a column that says nothing, document and grade, with any white space between; or qrels.tsv
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pglore

GRADE = re.compile(r"[+-]?[0-9]{1,99}(\.0*)?")  # some write 1.0
MOST = 1_000_000  # what lore.evaluate takes
LAYOUT = "A folder in BEIR layout holds corpus.jsonl, queries.jsonl and qrels/test.tsv (or qrels.tsv)."


@dataclass(frozen=True, slots=True)
class Corpus:
    """A retrieval test: documents by key, texts of queries, grades of documents by query, and the empty documents."""

    documents: dict[str, pglore.Document]
    queries: dict[str, str]
    judgements: dict[str, dict[str, int]]
    empty: int


def malformed(path: Path, message: str, number: int | None = None, hint: str = LAYOUT) -> pglore.BadArgument:
    """The error of a file, at a line where one is to blame."""
    return pglore.BadArgument(f"{path}{f', line {number}' if number else ''}: {message}", hint=hint)


def read(folder: Path, split: str | None = None) -> Corpus:
    """Read a test. Of the queries only the judged ones. raises BadArgument for a folder that is none"""
    documents: dict[str, pglore.Document] = {}
    empty = 0
    for number, row in objects(folder / "corpus.jsonl"):
        key, text, title = identifier(folder / "corpus.jsonl", number, row, documents), row["text"], row.get("title")
        text = text if text.strip() or not isinstance(title, str) else title  # some have a title alone
        if not text.strip():
            empty += 1  # Cranfield has two: there is nothing to search in them
            continue
        documents[key] = pglore.Document(key, text, {"title": title} if isinstance(title, str) and title else {})
    if not documents:
        raise malformed(folder / "corpus.jsonl", "there is no document in it")
    queries: dict[str, str] = {}
    for number, row in objects(folder / "queries.jsonl"):
        queries[identifier(folder / "queries.jsonl", number, row, queries)] = row["text"]
    judgements = grades(qrels(folder, split), queries)
    return Corpus(documents, {key: queries[key] for key in judgements}, judgements, empty)


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, with their numbers from 1."""
    number = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if (text := line.decode("utf-8-sig" if number == 1 else "utf-8")).strip():
                    yield number, text
    except FileNotFoundError as error:
        raise malformed(path, "there is no such file") from error
    except UnicodeDecodeError as error:
        raise malformed(path, "it is not UTF-8", number) from error


def objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON-lines file, each with a text."""
    for number, line in lines(path):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise malformed(path, f"not JSON: {error}", number) from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise malformed(path, 'not an object with "_id" and "text"', number)
        yield number, row


def identifier(path: Path, number: int, row: dict[str, Any], taken: dict[str, Any]) -> str:
    """The "_id" of an object, which no other may have."""
    key = row.get("_id")
    if not isinstance(key, (str, int)) or isinstance(key, bool) or not str(key).strip():
        raise malformed(path, 'it has no "_id"', number)
    if str(key) in taken:
        raise malformed(path, f'"_id" {str(key)[:60]} is there twice', number)
    return str(key)


def qrels(folder: Path, split: str | None) -> Path:
    """The file of judgements: the split that was asked for, else test, else the only one."""
    files = {path.stem: path for path in sorted((folder / "qrels").glob("*.tsv"))}
    if not files and (folder / "qrels.tsv").exists() and split is None:
        return folder / "qrels.tsv"
    if not files:
        raise malformed(folder / "qrels", "there is no file NAME.tsv in it")
    chosen = split or ("test" if "test" in files else next(iter(files)) if len(files) == 1 else None)
    if chosen not in files:
        hint = f"Choose with --split: {', '.join(files)}."
        raise malformed(folder / "qrels", f"there is no {split or 'test'}.tsv", hint=hint)
    return files[chosen]


def grades(path: Path, queries: dict[str, str]) -> dict[str, dict[str, int]]:
    """The judgements of a file: grades of documents by query, of queries that have a relevant one."""
    found: dict[str, dict[str, int]] = {}
    for place, (number, line) in enumerate(lines(path)):
        query, key, grade = judgement(path, number, line)
        if place == 0 and query not in queries and not GRADE.fullmatch(grade):
            continue  # the line of names
        if query not in queries:
            raise malformed(path, f'query "{query[:60]}" is not in queries.jsonl', number)
        if not GRADE.fullmatch(grade) or abs(value := int(grade.partition(".")[0])) > MOST:
            hint = f"A grade is a whole number such as 1 or 1.0, above 0 where relevant, up to {MOST:,}."
            raise malformed(path, f"the grade {grade[:60]!r} is no such number", number, hint)
        if found.setdefault(query, {}).setdefault(key, value) != value:
            message = f'document "{key[:60]}" has two grades for query "{query[:60]}"'
            raise malformed(path, message, number, "Leave one of them.")
    found = {query: graded for query, graded in found.items() if max(graded.values()) > 0}
    if not found:
        raise malformed(path, "no query has a relevant document")
    return found


def judgement(path: Path, number: int, line: str) -> list[str]:
    """Query, document and grade of a line, as BEIR or as TREC writes them."""
    cells = line.rstrip("\r\n").split("\t")
    if len(cells) != 3:
        columns = line.split()
        if len(columns) != 4:
            message = "neither query, document and grade with tabs between, nor the four columns of TREC"
            raise malformed(path, message, number)
        cells = [columns[0], *columns[2:]]
    return [*cells[:2], cells[2].strip()]
