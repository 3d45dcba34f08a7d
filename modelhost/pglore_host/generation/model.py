"""A language model that runs in this process: loaded on first use, shared by all requests, as any model is."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from .. import errors, metrics, quality
from ..errors import HostError
from ..memory import Memory
from ..model import Model
from ..settings import Settings
from ..status import resident_bytes
from .files import LanguageFiles
from .request import GenerationRequest, Piece
from .tools import calling
from .waiting import LANES, Waiting

if TYPE_CHECKING:
    from .chat import Chat
    from .constraint import Grammars
    from .engine import Engine
    from .sequence import Sequence as Row

MAX_TOKENS = 512  # of an answer, where the request names no number
ROWS = {"cpu": 32, "mps": 32, "cuda": 128}  # sequences at once
QUEUE_REQUESTS = 1024  # that may wait in a lane
STOPS, STOP_CHARACTERS = 16, 200


class LanguageModel(Model):
    """A Generator (see request.py) with what every model has: files, device, state, memory, unloading."""

    def __init__(
        self,
        alias: str,
        read: Callable[[], LanguageFiles],
        settings: Settings,
        memory: Memory,
        options: Mapping[str, object] | None = None,
    ) -> None:
        """`read` reads the model's files; options of its own: batch_rows, thinking, queue_texts."""
        super().__init__(alias, read, replace(settings, engine="torch"), memory)
        if settings.dtype == "auto" and self.device.kind == "cuda":
            # What they are trained in today: many overflow in float16.
            self.device = replace(self.device, dtype="bfloat16")
        self._options = dict(options or {})
        if how := self._options.get("quantize"):
            if how == "int4" and self.device.kind == "cpu":
                why, hint = "int4 runs on a GPU only", 'Give it the option "quantize": "int8".'
                raise HostError(errors.MODEL_NOT_LOADED, why, hint)
            self.device = replace(self.device, reason=f"{self.device.reason}; {how} weights asked for")
        self._limit = int(self._options.get("queue_texts") or min(settings.queue_texts, QUEUE_REQUESTS))
        self.queue: Waiting = Waiting(self._limit)  # type: ignore[assignment]
        self._chat: Chat | None = None
        self._grammars: Grammars | None = None
        self._engine: Engine | None = None
        # Apart: a constraint can take seconds to compile, and a prompt is not to wait for another's.
        self._preparing = ThreadPoolExecutor(2, thread_name_prefix="prompts")
        self._compiling = ThreadPoolExecutor(2, thread_name_prefix="constraints")

    @property
    def window_tokens(self) -> int | None:
        """Of prompt and answer together: the model's own limit or its cache's, whichever is less."""
        if self._engine is None or self.files is None:
            return None
        return min(self.files.window_tokens, self._engine.tokens - 1)

    def _start(self) -> int:
        """Make the engine ready and start its thread; returns the bytes that this took and the cache may take."""
        from .chat import Chat  # here: importing torch takes seconds
        from .constraint import Grammars
        from .engine import Engine
        from .runner import Runner

        before, files = resident_bytes(), self.files
        assert isinstance(files, LanguageFiles)
        if self.device.kind == "cpu" and self._settings.threads:
            import torch

            torch.set_num_threads(self._settings.threads)
        runner = Runner(files, self.device)
        try:
            chat = Chat(files, bool(self._options.get("thinking")))
            runner.load(chat.raw.encode(" ".join(quality.texts()), add_special_tokens=False).ids)
        except BaseException:
            runner.unload()
            raise
        cache = files.cache_tokens(self.device.dtype)
        waiting = Waiting(self._limit)
        waiting.usage = self.queue.usage
        rows = int(self._options.get("batch_rows") or ROWS[self.device.kind])
        engine = Engine(runner, waiting, chat.ends, rows, cache, self.device.kind, files.penalty)
        self.queue, self._chat, self._engine = waiting, chat, engine  # type: ignore[assignment]
        self._grammars = Grammars(chat.hf, files.config.vocabulary, chat.ends)
        self._driver, self.quality = engine, runner.quality  # type: ignore[assignment]
        engine.start()
        weights = runner.taken_bytes or max(0, resident_bytes() - before)
        return weights + cache * runner.cache.bytes_per_token

    def stream(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        """See Generator.stream."""
        return calling(self._stream(request), request.tools) if request.tools else self._stream(request)

    async def _stream(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        sequence = await self._sequence(request)
        engine = self._engine
        if engine is None:
            raise HostError(errors.HOST_BUSY, "the model is being unloaded")
        metrics.charge(len(sequence.prompt))
        told = 0
        since = partial(getattr, sequence, "taken_s")
        try:
            engine.submit(sequence)
            metrics.under_way(since)
            while True:
                piece = await sequence.pieces.get()
                if isinstance(piece, HostError):
                    raise piece
                if piece.finish_reason is None:
                    told += piece.tokens
                    metrics.grown(piece.tokens)
                yield piece
                if piece.finish_reason is not None:
                    return
        finally:
            if not sequence.ended:
                engine.cancel(sequence)
            metrics.ended(since)
            read = 0 if sequence.taken_s else -len(sequence.prompt)  # nothing was read for who was never taken
            metrics.settle(read, len(sequence.written) - told, sequence.cached)
            if sequence.taken_s:
                tokens = len(sequence.prompt) + len(sequence.written)
                ended = sequence.ended_s or time.perf_counter()
                metrics.ran(request.lane, sequence.submitted_s, sequence.taken_s, tokens, sequence.batch_rows, ended)

    async def count(self, texts: Sequence[str]) -> list[int]:
        """See Generator.count."""
        assert self._chat is not None
        return await asyncio.get_running_loop().run_in_executor(self._preparing, self._chat.count, texts)

    async def lengths(self, conversations: Sequence[Sequence[Mapping]]) -> list[int]:
        """Tokens of the prompts of conversations, the template's own included; raises HostError LO101, LO302."""
        chat = self._chat
        if chat is None:
            raise HostError(errors.HOST_BUSY, "the model is being unloaded")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._preparing, lambda: [len(chat.ids(one)) for one in conversations])

    async def _sequence(self, request: GenerationRequest) -> "Row":
        """The request as the engine takes it; what cannot be is refused here, before it touches another's work."""
        from .sequence import Sequence as Row

        _check(request)
        chat, grammars, window = self._chat, self._grammars, self.window_tokens
        if chat is None or grammars is None or window is None:
            raise HostError(errors.HOST_BUSY, "the model is being unloaded")
        loop, started = asyncio.get_running_loop(), time.perf_counter()
        prompt = await loop.run_in_executor(self._preparing, chat.ids, request.messages, request.tools)
        metrics.part("tokenize", started)
        if not prompt:
            raise HostError(errors.EMPTY_INPUT, "the conversation holds no text")
        left = window - len(prompt)
        if left < 1:
            raise HostError(
                errors.INPUT_TOO_LONG,
                f"the prompt is {len(prompt):,} tokens, and the model reads {window:,} with its answer",
                "Shorten the prompt, or have the operator raise window_tokens or cache_tokens of the model.",
            )
        limit = min(MAX_TOKENS, left) if request.max_tokens is None else request.max_tokens
        if limit > left:
            raise HostError(
                errors.BAD_ARGUMENT,
                f"max_tokens is {limit:,}, and beside a prompt of {len(prompt):,} tokens there is room for {left:,}",
                "Ask for fewer tokens, or leave max_tokens out.",
            )
        guide = None
        if request.constraint is not None:
            guide = await loop.run_in_executor(self._compiling, grammars.guide, request.constraint, limit)
        if request.seed is None and request.temperature > 0:
            request = replace(request, seed=random.getrandbits(63))
        return Row(request, prompt, limit, chat.raw, guide)


def _check(request: GenerationRequest) -> None:
    """Raises HostError LO103 for numbers and stop strings that cannot be."""
    if request.max_tokens is not None and (type(request.max_tokens) is not int or request.max_tokens < 1):
        raise HostError(errors.BAD_ARGUMENT, "max_tokens must be a whole number from 1")
    if not 0 <= request.temperature <= 10:
        raise HostError(errors.BAD_ARGUMENT, "temperature must be from 0 to 10")
    if not 0 < request.top_p <= 1:
        raise HostError(errors.BAD_ARGUMENT, "top_p must be above 0, and 1 at most")
    if request.seed is not None and (type(request.seed) is not int or not 0 <= request.seed < 1 << 63):
        raise HostError(errors.BAD_ARGUMENT, "seed must be a whole number from 0")
    words = request.stop
    if len(words) > STOPS or not all(isinstance(word, str) and 0 < len(word) <= STOP_CHARACTERS for word in words):
        raise HostError(
            errors.BAD_ARGUMENT, f"stop must be at most {STOPS} texts of 1 to {STOP_CHARACTERS} characters each"
        )
    if request.lane not in LANES:
        raise HostError(errors.BAD_ARGUMENT, "the lane is interactive or bulk")
