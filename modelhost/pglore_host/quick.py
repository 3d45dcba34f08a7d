"""One short text, alone at the moment: run on the event loop, and answered before anything is noted about it.

To wake a thread and to be woken by it, a task, and the code between them cost a good part of what a short text takes:
the more so since each run of a model empties the processor's caches. All that is unusual goes the ordinary way.
"""

import asyncio
import time
from collections.abc import Callable

import orjson

from . import frames, log
from .accounting import Accounting
from .entry import Use
from .errors import HostError
from .frames import Request
from .metrics import Metrics, Observation
from .model import Model
from .pooling import unit
from .queue import QUICK_TOKENS
from .registry import Registry

CHARACTERS = 8 * QUICK_TOKENS  # a longer text has more tokens, or is unusual
USUAL = ("document", "query", None)


class Quick:
    """Tries the short way for a request."""

    def __init__(self, registry: Registry, metrics: Metrics, accounts: Accounting) -> None:
        self._registry, self._metrics, self._accounts = registry, metrics, accounts
        self._arriving = 0

    async def answer(self, request: Request) -> tuple[bytes, Callable[[], None]] | None:
        """The reply, and what is to be called once it is sent; None for a request that is to go the ordinary way."""
        if request.op != "embed" or (text := _only(request.arguments)) is None:
            return None
        use = self._use(request.arguments.get("model"))
        if use is None or not use.model.queue.quick or not self._accounts.plain(request.caller, use.entry.alias):
            return None
        self._arriving += 1
        try:
            await asyncio.sleep(0)  # those that came in the same moment get here too: they are to make a batch
            alone = self._arriving == 1 and use.model.state == "ready"
        finally:
            self._arriving -= 1
        try:
            return self._run(request, text, use) if alone else None
        except Exception as error:  # the ordinary way meets it again, and knows what to do
            log.fault("short way failed", error, alias=use.entry.alias)
            return None

    def _use(self, alias: object) -> Use | None:
        """A loaded embedder of this process."""
        if alias is not None and type(alias) is not str:
            return None
        try:
            entry = self._registry.find(alias, "embed")
            use = Use(entry, *self._registry.behind(entry))
        except HostError:
            return None
        return use if type(use.model) is Model and use.model.state == "ready" else None

    def _run(self, request: Request, text: str, use: Use) -> tuple[bytes, Callable[[], None]] | None:
        started = time.perf_counter()
        model = use.model
        prompt = use.prompt(request.arguments.get("input_type") or "document")
        ids = model.tokenizer.encode([prompt + text if prompt else text])[0]
        if not 0 < len(ids) <= min(QUICK_TOKENS, model.tokenizer.content_tokens) or not model.queue.claim():
            return None
        try:
            tokenized = time.perf_counter()
            vector, tokens, padded = model.alone(ids)
            if use.dimensions:
                vector = unit(vector[: use.dimensions])
            ended = time.perf_counter()
            header = b'{"id":%d,"engine_us":%d}' % (request.id, 1e6 * (ended - started))
            data = frames.join(header, orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY))
        except BaseException:
            model.queue.release()
            raise

        def afterwards() -> None:
            queue = model.queue
            queue.measured(padded, ended - tokenized)
            queue.usage.add(1, tokens, padded, tokenized, ended)
            queue.release()
            model.used_at = time.monotonic()
            seen = Observation(self._metrics, request)
            seen.alias, seen.texts, seen.tokens, seen.batch_texts = use.entry.alias, 1, tokens, 1
            seen.read = tokens
            seen.started_s, seen.ended_s = started, ended
            seen.parts = [
                ("tokenize", started, tokenized),
                ("queue", tokenized, tokenized),
                ("infer", tokenized, ended),
            ]
            self._metrics.count(seen)

        return data, afterwards


def _only(arguments: dict) -> str | None:
    """The text of a request for the vector of one short text with nothing unusual about it."""
    texts = arguments.get("texts")
    if type(texts) is not list or len(texts) != 1 or type(texts[0]) is not str or len(texts[0]) > CHARACTERS:
        return None
    usual = (
        arguments.get("dimensions") is None
        and arguments.get("input_type") in USUAL
        and type(arguments.get("truncate")) in (bool, type(None))
        and arguments.get("lane") in ("interactive", None)
    )
    return texts[0] if usual and not texts[0].isspace() else None
