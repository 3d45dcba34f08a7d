"""The numbers: percentiles, rates, what is counted for which alias, and what a hook costs."""

import asyncio
import itertools
import random
import time
from types import SimpleNamespace

import pytest

from pglore_host import errors, metrics, queue
from pglore_host.errors import HostError
from pglore_host.histogram import WINDOW_S, Histogram
from pglore_host.metrics import Metrics, Served
from pglore_host.remote.work import Work
from pglore_host.usage import Usage


def found(alias, task):
    """A registry of one embedder, `small`."""
    if alias not in (None, "small") or task != "embed":
        raise HostError(errors.UNKNOWN_MODEL, "there is no such model")
    return "small"


@pytest.fixture
def numbers():
    usage = Usage()
    served = Served("small", False, "cpu", 1000, {"interactive": 2, "bulk": 3}, usage)
    return Metrics(found, lambda: [served, Served("never", False)])


def request(op="embed", **arguments) -> SimpleNamespace:
    return SimpleNamespace(op=op, arguments=arguments, traceparent=None)


def embed(numbers, texts=("a",), error=None, alias="small", **arguments):
    """One request through the hooks as the host calls them."""
    try:
        with numbers.observe(request(texts=list(texts), **arguments)) as seen:
            if alias:
                metrics.named(alias)
            started = time.perf_counter()
            metrics.part("tokenize", started - 0.001)
            if error:
                raise error
            metrics.ran(seen.lane, started - 0.004, started - 0.002, 7 * len(texts), 5)
    except (HostError, asyncio.CancelledError, MemoryError, ValueError):
        pass


def test_percentiles_are_within_three_percent_of_the_exact_ones():
    times, values = Histogram(), [random.Random(3).lognormvariate(-6, 1.5) for _ in range(20_000)]
    for value in values:
        times.add(value, 1000.0)
    values.sort()
    for share, got in zip((0.5, 0.95, 0.99), times.percentiles((0.5, 0.95, 0.99), 1000.0), strict=True):
        assert got == pytest.approx(values[int(share * len(values)) - 1], rel=0.03)


def test_percentiles_forget_what_is_older_than_two_windows_and_counts_do_not():
    times = Histogram()
    times.add(1.0, 1000.0)
    times.add(0.001, 1000.0 + 1.5 * WINDOW_S)
    assert times.percentiles((0.99,), 1000.0 + 1.6 * WINDOW_S)[0] == pytest.approx(1.0, rel=0.03)
    assert times.percentiles((0.99,), 1000.0 + 2.6 * WINDOW_S)[0] == pytest.approx(0.001, rel=0.03)
    assert times.percentiles((0.99,), 1000.0 + 5 * WINDOW_S) == [None]
    assert times.cumulative(range(8, 27))[-1] == (float("inf"), 2)


def test_durations_out_of_the_scale_are_counted_at_its_ends():
    times = Histogram()
    for seconds in (-1.0, 0.0, 1e-9, 1e9):
        times.add(seconds, 0.0)
    assert sum(times.counts) == 4 and times.counts[0] == 3 and times.counts[-1] == 1


def test_the_counts_up_to_each_bound_never_fall_and_split_at_the_bound():
    times = Histogram()
    for seconds in (0.0001, 0.003, 0.005, 100.0):
        times.add(seconds, 0.0)
    bounds = times.cumulative(range(8, 27))
    counts = [count for _, count in bounds]
    assert counts == sorted(counts) and counts[0] == 1 and counts[-2:] == [3, 4]
    assert next(count for bound, count in bounds if bound == pytest.approx(0.004096)) == 2


def test_an_engine_tells_its_batches_padding_speed_and_busy_share():
    usage, start = Usage(), time.perf_counter()
    usage._since_s = start - 100
    for number in range(10):
        usage.add(4, 60, 80, start - number - 0.3, start - number)
    row = usage.summary(start)
    assert (row["batches"], row["batch_texts"], row["batch_tokens"]) == (10, 4, 60)
    assert row["padding_waste"] == pytest.approx(0.25)
    assert row["tokens_per_s"] == pytest.approx(10.0) and row["busy_share"] == pytest.approx(3 / 60)
    assert usage.summary(start + 200)["tokens_per_s"] == 0


def test_an_engine_without_a_batch_has_no_means():
    row = Usage().summary(time.perf_counter())
    assert row["batch_texts"] is None and row["padding_waste"] is None and row["busy_share"] == 0


def test_a_request_counts_for_the_alias_that_served_it_with_its_parts(numbers, monkeypatch):
    ticks = itertools.count(1_000_000_000)
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks) * 1e-6)  # a microsecond later each time
    embed(numbers, ["a", "b", "c"])
    embed(numbers, ["d"], lane="bulk")
    (row,) = numbers.rows()
    assert row["alias"] == "small" and row["requests"] == 2 and row["texts"] == 4 and row["tokens"] == 28
    assert (row["interactive_queued"], row["bulk_queued"], row["device"]) == (2, 3, "cpu")
    assert row["parts"]["interactive"]["queue"]["p50"] == pytest.approx(2.0, rel=0.1)
    assert row["parts"]["bulk"]["infer"]["p99"] == pytest.approx(2.0, rel=0.1)
    assert row["parts"]["interactive"]["tokenize"]["p95"] == pytest.approx(1.0, rel=0.1)
    assert row["interactive_p50_ms"] > 0 and row["bulk_p99_ms"] > 0
    assert row["last_used_s"] == pytest.approx(time.time(), abs=60)


def test_an_alias_that_is_neither_used_nor_loaded_has_no_row(numbers):
    assert numbers.rows() == []


def test_a_loaded_alias_has_a_row_before_its_first_request():
    (row,) = Metrics(found, lambda: [Served("small", True, usage=Usage())]).rows()
    assert row["requests"] == 0 and row["interactive_p50_ms"] is None and row["last_used_s"] is None


def test_a_stream_that_is_closed_between_two_pieces_counts_as_cancelled(numbers):
    def pieces():
        with numbers.observe(request()):
            metrics.named("small")
            yield 1
            yield 2

    stream = pieces()
    next(stream)
    stream.close()
    row = numbers.rows()[0]
    assert (row["cancelled"], row["errors"]) == (1, {})


def test_errors_are_counted_by_code_refusals_and_cancels_by_themselves(numbers):
    for error in (HostError(errors.HOST_BUSY, "x"), HostError(errors.HOST_BUSY, "x"), MemoryError(), ValueError("x")):
        embed(numbers, error=error)
    embed(numbers, error=asyncio.CancelledError())
    (row,) = numbers.rows()
    assert row["errors"] == {"LO302": 2, "LO303": 1, "LO901": 1}
    assert (row["refusals"], row["cancelled"], row["requests"]) == (2, 1, 5)
    assert row["texts"] == 0 and row["interactive_p50_ms"] is None


def test_a_request_refused_before_its_model_was_looked_up_counts_for_the_model_that_was_meant(numbers):
    embed(numbers, [""], alias=None, error=HostError(errors.EMPTY_INPUT, "x"))
    assert numbers.rows()[0]["errors"] == {"LO101": 1}


@pytest.mark.parametrize("model", ["a name that nobody registered", 5, ["small"]])
def test_a_name_that_a_caller_made_up_never_becomes_a_row(numbers, model):
    embed(numbers, ["x"], alias=None, error=HostError(errors.UNKNOWN_MODEL, "x"), model=model)
    with numbers.observe(request("anything a caller may send")):
        pass
    assert numbers.rows() == []


def test_hooks_outside_a_request_do_nothing():
    metrics.named("small")
    metrics.part("tokenize", 0.0)
    metrics.ran("bulk", 0.0, 0.0, 1, 1)


async def test_requests_at_the_same_time_do_not_mix(numbers):
    async def one(texts):
        with numbers.observe(request(texts=texts)):
            metrics.named("small")
            await asyncio.sleep(0.01)
            metrics.ran("interactive", 0.0, 0.001, len(texts), 1)

    await asyncio.gather(*(one(["x"] * count) for count in (1, 2, 3)))
    assert numbers.rows()[0]["tokens"] == 6


async def test_a_remote_model_tells_how_long_texts_waited_and_how_long_its_server_took(numbers, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    async def ask(texts, until):
        now[0] += 0.02
        return texts

    with numbers.observe(request(texts=["a", "b", "c"], lane="bulk")):
        metrics.named("small")
        work = Work(1, 100, 60)
        assert len(await work.run(["a", "b", "c"], ask, batch_texts=1, lane="bulk", numbered=True)) == 3
    parts = numbers.rows()[0]["parts"]["bulk"]
    assert parts["infer"]["p50"] == pytest.approx(60, rel=0.05) and parts["queue"]["p50"] < 1


def test_the_lanes_are_those_of_the_queue():
    assert metrics.LANES == queue.LANES


def test_the_hooks_of_a_request_and_a_batch_cost_microseconds(numbers):
    usage, best = Usage(), []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(1000):
            embed(numbers)
            usage.add(1, 10, 16, started, started)
        best.append((time.perf_counter() - started) / 1000)
    assert min(best) < 1e-3  # a two-hundredth of it was measured


def test_the_rows_are_made_within_milliseconds(numbers):
    embed(numbers)
    best = []
    for _ in range(10):
        started = time.perf_counter()
        numbers.rows()
        best.append(time.perf_counter() - started)
    assert min(best) < 0.05
