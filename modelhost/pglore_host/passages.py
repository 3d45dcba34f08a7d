"""Passages: the pieces of a source that an answer can be made of: sentences, list items, rows of tables."""

import re
from dataclasses import dataclass, replace

from . import sentences
from .blocks import Block, blocks
from .readability import is_code

LONGEST = 600  # characters of one passage
_BULLET = re.compile(r"(?:[-*+\u2022]|\d{1,9}[.)])[ \t]+")
_MARKUP = re.compile(r"(\*\*|__)(?=\S)(.{1,300}?)(?<=\S)\1|!?\[([^\]\n]{0,300})\]\([^()\s]{0,2000}\)")
_SEPARATOR = re.compile(r"[\s|:-]*\Z")
_FENCE = re.compile(r"^ {0,3}(?:`{3,}|~{3,})[ \t]*(\S*)[^\n]*$", re.MULTILINE)
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Passage:
    """One passage: source (index into the sources), its span there, and its text as it is shown.

    context  the text it is read after: what precedes it in its paragraph, the lead of its list, else the heading
    example  the code that it announces ("for example:") and that is shown after it, within the span
    """

    source: int
    start: int
    end: int
    text: str
    context: str
    example: str = ""


def passages(text: str, source: int) -> list[Passage]:
    """The passages of one source in order; headings and code are none."""
    found: list[Passage] = []
    heading = lead = ""
    announcing = False  # the last passage ends with a colon, and nothing stands between
    first = _after_broken_code(text)
    for block in blocks(" " * first + text[first:]):
        if block.kind == "heading":
            heading, lead = block.title, ""
        elif block.kind == "code" and announcing and (example := _example(text[block.start : block.end])):
            found[-1] = replace(found[-1], end=block.end, example=example)
        announcing = False
        if block.kind in ("text", "item", "table"):
            before = _before(text, block, heading, lead)
            for start, end in _spans(text, block):
                shown = display(text[start:end], block.kind)
                if len(_LETTER.findall(shown)) >= 3:
                    found.append(Passage(source, start, end, shown, before))
                    before = before if block.kind == "table" else shown
                    announcing = shown.endswith(":")
            if block.kind == "text":
                lead = before if before != heading else ""
    return found


def _before(text: str, block: Block, heading: str, lead: str) -> str:
    """The text that a block is read after; a table's head belongs to it."""
    if block.kind == "text":
        return heading
    if block.kind == "item":
        return lead or heading
    rows = sentences.lines(text, block.start, block.end)
    head = display(text[slice(*rows[0])], "table") if len(rows) > 1 and _SEPARATOR.match(text[slice(*rows[1])]) else ""
    return " ".join(part for part in (lead or heading, head) if part)


def _after_broken_code(text: str) -> int:
    """Where to read from: after the first fence if the source begins inside the code that it closes, else 0."""
    fence = _FENCE.search(text)
    if not fence or fence.group(1):
        return 0
    before = text[: fence.start()].rstrip()
    last = before[before.rfind("\n\n") + 1 :].strip()
    return fence.end() if last and (is_code(last) or last[-1] not in ".:!?)") else 0


def _example(code: str) -> str:
    """A code block without its fences; nothing if it is long, or cut off by the end of the source."""
    whole = len(code) <= LONGEST and len(_FENCE.findall(code)) > 1
    return _FENCE.sub("", code).strip("\n") if whole else ""


def _spans(text: str, block: Block) -> list[tuple[int, int]]:
    """The sentences or rows of a block, none longer than LONGEST."""
    if block.kind == "table":
        rows = sentences.lines(text, block.start, block.end)
        if len(rows) > 1 and _SEPARATOR.match(text[slice(*rows[1])]):  # a head and the line under it
            rows = rows[2:]
        cut = [sentences.stripped(text, start, min(end, start + LONGEST)) for start, end in rows]
        return [row for row in cut if not _SEPARATOR.match(text[slice(*row)])]
    start = block.start
    if block.kind == "item" and (bullet := _BULLET.match(text, start, block.end)):
        start = bullet.end()
    found: list[tuple[int, int]] = []
    for begin, end in sentences.spans(text, start, block.end):
        while end - begin > LONGEST:
            cut = max(text.rfind(mark, begin + LONGEST // 3, begin + LONGEST) for mark in ("; ", ", ", " ", "\n"))
            cut = cut if cut > begin else begin + LONGEST
            found.append(sentences.stripped(text, begin, cut + 1))
            begin = sentences.stripped(text, cut + 1, end)[0]
        found.append((begin, end))
    return found


def display(text: str, kind: str) -> str:
    """A passage as it is shown: one line, without Markdown's marks."""
    if kind == "table":
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", text.strip().strip("|"))]
        cells = [cell for cell in cells if cell]
        text = f"{cells[0]}: {'; '.join(cells[1:])}" if len(cells) > 1 else " ".join(cells)
    text = _MARKUP.sub(lambda m: m.group(2) or m.group(3) or "", text)
    return " ".join(text.split())
