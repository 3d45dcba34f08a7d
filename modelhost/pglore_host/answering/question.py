"""Questions: what an answer is asked of, as the SQL functions hand it on, checked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .. import errors
from ..arguments import integer, optional_text, text, visible
from ..errors import HostError

PASSAGES_LIMIT = 1000
HISTORY_LIMIT = 1000  # messages
HISTORY_CHARACTERS = 1_000_000
ROLES = ("user", "assistant")
LANGUAGE = re.compile(r"[^\W\d_][\w' ()-]{0,39}")
TOKENS_LIMIT = 1 << 20
HINT = 'history is such as [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}].'


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that may be cited; tokens as the retrieval counts them, None where it does not."""

    text: str
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question with all that an answer may be made of.

    searched    the question as it stands alone; the same where there is no conversation
    passages    best first
    history     [{"role", "content"}], oldest first
    max_tokens  of the passages that are read; None is what the window leaves
    answer_tokens  of the answer, at most; None is the engine's own bound
    nothing     the answer where there is no passage
    """

    text: str
    searched: str
    passages: Sequence[Passage]
    history: Sequence[dict]
    system: str
    prompt: str
    language: str | None
    max_tokens: int | None
    answer_tokens: int | None
    nothing: str


def question(given: dict) -> Question:
    """The question that the arguments describe; raises HostError LO101, LO102, LO103."""
    asked = visible(given, "question")
    language = optional_text(given, "language")
    if language is not None and not LANGUAGE.fullmatch(language):
        raise HostError(
            errors.BAD_ARGUMENT,
            "the language is no name of a language",
            "Pass a name or a code of up to 40 letters, such as German or de.",
        )
    return Question(
        text=asked,
        searched=optional_text(given, "searched") or asked,
        passages=_passages(given.get("passages")),
        history=history(given.get("history")),
        system=text(given, "system"),
        prompt=text(given, "prompt"),
        language=language,
        max_tokens=integer(given, "max_tokens", 1, TOKENS_LIMIT),
        answer_tokens=integer(given, "answer_tokens", 1, TOKENS_LIMIT),
        nothing=optional_text(given, "nothing") or "Nothing was found for this question.",
    )


def _passages(given: object) -> list[Passage]:
    if not isinstance(given, list) or len(given) > PASSAGES_LIMIT:
        raise HostError(errors.BAD_ARGUMENT, f"passages must be an array of at most {PASSAGES_LIMIT:,} objects")
    found = []
    for passage in given:
        if not isinstance(passage, dict) or not isinstance(passage.get("content"), str):
            raise HostError(errors.BAD_ARGUMENT, "a passage has no text")
        tokens = passage.get("tokens")
        found.append(Passage(passage["content"], tokens if type(tokens) is int and tokens >= 0 else None))
    return found


def history(given: object) -> list[dict]:
    """The messages before a question; raises HostError LO102, LO103."""
    if given is None:
        return []
    if not isinstance(given, list):
        raise HostError(errors.BAD_ARGUMENT, "history must be an array of objects", HINT)
    if len(given) > HISTORY_LIMIT:
        raise HostError(errors.INPUT_TOO_LONG, f"a history of {len(given):,} messages is over {HISTORY_LIMIT:,}")
    found = []
    for number, message in enumerate(given, 1):
        role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
        if role not in ROLES or not isinstance(content, str):
            why = f"message {number} of the history is not one of the user or the assistant with a text"
            raise HostError(errors.BAD_ARGUMENT, why, HINT)
        if content.strip():
            found.append({"role": role, "content": content})
    if (size := sum(len(message["content"]) for message in found)) > HISTORY_CHARACTERS:
        raise HostError(
            errors.INPUT_TOO_LONG, f"the history is {size:,} characters, over the limit of {HISTORY_CHARACTERS:,}"
        )
    return found
