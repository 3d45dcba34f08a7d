"""Readability: whether a passage can stand alone in an answer, or is code, a pointer elsewhere, or half a statement."""

import re

_SYMBOL = re.compile(r"[;{}()=<>|$\\*&%@#\[\]+^~]|::|--")
_BLANK = re.compile(r"\s+")
_POINTER = re.compile(
    r"(?:for (?:more|further|additional|full|a complete|an example|example|details|information)\b.{0,80})?"
    r"\b(?:see|refer to|consult)\b"
    r"|.{0,60}\b(?:is|are) (?:described|explained|discussed|shown|listed) (?:in|below|above)\b",
    re.IGNORECASE,
)
_CODE = 0.08  # share of symbols among a text's characters
_SHORT = 4  # words

# What a fault costs, against 1 for a passage that says all that is asked.
_ASKS, _IS_CODE, _POINTS, _LEADS_ON, _IS_SHORT, _IS_ASIDE = 0.15, 0.12, 0.06, 0.05, 0.08, 0.02


def symbols(text: str) -> float:
    """The share, 0 to 1, of signs that are rare in prose and common in code."""
    return len(_SYMBOL.findall(text)) / max(1, len(_BLANK.sub("", text)))


def is_code(text: str) -> bool:
    """Whether a text reads like program code or a command's output."""
    share = symbols(text)
    return share > _CODE or (text.rstrip().endswith((";", "{", "}")) and share > 0.02)


def faults(text: str, example: bool = False) -> float:
    """What keeps a passage from being a good sentence of an answer, from 0 (nothing); example: code follows it."""
    return (
        _ASKS * text.endswith("?")
        + _IS_CODE * is_code(text)
        + _POINTS * bool(_POINTER.match(text))
        + _LEADS_ON * (text.endswith(":") and not example)
        + _IS_SHORT * (text.count(" ") < _SHORT - 1)
        + _IS_ASIDE * text.startswith("(")
    )
