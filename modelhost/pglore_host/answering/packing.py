"""Packing: which passages and which part of a conversation a model is given, by its window and by the budget."""

from collections.abc import Sequence
from dataclasses import dataclass

from .. import errors
from ..errors import HostError
from ..generation import Generator
from .messages import conversation, source
from .plain import plain, said
from .question import Question

ANSWER = 512  # tokens kept for the answer, or a quarter of the window
HISTORY_SHARE = 1 / 3  # of what the window leaves, at most
FRAME = 12  # tokens that a chat template may add to a message, about
# Where only the server could count: a token of a language written with spaces is about four bytes of UTF-8.
BYTES_PER_TOKEN = 3


@dataclass(frozen=True, slots=True)
class Packed:
    """What is read: numbers of passages (from 0, in their order), the newest messages, and the passages' tokens."""

    given: list[int]
    history: list[dict]
    tokens: int


def within(asked: Question, lengths: Sequence[int], room: int | None) -> Packed:
    """The passages, best first, whose lengths in tokens fit; one that does not is passed over.

    raises  HostError LO103 where none fits
    """
    limits = [limit for limit in (asked.max_tokens, room) if limit is not None]
    left = min(limits) if limits else sum(lengths)
    given, tokens = [], 0
    for number, length in enumerate(lengths):
        if tokens + length <= left:
            given.append(number)
            tokens += length
    if lengths and not given:
        why = f"there is room for {max(0, left):,} tokens, and the shortest passage has {min(lengths):,}"
        hint = "Raise max_tokens, take a model with a longer window, or cut the documents into shorter chunks."
        raise HostError(errors.BAD_ARGUMENT, why, hint)
    return Packed(given, [], tokens)


async def pack(generator: Generator, asked: Question) -> Packed:
    """What of a question's passages and history the generator's window and the budget hold; raises HostError LO103."""
    passages = [source(number, plain(passage.text)) for number, passage in enumerate(asked.passages, 1)]
    turns = [said(turn) for turn in asked.history]
    fixed = [message["content"] for message in conversation(asked, [], [])]
    counts = await _counted(generator, [*passages, *turns, *fixed])
    lengths, counts = [2 + count for count in counts[: len(passages)]], counts[len(passages) :]
    spoken, frame = counts[: len(turns)], counts[len(turns) :]
    room = None
    if (window := generator.window_tokens) is not None:
        room = window - (asked.answer_tokens or min(ANSWER, window // 4)) - sum(count + FRAME for count in frame)
    newest, taken = 0, 0
    for count in reversed(spoken):
        if room is not None and taken + count + FRAME > HISTORY_SHARE * room:
            break
        newest, taken = newest + 1, taken + count + FRAME
    packed = within(asked, lengths, None if room is None else room - taken)
    return Packed(packed.given, list(asked.history[len(turns) - newest :]), packed.tokens)


async def _counted(generator: Generator, texts: Sequence[str]) -> list[int]:
    """Tokens of each text, about where the generator cannot tell."""
    counts = await generator.count(texts)
    return counts if counts is not None else [1 + len(text.encode()) // BYTES_PER_TOKEN for text in texts]
