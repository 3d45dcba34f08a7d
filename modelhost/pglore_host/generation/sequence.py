"""A sequence: one request on its way through the engine, and what its caller hears of it."""

import asyncio
import time
from collections.abc import Sequence as Ids

import numpy as np
from tokenizers import Tokenizer

from ..errors import HostError
from .constraint import Guide
from .request import GenerationRequest, Piece, Timings, Usage
from .text import Writer


class Sequence:
    """Prompt, what was written so far, and where the pieces go. Made on the event loop, used by the engine's thread."""

    def __init__(
        self, request: GenerationRequest, prompt: list[int], limit: int, tokenizer: Tokenizer, guide: Guide | None
    ) -> None:
        """limit: tokens of the answer."""
        self.prompt, self.limit, self.lane, self.guide = prompt, limit, request.lane, guide
        self.temperature, self.top_p = request.temperature, request.top_p
        self.chance = np.random.default_rng(request.seed)
        self.written: list[int] = []
        self.states = 0  # tokens whose states are in its row
        self.cached = 0  # of the prompt, that came from another one's
        self.pieces: asyncio.Queue[Piece | HostError] = asyncio.Queue()
        self.loop = asyncio.get_running_loop()
        self.cancelled = self.ended = False
        self.batch_rows = 0  # the most that it ran with
        self.submitted_s = time.perf_counter()
        self.taken_s = self.first_s = self.ended_s = 0.0
        self._writer = Writer(tokenizer, request.stop)
        self._untold = 0  # tokens since the last piece

    @property
    def ids(self) -> list[int]:
        """All tokens so far."""
        return self.prompt + self.written

    @property
    def waiting(self) -> Ids[int]:
        """The tokens whose states are still to be computed; one, once the prompt is through."""
        start = self.states - len(self.prompt)
        return self.written[start:] if start >= 0 else self.ids[self.states :]

    @property
    def length(self) -> int:
        """Tokens so far."""
        return len(self.prompt) + len(self.written)

    def grown(self, token: int, ends: frozenset[int] | set[int]) -> Piece | None:
        """Take the next token; the piece that it gives, the last one where the text ends with it.

        raises  HostError LO105 of a constraint that got too complex
        """
        left = self.limit - len(self.written) - 1
        if self.guide is None:
            if token in ends:
                return self._last("stop")
        elif token in ends and self.guide.complete:
            return self._last("stop")
        else:
            taken = self.guide.take(token, left)
            if taken is None:
                return self._last("length")
            token = taken
        self.first_s = self.first_s or time.perf_counter()
        self.written.append(token)
        self._untold += 1
        text = self._writer.add(token)
        if self._writer.stopped or (self.guide is not None and self.guide.ended):
            return self._last("stop", text)
        if left <= 0:
            return self._last("length", text)
        return self._piece(text) if text else None

    def _piece(self, text: str) -> Piece:
        tokens, self._untold = self._untold, 0
        return Piece(text, tokens)

    def _last(self, reason: str, text: str = "") -> Piece:
        self.ended_s = time.perf_counter()
        text += self._writer.end()
        if self._writer.stopped:
            reason = "stop"
        return Piece(
            text,
            self._untold,
            reason,
            complete=self.guide is None or self.guide.complete,
            usage=Usage(len(self.prompt), len(self.written), self.cached),
            timings=Timings(*(_ms(self.submitted_s, end) for end in (self.taken_s, self.first_s, self.ended_s))),
        )


def _ms(start_s: float, end_s: float) -> float | None:
    return round((end_s - start_s) * 1000, 3) if end_s else None
