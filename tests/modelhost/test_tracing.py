"""Spans: what a collector gets for a request, under which trace, and that no text of a user is among it."""

import asyncio
import json
import time
from types import SimpleNamespace

import pytest

from pglore_host import cost, errors, metrics, tracing
from pglore_host.errors import HostError
from pglore_host.metrics import Metrics
from pglore_host.tracing import Tracing

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")


@pytest.fixture
def traced(collector):
    """A function that makes a request through the hooks, with spans."""
    tracer = Tracing(collector.url)
    numbers = Metrics(lambda alias, task: "small", lambda: [], tracer)

    def run(op="embed", traceparent=None, error=None, alias="small", **arguments):
        try:
            with numbers.observe(SimpleNamespace(op=op, arguments=arguments, traceparent=traceparent)) as seen:
                if alias:
                    metrics.named(alias)
                started = time.perf_counter()
                time.sleep(0.003)
                metrics.part("tokenize", started)
                submitted = time.perf_counter()
                time.sleep(0.003)
                if error:
                    raise error
                taken = time.perf_counter()
                time.sleep(0.003)
                metrics.ran(seen.lane, submitted, taken, 7, 5)
        except (HostError, asyncio.CancelledError):
            pass

    yield run
    tracer.close()


def attributes(span) -> dict:
    return {entry.key: entry.value.string_value or entry.value.int_value for entry in span.attributes}


def test_a_request_is_a_span_with_its_parts_inside_under_the_trace_that_was_given(traced, collector):
    traced(traceparent=TRACEPARENT, texts=["a secret text", "another"])
    (span,) = collector.named("lore.embed")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    last = span.start_time_unix_nano
    for name in ("tokenize", "queue", "infer"):
        (part,) = collector.named(name)
        assert (part.trace_id, part.parent_span_id) == (span.trace_id, span.span_id)
        assert last <= part.start_time_unix_nano <= part.end_time_unix_nano <= span.end_time_unix_nano
        assert part.end_time_unix_nano - part.start_time_unix_nano >= 2_900_000
        last = part.end_time_unix_nano
    assert abs(span.end_time_unix_nano / 1e9 - time.time()) < 300
    assert attributes(span) == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "pglore",
        "gen_ai.request.model": "small",
        "gen_ai.usage.input_tokens": 7,
        "lore.lane": "interactive",
        "lore.texts": 2,
        "lore.batch.texts": 5,
    }
    assert b"secret" not in collector.raw
    assert {entry.key: entry.value.string_value for entry in collector.resources[0].attributes}[
        "service.name"
    ] == "pglore"


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        5,
        TRACEPARENT.upper(),
        f"{TRACEPARENT}\n",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}",
        "x" * 100_000,
    ],
    ids=lambda value: repr(value)[:60],
)
def test_without_a_valid_traceparent_a_request_begins_a_trace_of_its_own(traced, collector, traceparent):
    traced(traceparent=traceparent)
    (span,) = collector.named("lore.embed")
    assert span.trace_id.hex() != TRACE and span.parent_span_id == b""


def test_a_trace_that_is_not_sampled_has_no_spans_here_either(traced, collector):
    traced(traceparent=f"00-{TRACE}-{PARENT}-00")
    traced()
    assert [span.trace_id.hex() != TRACE for span in collector.named("lore.embed")] == [True]


def test_the_operators_sampler_decides_for_requests_without_a_parent(collector, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    tracer = Tracing(collector.url)
    numbers = Metrics(lambda alias, task: "small", lambda: [], tracer)
    for traceparent in (None, TRACEPARENT):
        with numbers.observe(SimpleNamespace(op="embed", arguments={}, traceparent=traceparent)):
            pass
    assert [span.trace_id.hex() for span in collector.named("lore.embed")] == [TRACE]
    tracer.close()


def test_an_error_is_its_code_and_nothing_of_its_message(traced, collector):
    traced(error=HostError(errors.HOST_BUSY, "a secret name"))
    (span,) = collector.named("lore.embed")
    assert span.status.code == 2 and span.status.message == "LO302"
    assert attributes(span)["error.type"] == "LO302" and b"secret" not in collector.raw


def test_an_operation_that_a_caller_made_up_is_not_named(traced, collector):
    traced(op="a secret", alias=None, error=HostError(errors.BAD_ARGUMENT, "x"))
    collector.named("lore.call")
    assert b"secret" not in collector.raw


def test_the_spans_that_wait_are_delivered_when_the_host_stops(collector, monkeypatch):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    tracer = Tracing(collector.url)
    numbers = Metrics(lambda alias, task: "small", lambda: [], tracer)
    with numbers.observe(SimpleNamespace(op="embed", arguments={}, traceparent=None)):
        pass
    tracer.close()
    assert [span.name for span in collector.spans] == ["lore.embed"]


def test_a_collector_that_is_not_there_costs_the_host_a_line_and_no_time(monkeypatch, capsys):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    tracer = Tracing("http://127.0.0.1:9")
    numbers = Metrics(lambda alias, task: "small", lambda: [], tracer)
    started = time.perf_counter()
    for _ in range(10_000):
        with numbers.observe(SimpleNamespace(op="embed", arguments={}, traceparent=None)):
            pass
    assert time.perf_counter() - started < 60  # nobody waits for the collector
    assert tracer._waiting.qsize() <= tracing.WAITING
    deadline = time.monotonic() + 60
    lines = []
    while not any(line["event"] == "spans" for line in lines):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        lines += [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    started = time.monotonic()
    tracer.close()
    assert time.monotonic() - started < tracing.CLOSE_S + 28


def test_a_generation_tells_its_parameters_tokens_and_reasons_and_no_text(collector):
    tracer = Tracing(collector.url)
    numbers = Metrics(lambda alias, task: "small", lambda: [], tracer)
    numbered = {"max_tokens": 9, "temperature": 0.5, "seed": 4}
    given = {"prompt": "secret", "stop": ["secret"], "schema": {"a": "secret"}, **numbered}
    with numbers.observe(SimpleNamespace(op="generate", arguments=given, traceparent=None)) as seen:
        metrics.named("writer")
        metrics.charge(7)
        metrics.grown(3)
        metrics.settle(0, 1, 5)
        cost.note(seen, {"text": "secret", "finish_reason": "length"}, False, False)
    (span,) = collector.named("lore.generate")
    found = attributes(span)
    (reasons,) = [entry.value.array_value.values for entry in span.attributes if entry.key.endswith("finish_reasons")]
    assert [reason.string_value for reason in reasons] == ["length"]
    expected = {
        "gen_ai.operation.name": "text_completion", "gen_ai.provider.name": "pglore", "gen_ai.output.type": "json",
        "gen_ai.request.model": "writer", "gen_ai.response.model": "writer", "gen_ai.request.max_tokens": 9,
        "gen_ai.request.seed": 4, "gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 4,
        "gen_ai.usage.cache_read.input_tokens": 5,
    }  # fmt: skip
    assert expected.items() <= found.items() and b"secret" not in collector.raw
    tracer.close()


def test_no_spans_are_made_of_texts_that_wait(traced):
    seen = metrics.Observation(None, SimpleNamespace(op="embed", arguments={"texts": ["secret"]}, traceparent=None))
    Metrics(lambda alias, task: "small", lambda: [], SimpleNamespace(add=lambda seen: None)).count(seen)
    assert seen.arguments == {}


@pytest.mark.parametrize("value", ["", "127.0.0.1:4318", "ftp://x", "http://", "http://user@x", "http://x/?a=b"])
def test_what_is_no_base_url_is_refused(value):
    with pytest.raises(ValueError):
        tracing.endpoint(value)
