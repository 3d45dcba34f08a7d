"""Sentences: where one ends and the next begins.

Spans are 0-based half-open character offsets (start, end) into the text, without outer whitespace.
Rules, not a model: fast, the same everywhere, and at home in technical prose (identifiers, versions, decimals).
"""

import re

from .stopping import check

# A possible end: Western marks with what closes after them, then whitespace; or CJK marks, which need no whitespace.
_END = re.compile(
    r"(?<![.!?\u2026])(?P<mark>[.!?\u2026]++)(?P<close>(?:[\"'\u201d\u2019\u00bb)\]]|\[\d{1,3}\])*+)\s++(?=\S)"
    r"|(?<![\u3002\uff01\uff1f])(?P<cjk>[\u3002\uff01\uff1f]++[\u300d\u300f\u201d\u2019\uff09]*+)\s*+(?=\S)"
)
_LINE = re.compile(r"[^\r\n]+")
_LAST_WORD = re.compile(r"[^\s(\[\"'\u201c\u2018\u00ab\u2013\u2014/]*\Z")
_FIRST_WORD = re.compile(r"[\"'\u201c\u2018\u00ab(\[*_`]*([^\s]*)")

# Words whose final period does not end a sentence, whatever follows.
_TITLES = frozenset(re.findall(r"\S+", """
    mr mrs ms dr prof st rev fr gen col lt sgt capt cmdr adm maj gov sen rep hon pres supt mt ft messrs mme mlle fig
    figs eq eqs sec ch chap vol no nos pp ed eds cf vs viz ca approx e.g i.e eg ie al ref refs resp jan feb mar apr
    jun jul aug sept sep oct nov dec
"""))
# Words whose final period ends a sentence only if the next word looks like the start of one.
_MAYBE = frozenset(re.findall(r"\S+", """
    inc corp ltd co bros jr sr etc u.s u.k u.n e.u d.c a.m p.m b.c a.d ph.d m.d b.a m.a b.sc m.sc u.s.a u.s.s.r dept
    est univ assn ave blvd rd
"""))
# A word that starts a sentence more often than it continues a name.
_STARTERS = frozenset(re.findall(r"\S+", """
    the a an this that these those it its he she they we you i in on at by for from with as if when while after
    before since although though however but and or so because there here his her their our my your another both
    each every all some many most several during until once to of such no not also then thus therefore finally later
    what why how who
"""))
_INITIAL = re.compile(r"(?:[A-Z]\.)*[A-Z]\Z")


def spans(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """The sentences of text[start:end], in order, as spans into the whole text.

    Whitespace, line ends included, is one gap: pass one paragraph at a time (see blocks).
    """
    end = len(text) if end is None else end
    start, end = stripped(text, start, end)
    found: list[tuple[int, int]] = []
    if start >= end:
        return found
    lowercase = not any(map(str.isupper, text[start : min(end, start + 2000)]))
    begin = start
    for match in _END.finditer(text, start, end):
        check()
        if match.lastgroup != "cjk" and not _ends(text, begin, match, end, lowercase):
            continue
        close = match.end("cjk") if match.group("cjk") else match.end("close")
        if close <= begin:
            continue
        found.append((begin, close))
        begin = match.end()
    if begin < end:
        found.append((begin, end))
    return found


def lines(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """The lines of text[start:end] that are not blank, as spans into the whole text, without their indentation."""
    end = len(text) if end is None else end
    found = (stripped(text, *match.span()) for match in _LINE.finditer(text, start, end))
    return [span for span in found if span[0] < span[1]]


def stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without its outer whitespace; empty (start, start) if there is nothing else."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    if left == len(piece):
        return start, start
    return start + left, start + len(piece.rstrip())


def _ends(text: str, begin: int, match: re.Match[str], end: int, lowercase: bool) -> bool:
    """Whether the marks of match end the sentence that began at begin."""
    after = _FIRST_WORD.match(text, match.end(), min(end, match.end() + 80))
    following = after.group(1) if after else ""
    first = text[match.end()]
    mark = match.group("mark")
    word = _LAST_WORD.search(text[max(begin, match.start() - 40) : match.start()]).group()  # type: ignore[union-attr]
    bare = word.casefold().strip(".")
    if not following:
        return True
    head = following[0]
    if head in ")],;:" or (head.islower() and len(mark) > 1):  # "f(a, ...) and", "well... no"
        return False
    if mark == "." and not match.group("close"):
        if bare in _TITLES and (word != "no" or head.isdigit()):
            return False
        starter = following.rstrip(",.;:").casefold() in _STARTERS and not head.islower()
        if bare in _MAYBE or (_INITIAL.match(word) and len(word) > 0):
            return starter and not (len(word) == 1 and word != "I" and following.rstrip(",.").casefold() in {"a", "i"})
        if len(word) == 1 and head.isdigit():  # "c. 1450", "No. 5" of one letter
            return False
        if word.isdigit() and begin + len(word) == match.start():  # "1. First item"
            return False
    if head.islower():
        if lowercase or "_" in following or not word:
            return True
        return mark != "." and first in "\"'\u201c\u2018(["
    return True
