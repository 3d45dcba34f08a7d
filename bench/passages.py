"""Real passages of mixed length: sentences of the project's pages, and of the Cranfield abstracts where they are."""

import re

import numpy as np

from bench import common

SHORTEST, LONGEST = 40, 600  # characters
SENTENCE = re.compile(r"(?<=[.:!?]) +")


def take(number: int) -> list[str]:
    """So many passages, the same each time, in an order that says nothing about their length."""
    sentences = [sentence.strip() for sentence in SENTENCE.split(source()) if sentence.strip()]
    chance = np.random.default_rng(0)
    found: list[str] = []
    while len(found) < number:
        start, wanted, text = int(chance.integers(len(sentences))), int(chance.integers(SHORTEST, LONGEST)), ""
        while len(text) < wanted and start < len(sentences):
            text, start = f"{text} {sentences[start]}".strip(), start + 1
        if len(text) >= SHORTEST:
            found.append(text[:LONGEST])
    return found


def source() -> str:
    """The prose that the passages come from."""
    try:
        return " ".join([common.prose(), *common.beir("cranfield").documents.values()])
    except (OSError, SystemExit):
        return common.prose()
