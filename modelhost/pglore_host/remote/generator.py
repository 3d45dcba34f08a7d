"""A remote generator: texts of a server that speaks OpenAI's chat protocol, as the stream of a Generator.

A text that has to keep a constraint, or whose pieces nobody looks at, is taken in whole first: an answer that breaks
off, makes no sense or does not keep the constraint is asked for anew, and nobody has seen half of it.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import metrics
from ..generation import checking
from ..generation.judge import Judge
from ..generation.request import GenerationRequest, Piece, Timings, Usage
from . import Remote, chat, refusals
from .chat import Reader
from .work import guessed

if TYPE_CHECKING:
    from .server import Server

TRIES = 3  # of an answer that is taken in whole
ANEW = (refusals.BrokeOff, refusals.Garbled)


class RemoteGenerator(Remote):
    """One alias for generation on a server elsewhere; generation.Generator says what its methods do."""

    def __init__(self, *given: Any) -> None:
        """As Remote."""
        super().__init__(*given)
        self._judge = Judge()

    @property
    def window_tokens(self) -> int | None:
        """Tokens of prompt and answer together, where the operator or the server tells."""
        return self._window_tokens

    async def count(self, texts: Sequence[str]) -> list[int] | None:
        """None: only the server could tell."""
        return None

    async def stream(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        """The pieces of an answer.

        raises  HostError LO102, LO103, LO204, LO206 for a constraint its server cannot keep, LO301, LO302, LO304
        """
        submitted = time.perf_counter()
        if request.constraint:
            await self._judge.admit(request.constraint)
        async with self._using() as server, self.queue.slot(request.lane):
            taken, first, last = time.perf_counter(), 0.0, None
            since = partial(float, taken)
            metrics.under_way(since)
            until = time.monotonic() + self.options.timeout_s
            whole = request.whole or request.constraint is not None
            pieces = self._whole(server, request, until) if whole else _pieces(server, request, until)
            try:
                async with aclosing(pieces):  # type: ignore[type-var]
                    async for piece in pieces:
                        first = first or (time.perf_counter() if piece.tokens else 0.0)
                        if piece.finish_reason is None:
                            yield piece
                        else:
                            last = piece
                assert last is not None
            finally:
                metrics.ended(since)
                used = (last and last.usage) or Usage()
                metrics.ran(request.lane, submitted, taken, used.prompt_tokens + used.completion_tokens, 1)
            # Of a text taken in whole the first token's time is not seen by anybody.
            seen = None if whole else _ms(submitted, first or time.perf_counter())
            timings = Timings(_ms(submitted, taken), seen, _ms(submitted, time.perf_counter()))
            last = replace(last, timings=timings)
        yield last

    async def _whole(self, server: "Server", request: GenerationRequest, until: float) -> AsyncIterator[Piece]:
        """One piece with the whole text, which keeps the constraint unless its length ended it."""
        for left in reversed(range(TRIES)):
            try:
                piece = await _taken_in(server, request, until)
                if request.constraint is None or piece.tool_calls:
                    yield piece
                    return
                text = chat.unwrapped(self.options, request.constraint, piece.text)
                await self._judge.parsed(request.constraint, text)
                yield replace(piece, text=text)
                return
            except checking.Mismatch as wrong:
                if piece.finish_reason == "length":
                    yield replace(piece, text=text, complete=False)
                    return
                error: Exception = refusals.useless(str(wrong))
                request = _corrected(request, piece.text, wrong)
            except ANEW as broken:
                error = broken
            if not left or time.monotonic() >= until:
                raise error


async def _pieces(server: "Server", request: GenerationRequest, until: float) -> AsyncIterator[Piece]:
    """The pieces of one answer as they come. What it reads is guessed until the server says it."""
    reader = Reader()
    guess, told = guessed([str(message.get("content") or "") for message in request.messages]), 0
    metrics.charge(guess)
    events = server.events(request, until)
    async with aclosing(events):  # type: ignore[type-var]
        async for event in events:
            if text := reader.take(event):
                told += 1
                metrics.grown(1)
                yield Piece(text)
    if used := reader.usage:
        metrics.settle(used.prompt_tokens - guess, used.completion_tokens - told, used.cached_tokens)
    if reader.finish_reason is None:
        raise refusals.broke_off()
    if text := reader.rest():
        yield Piece(text)
    calls = reader.tool_calls()
    # Some servers say "stop" where they mean the calls.
    reason = "tool_calls" if calls else reader.finish_reason
    yield Piece("", 0, reason, usage=reader.usage or Usage(0, reader.tokens), tool_calls=calls)


async def _taken_in(server: "Server", request: GenerationRequest, until: float) -> Piece:
    """One answer as one piece."""
    parts: list[str] = []
    pieces = _pieces(server, request, until)
    async with aclosing(pieces):  # type: ignore[type-var]
        async for piece in pieces:
            parts.append(piece.text)
    return replace(piece, text="".join(parts), tokens=max(1, len(parts) - 1))


def _corrected(request: GenerationRequest, answer: str, wrong: checking.Mismatch) -> GenerationRequest:
    """The request with the answer that it had, and what is wrong with that."""
    said = f"This answer {wrong}. Answer again, and with nothing but what was asked for."
    messages = [*request.messages, {"role": "assistant", "content": answer}, {"role": "user", "content": said}]
    return replace(request, messages=messages)


def _ms(since: float, to: float) -> float:
    return round(1000 * (to - since), 3)
