"""Words: what a server says about its refusal, made fit for a message."""

import re
from collections.abc import Sequence

import orjson

WORD_LIMIT = 200  # characters
READ_LIMIT = 1000  # characters of the server's word that are looked at
RUN = 12  # characters in a row that also stand in a caller's text are taken for that text
HIDDEN = "[...]"
TOO_LONG = re.compile(
    r"too (?:long|large|many (?:tokens|inputs))|context (?:length|size|window)|must have less than|exceed"
    r"|maximum (?:input|sequence|allowed)?.{0,20}(?:length|tokens|size)|(?:larger|longer|greater) than",
    re.IGNORECASE | re.DOTALL,
)


def word(body: bytes, texts: Sequence[str] = (), key: str | None = None) -> str:
    """The server's reason from a reply's body, "" where there is none: one line, without a caller's text or the key.

    body   JSON in the shape of OpenAI, vLLM, TEI, FastAPI, Cohere or Ollama
    """
    try:
        said = _message(orjson.loads(body))[:READ_LIMIT]
    except orjson.JSONDecodeError:
        return ""  # a page of some server in between
    if key:
        said = said.replace(key, HIDDEN)
    for text in texts:
        said = _without(said, text)
    said = " ".join("".join(letter if letter.isprintable() else " " for letter in said).split())
    return said if len(said) <= WORD_LIMIT else said[: WORD_LIMIT - 3] + "..."


def _message(answer: object) -> str:
    """The first text under the names that servers use."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, list):
        return _message(answer[0]) if answer else ""
    if isinstance(answer, dict):
        for name in ("error", "message", "msg", "detail"):
            if name in answer and (found := _message(answer[name])):
                return found
    return ""


def _without(said: str, text: str) -> str:
    """The server's word with each long run of a caller's text hidden."""
    if 3 < len(text) < RUN:
        return said.replace(text, HIDDEN)
    kept, place = [], 0
    while place < len(said):
        if place + RUN > len(said) or said[place : place + RUN] not in text:
            kept.append(said[place])
            place += 1
            continue
        end = place + RUN
        while end < len(said) and said[end - RUN + 1 : end + 1] in text:
            end += 1
        kept.append(HIDDEN)
        place = end
    return "".join(kept)
