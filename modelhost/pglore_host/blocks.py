"""Blocks: the paragraphs, headings, list items, code and tables of a plain or Markdown text.

Spans are 0-based half-open character offsets into the text, without outer whitespace.
"""

import re
from dataclasses import dataclass

from .sentences import stripped
from .stopping import check

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_ATX = re.compile(r" {0,3}(#{1,6})(?![^ \t])")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^\r\n]*)\Z")
_ITEM = re.compile(r"[ \t]*(?:[-*+\u2022]|\d{1,9}[.)])[ \t]+\S")
_RULE = re.compile(r" {0,3}(?:(?:-[ \t]*+){3,}+|(?:\*[ \t]*+){3,}+|(?:_[ \t]*+){3,}+)\Z")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*\Z")
_INLINE = re.compile(r"(\*\*|__|`)(.{1,300}?)\1|!?\[([^\]]{0,300})\]\([^)\s]{0,2000}\)")
_TITLE = 500  # characters of a heading that are kept as its title


@dataclass(frozen=True, slots=True)
class Block:
    """One block; kind is heading, text, item, code, table or rule; level (1 to 6) and title are a heading's."""

    start: int
    end: int
    kind: str
    level: int = 0
    title: str = ""


def blocks(text: str, *, markdown: bool = True) -> list[Block]:
    """The blocks of a text in order; without markdown only paragraphs, parted by blank lines."""
    return _Scanner(text, markdown).run()


def has_headings(text: str) -> bool:
    """Whether the text has an ATX heading ("# Title") outside a fenced code block."""
    if "#" not in text:
        return False
    fence = ""
    for match in _LINE.finditer(text):
        line = match.group().rstrip("\r\n")
        mark = line.lstrip(" ")[:1]
        if mark in ("`", "~"):
            fence = _fence_after(fence, line)
        elif mark == "#" and not fence and (heading := _ATX.match(line)) and _heading_words(line[heading.end() :]):
            return True
    return False


def _heading_words(text: str) -> str:
    """What stands behind the opening #s of a heading, without the closing ones."""
    words = text.strip(" \t")
    bare = words.rstrip("#")
    return bare.rstrip(" \t") if not bare or bare[-1] in " \t" else words


def plain(title: str) -> str:
    """A heading's words without Markdown's inline marks."""
    title = title[:_TITLE]
    return " ".join(_INLINE.sub(lambda m: m.group(2) or m.group(3) or "", title).split())


def _fence_after(fence: str, line: str) -> str:
    """The fence that is open after this line ("" for none), as CommonMark has it."""
    found = _FENCE.match(line)
    if not found:
        return fence
    marks, info = found.groups()
    if not fence:
        return "" if marks[0] == "`" and "`" in info else marks
    return "" if marks[0] == fence[0] and len(marks) >= len(fence) and not info.strip() else fence


class _Scanner:
    """One pass over the lines, collecting the open block until a line ends it."""

    def __init__(self, text: str, markdown: bool) -> None:
        self.text, self.markdown = text, markdown
        self.found: list[Block] = []
        self.kind, self.start, self.end = "", 0, 0

    def run(self) -> list[Block]:
        fence = ""
        for match in _LINE.finditer(self.text):
            check()
            start, end = match.span()
            line = match.group().rstrip("\r\n")
            if not self.markdown:
                self.add("text" if line.strip() else "", start, end)
                continue
            was, fence = fence, _fence_after(fence, line)
            if was or fence:
                if not was:
                    self.close()
                self.add("code", start, end)
                if not fence:
                    self.close()
            else:
                self.line(line, start, end)
        self.close()
        return self.found

    def line(self, line: str, start: int, end: int) -> None:
        """Take one Markdown line outside fenced code."""
        body = line.strip()
        if not body:
            self.close()
        elif line.lstrip(" ").startswith("#") and (heading := _ATX.match(line)):
            self.close()
            title = plain(_heading_words(line[heading.end() :]))
            self.emit(start, end, "heading", len(heading.group(1)), title)
        elif (
            self.kind == "text"
            and (under := _SETEXT.match(line))
            and "\n" not in self.text[self.start : self.end].strip()
        ):
            title = plain(self.text[self.start : self.end])
            self.emit(self.start, end, "heading", 1 if under.group(1)[0] == "=" else 2, title)
            self.kind = ""
        elif _RULE.match(line):
            self.close()
            self.emit(start, end, "rule")
        elif _ITEM.match(line):
            self.close()
            self.add("item", start, end)
        elif body.startswith("|") and self.kind in ("", "table"):
            self.add("table", start, end)
        elif self.kind == "table":
            self.close()
            self.add("text", start, end)
        else:
            self.add(self.kind or "text", start, end)

    def add(self, kind: str, start: int, end: int) -> None:
        """Let the open block run on to end, or begin one; no kind ends it."""
        if not kind:
            self.close()
        elif self.kind:
            self.end = end
        else:
            self.kind, self.start, self.end = kind, start, end

    def close(self) -> None:
        if self.kind:
            self.emit(self.start, self.end, self.kind)
            self.kind = ""

    def emit(self, start: int, end: int, kind: str, level: int = 0, title: str = "") -> None:
        start, end = stripped(self.text, start, end)
        if start < end:
            self.found.append(Block(start, end, kind, level, title))
