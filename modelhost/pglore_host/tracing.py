"""OpenTelemetry spans of requests, sent to the OTLP/HTTP collector that host.json names.

A request becomes a span `lore.<operation>` with a child for each part: load, queue, tokenize, infer. They are made
after the request has ended, in a thread of their own, from the times that metrics.Observation has noted. Attributes
are numbers, codes and aliases, never texts. Source of their names: OpenTelemetry's semantic conventions for generative
AI, as of their version 1.41.
"""

import logging
import os
import re
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import __version__, log
from .metrics import GENERATE, NUMBERS, Observation

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context, level 1
WAITING = 4096  # requests whose spans are not made yet; more go without
CLOSE_S = 2  # for the last spans to be delivered
OPERATIONS = {
    "embed": "embeddings",
    "similarity": "embeddings",
    "rerank": "rerank",
    **dict.fromkeys(("generate", "generate_many", "generate_stream"), "text_completion"),
    **dict.fromkeys(("chat", "chat_stream", "answer", "answer_stream", "standalone"), "chat"),
}
WITHOUT_MODEL = ("parse", "models", "status", "metrics")


def endpoint(value: str) -> str:
    """Where spans are sent for a base URL such as "http://127.0.0.1:4318"; raises ValueError."""
    found = urlsplit(value)
    if found.scheme not in ("http", "https") or not found.hostname or found.query or found.fragment or found.username:
        raise ValueError("not a base URL such as http://127.0.0.1:4318")
    return f"{value.rstrip('/')}/v1/traces"


class Tracing:
    """Takes observations on the event loop and makes spans of them elsewhere."""

    def __init__(self, value: str) -> None:
        self._off = False
        self._waiting: SimpleQueue[Observation | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(endpoint(value),), daemon=True, name="tracing")
        self._thread.start()

    def add(self, seen: Observation) -> None:
        """Take a request that has ended; it goes without spans when too many wait."""
        if not self._off and self._waiting.qsize() < WAITING:
            self._waiting.put(seen)

    def close(self) -> None:
        """Deliver what there is, in CLOSE_S at most."""
        self._waiting.put(None)
        self._thread.join(CLOSE_S)

    def _run(self, url: str) -> None:
        try:
            provider = _provider(url)
        except Exception as error:  # a library that is missing or of another version: the host goes on
            self._off = True
            log.write("no spans", url=url, reason=repr(error), hint="pip install 'pglore[otel]'")
            return
        log.write("spans for OpenTelemetry", url=url)
        tracer = provider.get_tracer("pglore_host", __version__)
        while (seen := self._waiting.get()) is not None:
            try:
                _emit(tracer, seen)
            except Exception as error:
                log.fault("span failed", error)
        provider.shutdown()


def _provider(url: str) -> "TracerProvider":
    """The SDK, which also reads its own OTEL_ variables: sampler, headers, resource."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    logger = logging.getLogger("opentelemetry")
    logger.addHandler(_Log())
    logger.propagate = False
    name = os.environ.get("OTEL_SERVICE_NAME", "pglore")
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name, "service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    return provider


class _Log(logging.Handler):
    """The library's warnings as lines of the host's log, one a minute."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._next_s = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + 60
            log.write("spans", level=record.levelname, message=record.getMessage())


def _emit(tracer: Any, seen: Observation) -> None:
    """The spans of one request."""
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = None
    if isinstance(seen.traceparent, str) and TRACEPARENT.fullmatch(seen.traceparent):
        parent = TraceContextTextMapPropagator().extract({"traceparent": seen.traceparent})
    epoch = time.time_ns() - time.perf_counter_ns()

    def at(seconds: float) -> int:
        return epoch + int(seconds * 1e9)

    # An operation that does not exist is a text of the caller.
    op = seen.op if seen.alias is not None or seen.op in WITHOUT_MODEL or seen.op in OPERATIONS else "call"
    span = tracer.start_span(
        f"lore.{op}",
        context=parent,
        kind=trace.SpanKind.SERVER,
        start_time=at(seen.started_s),
        attributes=_attributes(seen),
    )
    if span.is_recording():
        inside = trace.set_span_in_context(span)
        for name, start, end in seen.parts:
            child = tracer.start_span(name, context=inside, start_time=at(start))
            child.end(at(end))
    if seen.code is not None:
        span.set_status(trace.StatusCode.ERROR, seen.code)
    span.end(at(seen.ended_s))


def _attributes(seen: Observation) -> dict[str, str | int | float | list[str]]:
    found: dict[str, str | int | float | list[str]] = {"lore.lane": seen.lane}
    operation = OPERATIONS.get(seen.op)
    if operation is None and seen.written + seen.read:
        operation = "text_completion" if seen.written else "embeddings"
    if operation is not None:
        found |= {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "pglore",
            "lore.texts": seen.texts,
            "lore.batch.texts": seen.batch_texts,
        }
    counts = {
        "gen_ai.usage.input_tokens": seen.input_tokens,
        "gen_ai.usage.output_tokens": seen.written,
        "gen_ai.usage.cache_read.input_tokens": seen.cached,
        "gen_ai.embeddings.dimension.count": seen.dimensions,
    }
    found |= {name: count for name, count in counts.items() if count}
    if seen.op in GENERATE:
        found["gen_ai.output.type"] = "json" if seen.arguments.get("schema") else "text"
        found |= {f"gen_ai.request.{name}": seen.arguments[name] for name in NUMBERS if name in seen.arguments}
        if seen.finish_reason is not None:
            found["gen_ai.response.finish_reasons"] = seen.finish_reason.split(",")
    if seen.alias is not None:
        found["gen_ai.request.model"] = seen.alias
        if seen.op in GENERATE and seen.code is None:
            found["gen_ai.response.model"] = seen.alias
    if seen.code is not None:
        found["error.type"] = seen.code
    return found
