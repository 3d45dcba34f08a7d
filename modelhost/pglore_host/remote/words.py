"""Words: what a server says about its refusal, made fit for a message."""

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile

import orjson

WORD_LIMIT = 200  # characters
READ_LIMIT = 1000  # characters of the server's word that are looked at
RUN = 12  # characters in a row that also stand in a caller's text are taken for that text
LONG_TEXT = 1 << 15  # characters
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
        if 3 < len(text) < RUN:
            said = said.replace(text, HIDDEN)
    said = _without(said, "\0".join(texts))
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
    """The server's word with each long run of the callers' text hidden."""
    step = (
        1 if len(text) < LONG_TEXT else RUN
    )  # of a long text, to be quick, only runs twice as long are sure to be seen
    places = {text[place : place + RUN]: place for place in range(0, len(text) - RUN + 1, step)}
    kept, done, looked = [], 0, 0
    while looked + RUN <= len(said):
        found = places.get(said[looked : looked + RUN])
        if found is None:
            looked += 1
            continue
        back = _common(reversed(said[done:looked]), reversed(text[max(0, found - looked + done) : found]))
        kept += [said[done : looked - back], HIDDEN]
        done = looked = looked + RUN + _common(said[looked + RUN :], text[found + RUN : found + READ_LIMIT])
    return "".join(kept) + said[done:]


def _common(one: Iterable[str], other: Iterable[str]) -> int:
    """How many letters two texts have in common from their beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
