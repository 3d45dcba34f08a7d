"""The language model behind an operator: many questions in one batch, and how much of a text fits into one.

Where the alias stands for the extractive generator, there is none: `writer` gives None, and the operator decides by
the embedding, or raises LO206.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

from .. import errors, stopping
from ..arguments import optional_text
from ..entry import Use
from ..errors import HostError
from ..generation import Constraint, Generation, GenerationRequest, Generator, complete_all
from ..registry import Registry
from ..text import WORKERS

WINDOW = 8192  # tokens, where a server does not tell
SPARE = 64  # tokens of the chat template
CHARACTERS_OF_TOKEN = 2.5  # where only the server could count; most texts have 3 to 4
OF_TEXT = (errors.EMPTY_INPUT, errors.INPUT_TOO_LONG)
SMALLEST = 64  # tokens of a text that must fit beside a prompt
HINT = (
    "Register a language model with lore.add_model and pass its alias as model, or make it the default with "
    "lore.set_default."
)


class Writer:
    """A language model in the hands of one request."""

    def __init__(self, use: Use, lane: str = "interactive") -> None:
        self._use, self._lane = use, lane

    @property
    def identity(self) -> str:
        """What tells its answers from those of others, as far as it can be known."""
        return f"{self._use.entry.alias} {self._use.worker.source} {self._use.worker.content_hash}"

    @property
    def _generator(self) -> Generator:
        return cast(Generator, self._use.model)

    async def ask(self, questions: Sequence[tuple[list[dict], Constraint | None, int]]) -> list:
        """Answers to (messages, constraint, most tokens), in one batch; a HostError where there is none."""
        requests = [
            GenerationRequest(messages, most, 0.0, constraint=constraint, lane=self._lane, whole=True)
            for messages, constraint, most in questions
        ]
        answers = [self._said(one) for one in await complete_all(self._generator, requests)]
        failed = [one for one in answers if isinstance(one, HostError) and one.code not in OF_TEXT]
        if len(failed) == len(answers) > 1:
            raise failed[0]  # that is no matter of a single text
        return answers

    def _said(self, found: Generation | HostError) -> object:
        if isinstance(found, HostError):
            return found
        if not found.complete:
            why = f'the model "{self._use.entry.alias}" did not come to an end of its answer'
            return HostError(errors.INPUT_TOO_LONG, why, "Raise max_tokens, or ask for less.")
        return found.text.replace("\0", "\ufffd")

    def most(self, tokens: int) -> int:
        """So many tokens of an answer, or a third of the window."""
        return min(tokens, (self._generator.window_tokens or WINDOW) // 3)

    async def tokens(self, text: str) -> int:
        """Of a text, about."""
        counted = await self._generator.count([text])
        return counted[0] if counted else int(len(text) / CHARACTERS_OF_TOKEN) + 1

    async def room(self, prompt: str, answer: int) -> int:
        """Tokens of a text that fit beside a prompt and the answer; raises HostError LO102."""
        window = self._generator.window_tokens or WINDOW
        room = window - answer - SPARE - await self.tokens(prompt)
        if room < SMALLEST:
            alias = self._use.entry.alias
            why = f'the window of the model "{alias}", {window:,} tokens, has no room for a text beside what is asked'
            raise HostError(errors.INPUT_TOO_LONG, why, "Ask for less at once, or with a model of a larger window.")
        return room

    async def pieces(self, registry: Registry, text: str, room: int) -> list[str]:
        """The text, or pieces of it that fit: cut where a reader would cut."""
        if len(text) <= room or (size := await self.tokens(text)) <= room:  # a token has a character at least
            return [text]
        from .. import chunk  # here: it carries weight that a host may never need

        async with registry.local(None) as use:
            raw = use.model.tokenizer.raw
            own = len(raw.encode(text[:20_000], add_special_tokens=False).ids) / max(
                1, await self.tokens(text[:20_000])
            )
            # The embedder's tokens are what is counted, and other than the model's.
            small = int(min(chunk.MAX_SIZE, max(chunk.MIN_SIZE, 0.85 * room * own)))
            cut = partial(chunk.chunk, text, raw, strategy="text", size=small)
            found = [piece.text for piece in await stopping.run(WORKERS, cut)]
        return [part for piece in found for part in await self._halved(piece, room)] if size > room else found

    async def _halved(self, piece: str, room: int) -> list[str]:
        """A piece that does not fit after all, in halves."""
        if len(piece) < 2 or await self.tokens(piece) <= room:
            return [piece]
        half = len(piece) // 2
        return [*await self._halved(piece[:half], room), *await self._halved(piece[half:], room)]


@asynccontextmanager
async def writer(registry: Registry, arguments: dict, lane: str) -> AsyncIterator[Writer | None]:
    """The language model that the argument model names, or None where that is the extractive generator.

    raises  HostError LO201, LO204, LO206, LO301, LO303
    """
    entry = registry.find(optional_text(arguments, "model"), "generate")
    if entry.origin.kind == "builtin":
        yield None
        return
    async with registry.use(entry.alias, "generate") as use:
        yield Writer(use, lane)


def needed(found: Writer | None, what: str) -> Writer:
    """The language model; raises HostError LO206 where there is none."""
    if found is None:
        raise HostError(errors.UNKNOWN_ENGINE, f"{what} needs a language model, and there is none", HINT)
    return found


def alone(arguments: dict) -> bool:
    """Whether it is worth telling that no language model was there: not where the caller asked for that."""
    return arguments.get("model") is None
