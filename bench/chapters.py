"""Paragraphs of the PostgreSQL manual, each with the chapter it stands in: texts with labels for bench/operators.py."""

import random
import re
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

LABELS = [
    "Backup and Restore", "Full Text Search", "Client Authentication",
    "High Availability, Load Balancing, and Replication", "Concurrency Control", "Installation from Source Code",
    "Localization", "Triggers", "Indexes", "PL/Python — Python Procedural Language",
    "Routine Database Maintenance Tasks", "Frontend/Backend Protocol", "Performance Tips", "Parallel Query",
    "Large Objects",
]  # fmt: skip
SHORTEST, LONGEST = 200, 900  # characters
MOST = 80  # paragraphs of a chapter
CHAPTER = re.compile(r"Chapter \d+\.\s*(.+?)\s*(?:Home|Next|$)")


def paragraphs(folder: Path, number: int, seed: int = 1) -> list[tuple[str, str]]:
    """So many (chapter, paragraph), the same each time, in an order by chance."""
    found: dict[str, list[str]] = {label: [] for label in LABELS}
    for page in sorted(folder.rglob("*.html")):
        tree = LexborHTMLParser(page.read_text(encoding="utf-8", errors="replace"))
        head, body = tree.css_first("div.navheader"), tree.css_first("div.sect1")
        named = head and CHAPTER.search(head.text(separator=" ").replace("\xa0", " "))
        if not body or not named or named[1].strip() not in found:
            continue
        texts = (" ".join(part.text().split()) for part in body.css("p"))
        found[named[1].strip()] += [text for text in texts if SHORTEST <= len(text) <= LONGEST]
    chance = random.Random(seed)
    rows = []
    for label, texts in found.items():
        distinct = list(dict.fromkeys(texts))
        chance.shuffle(distinct)
        rows += [(label, text) for text in distinct[:MOST]]
    chance.shuffle(rows)
    return rows[:number]
