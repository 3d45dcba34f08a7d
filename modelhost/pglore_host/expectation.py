"""Expectation: what kind of answer a question asks for, and whether a passage holds something of that kind."""

import re
from functools import lru_cache

from .lexical import stem

_NUMBER_ASKED = re.compile(
    r"\bhow (?:many|much|long|old|far|large|big|tall|often|high|fast|deep|wide|heavy|hot|cold)\b"
    r"|\b(?:what|which) (?:percent|percentage|number|amount|fraction|proportion|share|port|size)\b"
    r"|\b(?:what|which) (?:is|was|are|were) the (?:\w+ )?"
    r"(?:number|percentage|population|amount|total|average|cost|price|length|size|limit)\b"
    r"|\bpercentage of\b"
)
_TIME_ASKED = re.compile(
    r"\bwhen (?!.*,)(?:did|was|were|is|are|does|do|will|has|have|had|can|should)\b"
    r"|\b(?:what|which) (?:year|month|day|date|century|decade|time)\b"
)
_PERSON_ASKED = re.compile(
    r"\b(?:who|whom|whose)\b|\b(?:what|which) (?:person|player|team|company|king|queen|president|author|scientist)\b"
)
_PLACE_ASKED = re.compile(
    r"\bwhere (?:did|was|were|is|are|does|do|has|have|had|can)\b"
    r"|\b(?:what|which) (?:city|country|state|town|place|county|region|continent|river|island)\b"
)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|hundreds?|thousands?|millions?|billions?|dozen|half|third|"
    r"quarter|first|second|once|twice|none|zero|several|unlimited)\b",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b1\d{3}s?\b|\b20\d\ds?\b|\b\d{1,2}(?:st|nd|rd|th)[ -]centur|\bcentur(?:y|ies)\b"
    r"|\b(?:January|February|March|April|May|June|July|August|September|October|November|December|Monday|Tuesday|Wednesday|Thursday|Friday|"
    r"Saturday|Sunday)\b|\b(?:when|whenever|after|before|during|until|once|if|as soon as)\b",
)
_NAME = re.compile(r"(?<=[\w,;:)\"'\u201d\u2014-] )[\"\u201c(]?([A-Z][\w'\u2019.-]+)|\A([A-Z][\w'\u2019-]+) [A-Z]")
_WORD = re.compile(r"\w+")


_MEANING_ASKED = re.compile(
    r"what (?:is|are|was|were|does|do|did) (?:(?:the|an?) )?(?P<term>[\w.-]+(?: [\w.-]+){0,3}?)"
    r"(?: (?:do|mean|for|used for|stand for))?\s*\?*",
    re.IGNORECASE,
)


def expected(question: str) -> str | None:
    """number, time, name (of a person, a group or a place), meaning, or None where any words may answer."""
    asked = question.lower()
    if _NUMBER_ASKED.search(asked):
        return "number"
    if _TIME_ASKED.search(asked):
        return "time"
    if _PERSON_ASKED.search(asked) or _PLACE_ASKED.search(asked):
        return "name"
    return "meaning" if _MEANING_ASKED.fullmatch(question.strip()) else None


def meets(kind: str | None, passage: str, question: str) -> bool:
    """Whether a passage holds what is expected; a name must be one that the question does not already say."""
    if kind == "number":
        return bool(_NUMBER.search(passage))
    if kind == "time":
        return bool(_TIME.search(passage))
    if kind == "name":
        known = {stem(word) for word in _WORD.findall(question)}
        return any(stem((a or b).rstrip(".'\u2019-")) not in known for a, b in _NAME.findall(passage))
    if kind == "meaning":
        return bool(_explains(_MEANING_ASKED.fullmatch(question.strip())["term"]).match(passage))
    return True


@lru_cache(maxsize=64)
def _explains(term: str) -> re.Pattern[str]:
    """How a passage begins that says what a term is: "A term (or so) is", "Term:", "Long form (term) is"."""
    return re.compile(
        rf"(?:the |an? )?(?:[\w -]{{1,40}}\()?{re.escape(term)}\)?(?: \([^)]{{1,60}}\))?"
        r"(?: (?:is|are|was|were|means?|refers?|does|can be|consists?|provides?|allows?)\b|:| [\u2013\u2014-] )",
        re.IGNORECASE,
    )
