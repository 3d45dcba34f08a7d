"""Citations: what an answer may cite, what it did, and the words of the source that stand behind each.

A mark is [n], n the number of a source. The model's marks are numbered anew as they come, from 1, one number for each
quote; a mark of a source that was not given is taken out. So every mark of an answer is one of its citations.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..generation import Constraint
from ..lexical import words
from ..passages import passages
from .messages import SENTINEL
from .plain import MARK

_NUMBER = re.compile(r"\d+")
_OWN = re.compile(r"\[(\d+)\]")  # an answer's own form
_RANGE = re.compile(r"[\[\u3010](\d{1,3})[-\u2013](\d{1,3})[\]\u3011]")  # [1-3], unless it is code: [0-9]
_SUBSCRIPT = re.compile(r"(?<=[\w\]])\[(\d+)\]")
_BEGUN = re.compile(r".(?:[\s\d,;&^#]*|[^\]\u3011\n]{0,80})", re.DOTALL)  # what may become a mark, from its bracket on
_OPEN = re.compile(r"[\[\u3010][^\]\u3011]*\Z")
STATEMENT = 600  # characters before a mark that it stands for, at most
UNCITED = 600  # characters of an answer before its first mark, at most


def constraint(count: int) -> Constraint:
    """What keeps a text to marks of `count` sources, one within UNCITED characters, or to the word for no answer."""
    mark = rf"\[(?:{'|'.join(map(str, range(1, count + 1)))})\]"
    other = r"(?:[^\[\u3010]|\[[^\[\u3010\s\d^#])"
    return Constraint("regex", f"{SENTINEL}|{other}{{0,{UNCITED}}}{mark}(?:{other}|{mark})*")


@dataclass(frozen=True, slots=True)
class Citation:
    """Mark [n]: the source by its number from 1, and the quote with its span there (0-based, half-open)."""

    n: int
    source: int
    quote: str
    start: int
    end: int


class Marks:
    """The marks of one answer, which comes in pieces."""

    def __init__(self, sources: Sequence[str]) -> None:
        """sources: as they are stored, in the order of their numbers."""
        self._sources = sources
        self._known: dict[tuple[int, int, str], Citation] = {}
        self._held = ""  # what may become a mark
        self._statement = self._since = ""  # what the last mark stands for, and what was said after it
        self._tail = ""  # of the text that was given out
        self.citations: list[Citation] = []
        self.foreign = 0  # marks of sources that were not given

    def add(self, text: str) -> str:
        """What can be told of the text so far."""
        self._held += text
        place = max(self._held.rfind("["), self._held.rfind("\u3010"))
        begun = place >= 0 and _BEGUN.fullmatch(self._held, place)
        told = (self._held[:place] if begun else self._held).rstrip(" \t")
        self._held = self._held[len(told) :]
        return self._numbered(told)

    def end(self) -> str:
        """What was held back, once nothing more comes."""
        told, self._held = self._held, ""
        return self._numbered(told)

    def cite(self, source: int, quote: str, start: int) -> str:
        """The mark of a quote of source 1.. that starts at a place in it."""
        known = self._known.get((source, start, quote))
        if known is None:
            known = Citation(len(self.citations) + 1, source, quote, start, start + len(quote))
            self._known[source, start, quote] = known
            self.citations.append(known)
        return f"[{known.n}]"

    def as_dicts(self) -> list[dict]:
        """The citations as JSON holds them."""
        return [asdict(citation) for citation in self.citations]

    def _numbered(self, text: str) -> str:
        given, place, text = "", 0, _RANGE.sub(self._listed, text)
        for found in MARK.finditer(text):
            said = text[place : found.start()]
            place = found.end()
            self._since = (self._since + said)[-STATEMENT:]
            marks = "".join(dict.fromkeys(self._cited(number) for number in _NUMBER.findall(found[0])))
            given += said + marks if marks else said.rstrip(" \t")
            if not marks and _OPEN.search((self._tail + given)[-200:]):
                given += "\u2026"  # what is left and right of it is not to become a mark
        self._since = (self._since + text[place:])[-STATEMENT:]
        given += text[place:]
        self._tail = (self._tail + given)[-200:]
        return given

    def _listed(self, found: re.Match) -> str:
        """The marks of a range of given sources; of others it is no mark, and stays."""
        first, last = int(found[1]), int(found[2])
        if not 1 <= first < last <= len(self._sources):
            return found[0]
        return f"[{', '.join(map(str, range(first, last + 1)))}]"

    def _cited(self, digits: str) -> str:
        number = int(digits) if len(digits) <= 4 else 0
        if not 1 <= number <= len(self._sources):
            self.foreign += 1
            return ""
        if words(self._since):
            self._statement, self._since = self._since, ""
        start, end = support(self._statement, self._sources[number - 1])
        return self.cite(number, self._sources[number - 1][start:end], start)


def support(statement: str, source: str) -> tuple[int, int]:
    """The span of the source's sentence that shares most words with a statement; the whole where none shares any."""
    said, best, span = set(words(statement)), 0.0, (0, len(source))
    for passage in passages(source, 0) if said else ():
        held = words(passage.text)
        worth = len(said.intersection(held)) / (len(held) + 5) ** 0.5
        if worth > best:
            best, span = worth, (passage.start, passage.end)
    return span


def without_marks(text: str) -> str:
    """A quoted text with what would pass for a mark in round brackets, or, behind a word as in code, with spaces."""
    return _OWN.sub(lambda found: f"({found[1]})", _SUBSCRIPT.sub(r"[ \1 ]", text))
