"""The extractive generator: an answer made of the sentences of the sources that best answer the question, each cited.

`plan` says which texts it needs the embedder's view of, `finish` chooses from what the embedder saw: in between the
host runs the model, in its own queue.
Letters: L tokens of a text, D model width.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from . import choice, evidence, prompt
from .passages import Passage, passages

SENTENCES = 2  # in an answer, at most
# A token is at most this much of a text, so that counting these stays on the safe side of a bound.
_TOKEN = re.compile(r"\w{1,4}|[^\w\s]")
State = tuple[np.ndarray, np.ndarray]  # (L, D) token states and (D,) vector of a text, float32, unit rows


@dataclass(frozen=True, slots=True)
class Plan:
    """A question, its sources, the passages that may answer it, and the distinct texts to embed.

    units  the question first, then the passages and their contexts
    """

    question: str
    sources: list[prompt.Source]
    passages: list[Passage]
    units: list[str]


@dataclass(frozen=True, slots=True)
class Citation:
    """One statement of an answer: its text, its source's number, and the quote's span there (0-based, half-open)."""

    source: int
    quote: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Generated:
    """An answer; finish_reason is stop, length (max_tokens cut it) or no_answer (with a reason)."""

    text: str
    citations: list[Citation] = field(default_factory=list)
    finish_reason: str = "stop"
    reason: str | None = None


def plan(text: str) -> Plan:
    """What has to be embedded to answer a prompt: the question and the passages that share most with it."""
    return plan_of(*prompt.split(text))


def plan_of(question: str, sources: list[prompt.Source]) -> Plan:
    """The same of a question and its sources."""
    found = [passage for number, source in enumerate(sources) for passage in passages(source.text, number)]
    if not found or not question:
        return Plan(question, sources, [], [])
    chosen = evidence.shortlist(question, found)
    texts = [
        question,
        *(passage.text for passage in chosen),
        *(passage.context for passage in chosen if passage.context),
    ]
    return Plan(question, sources, chosen, list(dict.fromkeys(texts)))


def finish(
    plan: Plan, states: Sequence[State], *, max_tokens: int | None = None, sentences: int = SENTENCES
) -> Generated:
    """The answer, from the embedder's states of plan.units in their order.

    max_tokens  bound of the answer's length, without the citations' marks; a sentence is cut after a word
    """
    if not plan.question:
        return _refusal("the prompt holds no question")
    if not plan.passages:
        return _refusal("the prompt holds no text to answer from")
    found = evidence.weigh(plan.question, plan.passages, dict(zip(plan.units, states, strict=True)))
    if reason := choice.unanswered(found):
        return _refusal(reason)
    return _answer(plan, choice.pick(plan.passages, found.worth, sentences), max_tokens)


def _answer(plan: Plan, picked: list[int], max_tokens: int | None) -> Generated:
    """The picked passages, each with the number of its source."""
    parts: list[str] = []
    citations: list[Citation] = []
    room = max_tokens
    for index in picked:
        passage = plan.passages[index]
        source = plan.sources[passage.source]
        whole = f"{passage.text}\n{passage.example}\n" if passage.example else passage.text
        shown = whole if room is None else _cut(whole, room)
        if shown:
            quote = source.text[passage.start : passage.end]
            mark = "" if source.number is None else f"{'' if shown.endswith(chr(10)) else ' '}[{source.number}]"
            parts.append(shown + mark)
            citations.append(Citation(source.number or 1, quote, passage.start, passage.end, shown))
        if shown != whole:
            return Generated(" ".join(parts), citations, "length")
        if room is not None:
            room -= len(_TOKEN.findall(shown))
    return Generated(" ".join(parts), citations)


def _cut(text: str, tokens: int) -> str:
    """As many whole words from the text's beginning as fit."""
    words = text.split(" ")
    for number, word in enumerate(words):
        tokens -= len(_TOKEN.findall(word))
        if tokens < 0:
            return " ".join(words[:number])
    return text


def _refusal(reason: str) -> Generated:
    return Generated("The sources do not answer this question.", [], "no_answer", reason)
