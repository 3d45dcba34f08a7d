"""A request for text, and the pieces of what comes: the same for every engine."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import HostError

KINDS = ("schema", "regex", "choices", "grammar")
TOGETHER = 256  # requests of one call that are under way at once; the engine batches as many as its memory holds


@dataclass(frozen=True, slots=True)
class Constraint:
    """What the text must be.

    kind   schema (value: a JSON Schema as an object, or true for any JSON), regex (a text, matched whole),
           choices (a list of texts), grammar (a text in llguidance's variant of Lark)
    """

    kind: str
    value: object


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One conversation to continue; what is None is the engine's to choose."""

    messages: Sequence[Mapping]  # {"role": "system" | "user" | "assistant" | "tool", "content": text, ...}
    max_tokens: int | None = None  # of the answer; None is 512 or what the window leaves
    temperature: float | None = 0.0  # 0 is greedy; None leaves it to a remote server, and is 0 here
    top_p: float = 1.0
    seed: int | None = None  # the same seed, request and model give the same text
    stop: Sequence[str] = ()  # the text ends before the first of these
    constraint: Constraint | None = None
    tools: Sequence[Mapping] = ()  # as OpenAI has them; calls come back in Generation.tool_calls
    lane: str = "interactive"  # or bulk
    whole: bool = False  # nobody looks at the pieces before the last: a remote server may be asked anew


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a request."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0  # of the prompt, whose states were still there from another request


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time went, in milliseconds; None where an engine does not know."""

    queue_ms: float | None = None  # until the engine took the request
    first_token_ms: float | None = None  # from the submission to the first token
    total_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """The next part of a text. The last one, and no other, has a finish_reason; its text may be empty.

    finish_reason  stop (the model's own end, a stop string, or the constraint's end), length (max_tokens or the
                   window), tool_calls
    """

    text: str
    tokens: int = 1  # in this piece: more than one where a text waited for the rest of a character or a stop string
    finish_reason: str | None = None
    complete: bool = True  # of the last: whether the constraint holds for the whole text, also where length ended it
    usage: Usage | None = None
    timings: Timings | None = None
    tool_calls: Sequence[Mapping] = ()  # of the last: [{"name": ..., "arguments": {...}}]


@dataclass(frozen=True, slots=True)
class Generation:
    """A whole text with what the last piece said."""

    text: str
    finish_reason: str
    complete: bool = True
    usage: Usage = field(default_factory=Usage)
    timings: Timings = field(default_factory=Timings)
    tool_calls: Sequence[Mapping] = ()


class Generator(Protocol):
    """A model that writes: LanguageModel here, and a remote server's stand-in."""

    window_tokens: int | None  # of prompt and answer together, where it is known

    def stream(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        """The pieces of an answer, as an async generator.

        raises  HostError LO101 for a conversation without a text, LO102 for a prompt beyond the window or the cache,
                LO103 for an argument that cannot be (max_tokens, an invalid regex), LO105 for a schema,
                LO301 when the engine died under it, LO302 when too much waits, LO303
        """

    async def count(self, texts: Sequence[str]) -> list[int] | None:
        """Tokens of each text, without special tokens; None where only the server could tell."""


async def complete(generator: Generator, request: GenerationRequest) -> Generation:
    """The whole answer; raises as Generator.stream."""
    parts: list[str] = []
    async with aclosing(generator.stream(request)) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            parts.append(piece.text)
            if piece.finish_reason is not None:
                return Generation(
                    "".join(parts),
                    piece.finish_reason,
                    piece.complete,
                    piece.usage or Usage(),
                    piece.timings or Timings(),
                    piece.tool_calls,
                )
    raise AssertionError("a generator ended without a last piece")


async def complete_all(generator: Generator, requests: Sequence[GenerationRequest]) -> list[Generation | HostError]:
    """The answers to many requests in their order; one that fails leaves its error in its place.

    A cancel ends them all. Other exceptions than HostError are raised.
    """
    room = asyncio.Semaphore(TOGETHER)

    async def one(request: GenerationRequest) -> Generation | HostError:
        async with room:
            try:
                return await complete(generator, request)
            except HostError as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(request)) for request in requests]
    return [task.result() for task in tasks]
