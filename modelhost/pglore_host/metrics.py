"""Numbers of requests, by the alias that served them, and the times of a request's parts.

They are made for a path of two milliseconds: a hook is an addition or two, without locks, on the event loop alone.
What is more than a sum is computed when somebody asks. Texts are not kept, and no name that a caller made up becomes
a key.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import errors
from .accounting import Accounting, Clock, worked
from .errors import HostError
from .histogram import Histogram
from .policy import NO_RIGHT
from .usage import Usage

if TYPE_CHECKING:
    from .budget import Meter
    from .frames import Caller, Request
    from .tracing import Tracing

GENERATE = ("generate", "generate_many", "generate_stream", "chat", "chat_stream")
ANSWER = ("answer", "answer_stream", "standalone")
TASKS = {  # counted
    **{"embed": "embed", "similarity": "embed", "rerank": "rerank"},
    **dict.fromkeys(GENERATE + ANSWER, "generate"),
}
# What holds the texts of a request; of an operator it is inputs.
MANY = {"embed": "texts", "rerank": "documents", "generate_many": "prompts"}
NUMBERS = ("max_tokens", "temperature", "top_p", "seed")  # of a request, that a span tells
LANES = ("interactive", "bulk")
TOTAL = "total"
PARTS = (TOTAL, "queue", "tokenize", "infer")
ANSWER_S = 5  # for the event loop to say which aliases there are
SHARES = (0.5, 0.95, 0.99)


class Observation:
    """One request under way; a context manager around its answer."""

    __slots__ = (
        "_clock", "_metrics", "_token", "alias", "answered", "arguments", "batch_texts", "cached", "caller", "code",
        "dimensions", "ended_s", "finish_reason", "given", "lane", "live", "meter", "op", "outcome", "parts", "read",
        "said", "started_s", "texts", "tokens", "traceparent", "written",
    )  # fmt: skip

    def __init__(self, metrics: "Metrics", request: "Request") -> None:
        self._metrics = metrics
        self.op, self.arguments, self.traceparent = request.op, request.arguments, request.traceparent
        self.alias: str | None = None
        self.lane = "bulk" if request.arguments.get("lane") == "bulk" else "interactive"
        self.parts: list[tuple[str, float, float]] = []  # (name, start, end), seconds of time.perf_counter
        self.texts = self.tokens = self.batch_texts = 0
        self.code: str | None = None  # of the error, or "cancelled"
        self.started_s = self.ended_s = 0.0
        self.caller = getattr(request, "caller", None)
        self.read = self.written = self.cached = 0  # tokens: of the input, of the output, of the input known before
        self.live: list[Callable[[], float]] = []  # each says when an engine took a part that is under way, or 0
        self.meter: Meter | None = None
        self.answered = False  # the last reply of a stream has been handed on: nobody asks whether there is another
        self.outcome: str | None = None  # code of an error that is part of the result
        self.finish_reason: str | None = None
        self.dimensions: int | None = None  # of vectors
        self.given: dict = {}  # texts of the arguments, likewise
        self.said: object = None  # the result's text, where the log of calls is to have it
        self._clock: Clock | None = None

    @property
    def input_tokens(self) -> int:
        """Tokens of the input, as far as anybody knows."""
        return self.read or max(0, self.tokens - self.written)

    def __enter__(self) -> "Observation":
        self._token = current.set(self)
        self.started_s = time.perf_counter()
        if (accounts := self._metrics.accounts) is not None:
            self.meter = accounts.budgets.meter(self.caller)
            if self.meter is not None and self.meter.left_s() is not None:
                self._clock = Clock(self, self.meter)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.ended_s = time.perf_counter()
        current.reset(self._token)
        over = None
        if self.meter is not None:
            self.meter.worked(worked(self))
            if self._clock is not None:
                self._clock.stop()
                if self._clock.rung and error is not None:
                    error = over = self.meter.over_time()
        if isinstance(error, HostError) and error.roles is not None:  # it comes again with what the bridge finds out
            return
        if error is not None and not (self.answered and isinstance(error, GeneratorExit)):
            self.code = _code(error)
        given = self.arguments.get(MANY.get(self.op, "inputs"))
        self.texts = len(given) if isinstance(given, list) else 1
        self._metrics.count(self)
        if over is not None:
            raise over from None


current: ContextVar[Observation | None] = ContextVar("observation", default=None)


def named(alias: str) -> None:
    """Hook: the alias that serves the request has been found."""
    if (seen := current.get()) is not None:
        seen.alias = alias


def part(name: str, started_s: float) -> None:
    """Hook: a part of the request, which began at `started_s` (time.perf_counter), has ended."""
    if (seen := current.get()) is not None:
        seen.parts.append((name, started_s, time.perf_counter()))


def charge(tokens: int) -> None:
    """Hook: so many tokens are about to be read; raises HostError LO304 where no budget has room for them."""
    if (seen := current.get()) is not None:
        if seen.meter is not None:
            seen.meter.charge(tokens)
        seen.read += tokens


def grown(tokens: int) -> None:
    """Hook: so many tokens have been written, and more are to come; raises HostError LO304 where a budget ends."""
    if (seen := current.get()) is not None:
        seen.written += tokens
        if seen.meter is not None:
            seen.meter.grown(tokens)


def settle(read: int = 0, written: int = 0, cached: int = 0) -> None:
    """Hook: tokens that were charged too few, or too many, now that all is known."""
    if (seen := current.get()) is not None:
        seen.read += read
        seen.written += written
        seen.cached += cached
        if seen.meter is not None:
            seen.meter.add(read + written)


def under_way(since: Callable[[], float]) -> None:
    """Hook: an engine has been given a part of the request; `since` says when it took it (time.perf_counter), or 0."""
    if (seen := current.get()) is not None:
        seen.live.append(since)


def ended(since: Callable[[], float]) -> None:
    """Hook: that part is done; `ran` has noted it."""
    if (seen := current.get()) is not None and since in seen.live:
        seen.live.remove(since)


def made(dimensions: int) -> None:
    """Hook: vectors of so many dimensions were made."""
    if (seen := current.get()) is not None:
        seen.dimensions = dimensions


def caller() -> "Caller | None":
    """Who made the request; None outside of one, and for the server's own account."""
    return seen.caller if (seen := current.get()) is not None else None


def ran(
    lane: str, submitted_s: float, taken_s: float, tokens: int, batch_texts: int, ended_s: float | None = None
) -> None:
    """Hook: an engine ran texts of the request, from `taken_s`, in a batch of `batch_texts`, to `ended_s` or now."""
    if (seen := current.get()) is not None:
        seen.lane = lane
        seen.tokens += tokens
        seen.batch_texts = max(seen.batch_texts, batch_texts)
        seen.parts.append(("queue", submitted_s, taken_s))
        seen.parts.append(("infer", taken_s, ended_s or time.perf_counter()))


def engine_us() -> int | None:
    """Microseconds that tokenizer and engine have worked on the request so far."""
    if (seen := current.get()) is None:
        return None
    return round(1e6 * sum(end - start for name, start, end in seen.parts if name in ("tokenize", "infer")))


def kept(arguments: Mapping) -> dict:
    """What a span tells of a request's arguments: numbers, and whether the answer is to be JSON."""
    found = {name: arguments[name] for name in NUMBERS if type(arguments.get(name)) in (int, float)}
    return {**found, "schema": True} if arguments.get("schema") is not None else found


def _code(error: BaseException) -> str:
    if isinstance(error, HostError):
        return error.code
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):  # the latter for a stream between two pieces
        return "cancelled"
    return errors.OUT_OF_MEMORY if isinstance(error, MemoryError) else errors.INTERNAL_ERROR


class Requests:
    """What one alias was asked for."""

    def __init__(self) -> None:
        self.requests = dict.fromkeys(LANES, 0)  # ended, in whatever way
        self.texts = self.tokens = self.cancelled = 0
        self.errors: dict[str, int] = {}
        self.last_used_s = 0.0  # of the epoch
        self.latency = {lane: {name: Histogram() for name in PARTS} for lane in LANES}  # of those that were answered

    def add(self, seen: Observation) -> None:
        """Count a request that has ended."""
        self.requests[seen.lane] += 1
        self.tokens += seen.tokens
        self.last_used_s = time.time()
        if seen.code == "cancelled":
            self.cancelled += 1
            return
        if seen.code is not None:
            self.errors[seen.code] = self.errors.get(seen.code, 0) + 1
            return
        self.texts += seen.texts
        now, latency, spent = seen.ended_s, self.latency[seen.lane], {}
        latency[TOTAL].add(now - seen.started_s, now)
        for name, start, end in seen.parts:
            spent[name] = spent.get(name, 0.0) + end - start
        for name, seconds in spent.items():
            if name in latency:
                latency[name].add(seconds, now)

    def summary(self, now_s: float) -> dict:
        """The columns of lore.host_metrics about requests; milliseconds are None where nothing was answered lately."""
        found = {
            lane: {name: _milliseconds(times.percentiles(SHARES, now_s)) for name, times in self.latency[lane].items()}
            for lane in LANES
        }
        whole = {f"{lane}_{name}_ms": found[lane][TOTAL][name] for lane in LANES for name in ("p50", "p95", "p99")}
        return {
            "requests": sum(self.requests.values()),
            "texts": self.texts,
            "tokens": self.tokens,
            **whole,
            "parts": {
                lane: {name: found[lane][name] for name in PARTS[1:] if found[lane][name]["p50"]} for lane in LANES
            },
            "refusals": self.errors.get(errors.HOST_BUSY, 0),
            "cancelled": self.cancelled,
            "errors": dict(self.errors),
            "last_used_s": self.last_used_s or None,
        }


def _milliseconds(found: list[float | None]) -> dict[str, float | None]:
    shown = (None if seconds is None else round(seconds * 1000, 4) for seconds in found)
    return dict(zip(("p50", "p95", "p99"), shown, strict=True))


@dataclass(frozen=True, slots=True)
class Served:
    """An alias as the registry knows it now; usage and queued are None where the work is another alias's, or remote."""

    alias: str
    loaded: bool
    device: str | None = None
    memory_bytes: int | None = None
    queued: Mapping[str, int] | None = None  # texts by lane
    usage: Usage | None = None


class Metrics:
    """The numbers of all aliases, and where the spans of requests go."""

    def __init__(
        self,
        find: Callable[[str | None, str], str],
        served: Callable[[], Iterable[Served]],
        tracing: "Tracing | None" = None,
        accounts: Accounting | None = None,
    ) -> None:
        """`find` gives the alias for a name (None: the default) and a task, or raises HostError; `served` lists all."""
        self._find, self._served, self.tracing, self.accounts = find, served, tracing, accounts
        self._requests: dict[str, Requests] = {}

    def observe(self, request: "Request") -> Observation:
        """What is to be put around the answer of a request."""
        return Observation(self, request)

    def count(self, seen: Observation) -> None:
        """Take a request in that has ended."""
        if seen.op in TASKS and (alias := seen.alias or self._meant(seen)):
            if alias not in self._requests:
                self._requests[alias] = Requests()
            self._requests[alias].add(seen)
        refused = seen.code in (NO_RIGHT, errors.BUDGET_SPENT)
        if self.accounts is not None and (seen.op in TASKS or seen.read or seen.written or refused):
            self.accounts.count(seen)
        if self.tracing is not None or self.accounts is not None:
            seen.arguments = kept(seen.arguments)  # texts are not to wait until rows and spans are made
        if self.tracing is not None:
            self.tracing.add(seen)

    def _meant(self, seen: Observation) -> str | None:
        """The alias of a request that failed before it was looked up."""
        name = seen.arguments.get("model")
        try:
            return self._find(name, TASKS[seen.op]) if name is None or isinstance(name, str) else None
        except HostError:
            return None

    def used(self) -> list[tuple[Served, Requests]]:
        """The aliases that have been used or are loaded, with their numbers."""
        return [
            (served, self._requests.get(served.alias) or Requests())
            for served in self._served()
            if served.loaded or served.alias in self._requests
        ]

    def used_elsewhere(self, loop: asyncio.AbstractEventLoop) -> list[tuple[Served, Requests]]:
        """As `used`, from another thread than the loop's; raises TimeoutError when the loop does not get to it."""

        async def used() -> list[tuple[Served, Requests]]:
            return self.used()

        return asyncio.run_coroutine_threadsafe(used(), loop).result(ANSWER_S)

    def rows(self) -> list[dict]:
        """One row for each alias that has been used or is loaded, as lore.host_metrics shows it."""
        now = time.perf_counter()
        return [_row(served, requests, now) for served, requests in self.used()]


def _row(served: Served, requests: Requests, now_s: float) -> dict:
    queued = served.queued or {}
    return {
        "alias": served.alias,
        "device": served.device,
        "memory_bytes": served.memory_bytes,
        "interactive_queued": queued.get("interactive"),
        "bulk_queued": queued.get("bulk"),
        **(served.usage.summary(now_s) if served.usage else {}),
        **requests.summary(now_s),
    }
