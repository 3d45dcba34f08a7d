"""Chunks: pieces of a document, each short enough for the embedder, cut where a reader would cut.

Sizes are tokens of the embedder's tokenizer, without special tokens. Spans are 0-based half-open character offsets:
content[start:end] is the chunk's text, without outer whitespace. A chunk stays within one section of the text, unless
that is too small to stand alone, and ends at a paragraph, else a sentence, else a word. The borders in a section are
chosen together, so that its chunks are of about equal size and none is a crumb.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tokenizers import Tokenizer

from . import sentences
from .blocks import Block, blocks, has_headings
from .errors import HostError
from .stopping import check
from .words import WordTokens, word_spans

STRATEGIES = ("auto", "markdown", "text")
MIN_SIZE, MAX_SIZE = 8, 32768  # tokens

# What it costs to cut before a unit, against 1 for a chunk of no size or of twice the section's average.
_PARAGRAPH, _SENTENCE, _LINE, _WORD, _INSIDE, _NEVER = 0.0, 0.15, 0.5, 1.0, 2.0, 9.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk; ordinal counts from 0; heading is the path of headings above it ("Guide > Install") or None."""

    ordinal: int
    start: int
    end: int
    heading: str | None
    text: str
    tokens: int


class _Unit(NamedTuple):
    """The smallest piece that is moved between chunks: a sentence, a line of code, or part of one too long."""

    start: int
    end: int
    tokens: int
    cut: float  # the cost of a chunk that begins here


def chunk(content: str, tokenizer: Tokenizer, *, strategy: str = "auto", size: int, overlap: int = 0) -> list[Chunk]:
    """The chunks of a document in order, each of at most size tokens.

    overlap  the most tokens, in whole sentences, that a chunk repeats from the one before it in the same section
    raises   HostError LO103 for an unknown strategy, a size or an overlap out of range
    """
    _check(strategy, size, overlap)
    markdown = strategy == "markdown" or (strategy == "auto" and has_headings(content))
    tokens = WordTokens(tokenizer, content)
    found: list[Chunk] = []
    for heading, units in _groups(content, blocks(content, markdown=markdown), tokens, size):
        units = _coarse(units, size)
        for first, last in _overlapped(units, _borders(units, size - overlap), overlap):
            start, end = units[first].start, units[last - 1].end
            count = sum(unit.tokens for unit in units[first:last])
            found.append(Chunk(len(found), start, end, heading, content[start:end], count))
    return found


def _check(strategy: str, size: int, overlap: int) -> None:
    if strategy not in STRATEGIES:
        raise HostError("LO103", f'unknown chunk strategy "{strategy}"', f"Use one of: {', '.join(STRATEGIES)}.")
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise HostError("LO103", f"chunk size {size} is out of range", f"Give {MIN_SIZE} to {MAX_SIZE} tokens.")
    if not 0 <= overlap <= size // 2:
        raise HostError(
            "LO103", f"chunk overlap {overlap} is out of range", f"Give 0 to half of the size, {size // 2} tokens."
        )


def _groups(text: str, found: list[Block], tokens: WordTokens, size: int) -> Iterator[tuple[str | None, list[_Unit]]]:
    """The sections with their heading paths; a heading alone and one too small to stand alone join what follows."""
    path: tuple[str, ...] = ()
    units: list[_Unit] = []
    held = 0  # tokens in units
    bare = False  # units hold headings only
    for section_path, section in _sections(found):
        new = list(_units(text, section, tokens, size))
        total = sum(unit.tokens for unit in new)
        if units and not bare and held + total > size // 3:
            yield _named(path), units
            units, held = [], 0
        path = section_path if bare or not units else _common(path, section_path)
        bare = all(block.kind == "heading" for block in section) and (bare or not units)
        units += new
        held += total
    if units:
        yield _named(path), units


def _sections(found: list[Block]) -> Iterator[tuple[tuple[str, ...], list[Block]]]:
    """Runs of blocks under one heading, with the path of headings that leads there."""
    path: list[tuple[int, str]] = []
    section: list[Block] = []
    for block in found:
        if block.kind == "heading":
            if section:
                yield tuple(title for _, title in path), section
            section = []
            path = [above for above in path if above[0] < block.level] + [(block.level, block.title)]
        section.append(block)
    if section:
        yield tuple(title for _, title in path), section


def _common(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    length = 0
    while length < min(len(a), len(b)) and a[length] == b[length]:
        length += 1
    return a[:length]


def _named(path: tuple[str, ...]) -> str | None:
    return " > ".join(title for title in path if title) or None


def _units(text: str, section: list[Block], tokens: WordTokens, size: int) -> Iterator[_Unit]:
    """The section's sentences and lines, those over size in parts."""
    after_heading = False
    for block in section:
        cut = _NEVER if after_heading else _PARAGRAPH
        after_heading = block.kind == "heading"
        inside = _LINE if block.kind in ("code", "table") else _SENTENCE
        for start, end in _pieces(text, block):
            count = tokens.count(text, start, end)
            if count <= size:
                yield _Unit(start, end, count, cut)
            else:
                yield from _parts(text, start, end, tokens, size, cut)
            cut = inside


def _pieces(text: str, block: Block) -> list[tuple[int, int]]:
    """A block's sentences, or its lines where it is code or a table."""
    if block.kind not in ("code", "table"):
        return sentences.spans(text, block.start, block.end)
    return sentences.lines(text, block.start, block.end)


def _parts(text: str, start: int, end: int, tokens: WordTokens, size: int, cut: float) -> Iterator[_Unit]:
    """The words of a piece over size, a word over size in slices."""
    for begin, stop in word_spans(text, start, end):
        count = tokens.count(text, begin, stop)
        if count <= size:
            yield _Unit(begin, stop, count, cut)
        else:
            step = max(1, min(64, size // 4))
            while begin < stop:
                edge = _whole(text, min(begin + step, stop), stop)
                yield _Unit(begin, edge, tokens.count(text, begin, edge), cut)
                begin, cut = edge, _INSIDE
        cut = _WORD


def _whole(text: str, edge: int, stop: int) -> int:
    """The edge, moved past characters that belong to the one before (accents, joiners, variation selectors)."""
    limit = min(stop, edge + 32)
    while edge < limit and (
        unicodedata.combining(text[edge]) or text[edge] in "\u200d\ufe0f" or text[edge - 1] == "\u200d"
    ):
        edge += 1
    return edge


def _coarse(units: list[_Unit], size: int) -> list[_Unit]:
    """The units, joined where they are so small (a list of numbers) that weighing all borders would take long."""
    least = size // 32
    if sum(unit.tokens for unit in units) >= least * len(units):
        return units
    joined = units[:1]
    for unit in units[1:]:
        before = joined[-1]
        if before.tokens + unit.tokens <= least:
            joined[-1] = _Unit(before.start, unit.end, before.tokens + unit.tokens, before.cut)
        else:
            joined.append(unit)
    return joined


def _borders(units: list[_Unit], size: int) -> list[tuple[int, int]]:
    """Runs [first, last) of units, each within size, of the least total cost: even sizes, cut in good places."""
    total = sum(unit.tokens for unit in units)
    if total <= size:
        return [(0, len(units))]
    target = total / -(-total // size)
    cost = [0.0] + [float("inf")] * len(units)
    came = [0] * (len(units) + 1)
    for last in range(1, len(units) + 1):
        check()
        held = 0
        for first in range(last - 1, -1, -1):
            held += units[first].tokens
            if held > size and first < last - 1:
                break
            price = cost[first] + (held / target - 1) ** 2 + (units[first].cut if first else 0)
            if price < cost[last]:
                cost[last], came[last] = price, first
    runs = []
    last = len(units)
    while last:
        runs.append((came[last], last))
        last = came[last]
    return runs[::-1]


def _overlapped(units: list[_Unit], runs: list[tuple[int, int]], overlap: int) -> Iterator[tuple[int, int]]:
    """The runs, each begun earlier by as many whole sentences as overlap allows."""
    for first, last in runs:
        check()
        begin, held = first, 0
        for earlier in range(first - 1, -1, -1):
            held += units[earlier].tokens
            if held > overlap:
                break
            if units[earlier].cut <= _LINE:
                begin = earlier
        yield begin, last
