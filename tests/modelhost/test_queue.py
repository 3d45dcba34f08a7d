"""The queue: batches of like lengths within the budget, interactive work first, bulk not starved, cancels dropped."""

import asyncio
import threading
import time

import numpy as np
import pytest

from pglore_host import queue
from pglore_host.errors import HostError
from pglore_host.queue import Queue


def ids(length: int) -> np.ndarray:
    return np.ones(length, dtype=np.int64)


async def submitted(line: Queue, lengths: list[int], lane: str = "bulk") -> asyncio.Task:
    """A request in the queue, not answered yet."""
    task = asyncio.create_task(line.run([ids(length) for length in lengths], lane))
    await asyncio.sleep(0)
    return task


def answer(batch) -> None:
    """Give each text of a batch its length as result."""
    for text in batch:
        text.job.results[text.index] = text.length
        text.job.missing -= 1
        if not text.job.missing:
            text.job.close()


async def test_results_come_back_in_the_order_of_the_request():
    line = Queue()
    task = await submitted(line, [5, 50, 6, 40, 7])
    while not task.done():
        answer(line.take())
        await asyncio.sleep(0.001)
    assert task.result() == [5, 50, 6, 40, 7]


async def test_a_batch_holds_texts_of_like_length_within_the_budget():
    line = Queue()
    line.tokens_per_s = 200 / queue.BATCH_S
    task = await submitted(line, [100, 10, 11, 90, 12, 13, 95, 10])
    sizes = []
    while line.waiting:
        batch = line.take()
        lengths = [text.length for text in batch]
        assert max(lengths) * len(lengths) <= 200 or len(lengths) == 1
        sizes.append(sorted(lengths))
        answer(batch)
    await task
    assert [10, 10, 11, 12, 13] in sizes


async def test_interactive_work_goes_before_bulk_that_came_earlier():
    line = Queue()
    bulk, quick = await submitted(line, [9] * 4), await submitted(line, [3], "interactive")
    assert [text.length for text in line.take()] == [3]
    assert [text.length for text in line.take()] == [9] * 4
    bulk.cancel()
    quick.cancel()


async def test_a_large_job_is_bulk_whatever_it_asks_for():
    line = Queue()
    large = await submitted(line, [9] * (queue.LARGE_JOB_TEXTS + 1), "interactive")
    small = await submitted(line, [3], "interactive")
    assert [text.length for text in line.take()] == [3]
    large.cancel()
    small.cancel()


async def served(monkeypatch, arrivals, batches: int = 200) -> tuple[dict[str, float], int]:
    """Engine seconds of each lane while bulk work never ends, and the most bulk batches that a query waited behind.

    arrivals  how many queries come after each batch; a batch takes 50 ms if it is bulk, else 2 ms
    """
    now = [100.0]
    monkeypatch.setattr(queue.time, "perf_counter", lambda: now[0])
    line = Queue()
    line.tokens_per_s = 1000 / queue.BATCH_S
    tasks = [await submitted(line, [100] * 64 * batches)]
    spent, waited, most = {"bulk": 0.0, "interactive": 0.0}, {}, 0
    for number in range(batches):
        batch = line.take()
        lane = "bulk" if batch[0].length == 100 else "interactive"
        for text in batch:
            if lane == "interactive":
                most = max(most, waited.pop(text.job.submitted_s))
        now[0] += 0.05 if lane == "bulk" else 0.002
        spent[lane] += 0.05 if lane == "bulk" else 0.002
        if lane == "bulk":
            waited = {came: count + 1 for came, count in waited.items()}
        for _ in range(arrivals(number, lane)):
            now[0] += 1e-6
            waited[now[0]] = 0
            tasks.append(await submitted(line, [3], "interactive"))
    for task in tasks:
        task.cancel()
    return spent, most


async def test_bulk_keeps_its_speed_beside_queries_that_come_one_at_a_time(monkeypatch):
    spent, most = await served(monkeypatch, lambda number, lane: 1)
    assert spent["bulk"] > 0.85 * sum(spent.values()) and most <= 1


async def test_bulk_is_not_starved_by_more_queries_than_can_be_served(monkeypatch):
    spent, most = await served(monkeypatch, lambda number, lane: 200 if lane == "interactive" else 300)
    assert spent["bulk"] > 0.3 * sum(spent.values()) and most <= 1


async def test_a_cancelled_request_leaves_the_queue_at_once():
    line = Queue()
    stays, goes = await submitted(line, [5] * 10), await submitted(line, [5] * 1000)
    goes.cancel()
    await asyncio.sleep(0)
    assert line.waiting == 10
    assert len(line.take()) == 10
    stays.cancel()


async def test_a_full_lane_says_busy_at_once_and_the_other_goes_on():
    line = Queue(waiting_texts=10)
    first = await submitted(line, [5] * 8)
    with pytest.raises(HostError) as caught:
        await line.run([ids(5)] * 3, "bulk")
    assert caught.value.code == "LO302" and caught.value.hint == "Try again in about 0.1 s."
    second, other = await submitted(line, [5] * 2), await submitted(line, [5] * 10, "interactive")
    assert line.waiting == 20
    for task in (first, second, other):
        task.cancel()


async def test_what_is_over_the_bound_alone_is_taken_by_an_empty_lane():
    line = Queue(waiting_texts=10)
    task = await submitted(line, [5] * 30)
    assert line.waiting == 30
    task.cancel()


async def test_the_budget_follows_the_measured_speed():
    line = Queue()
    assert line.budget == queue.FIRST_BATCH_TOKENS
    for _ in range(100):
        line.measured(line.budget, line.budget / 20_000)
    assert line.budget == pytest.approx(20_000 * queue.BATCH_S, rel=0.05)
    line.measured(1, 10.0)
    assert line.budget == pytest.approx(20_000 * queue.BATCH_S, rel=0.05)


async def test_a_thread_that_waits_for_work_is_woken_by_it_and_by_the_stop():
    line, taken = Queue(), []
    thread = threading.Thread(target=lambda: [taken.append(line.take()) for _ in range(2)])
    thread.start()
    task = await submitted(line, [5])
    deadline = time.monotonic() + 60
    while not taken and time.monotonic() < deadline:
        await asyncio.sleep(0.001)
    assert len(taken[0]) == 1
    line.stop()
    thread.join(60)
    assert taken[1] is None
    task.cancel()


async def test_a_batch_is_not_mostly_padding():
    line = Queue()
    line.tokens_per_s = 1000 / queue.BATCH_S
    task = await submitted(line, [500, *[8] * 100])
    assert [text.length for text in line.take()] == [500]
    assert [text.length for text in line.take()] == [8] * 100
    task.cancel()


async def test_a_query_waits_behind_one_bulk_batch_at_most():
    line = Queue()
    bulk = await submitted(line, [100] * 1000)
    lanes = []
    for _ in range(100):
        line.take()  # bulk, or the query of the round before
        query = await submitted(line, [3], "interactive")
        waited = 0
        while line.take()[0].length != 3:
            waited += 1
        lanes.append(waited)
        query.cancel()
    assert max(lanes) == 0  # the one that ran when the query came is all it waited for
    bulk.cancel()


async def test_work_that_would_wait_too_long_is_busy_with_the_time_in_the_hint():
    line = Queue(max_wait_ms=1000)
    line.measured(16, 0.016)
    first = await submitted(line, [16] * 64, "interactive")
    for refused in (line.admit, lambda texts, lane: line._admit(line._lanes[lane], texts, 0)):
        with pytest.raises(HostError) as caught:
            refused(1, "interactive")
        assert caught.value.code == "LO302" and caught.value.hint == "Try again in about 1 s."
    line.admit(1, "bulk")
    line.take()
    line.admit(1, "interactive")
    first.cancel()


async def test_bulk_work_may_wait_longer_than_a_query():
    line = Queue(max_wait_ms=1)
    line.measured(16, 0.016)
    tasks = [await submitted(line, [256] * 50) for _ in range(3)]
    assert line.waiting == 150
    for task in tasks:
        task.cancel()


async def test_batches_stay_smaller_for_a_while_after_the_memory_was_not_enough(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(queue.time, "monotonic", lambda: now[0])
    line = Queue()
    line.tokens_per_s = 1e9
    assert line.budget == queue.MAX_BATCH_TOKENS
    line.shrink(8192)
    assert line.budget == 4096
    line.shrink(4096)
    line.shrink(10_000)
    assert line.budget == 2048
    seen = []
    for _ in range(8):
        now[0] += queue.SHRUNK_S + 1
        seen.append(line.budget)
    assert seen[:2] == [4096, 8192] and seen[-1] == queue.MAX_BATCH_TOKENS
    line.shrink(1)
    assert line.budget == queue.MIN_BATCH_TOKENS


async def test_a_claimed_engine_is_not_used_by_its_thread():
    line, taken = Queue(), []
    thread = threading.Thread(target=lambda: [taken.append(line.take()) for _ in range(2)])
    thread.start()
    assert line.claim() and not line.claim()
    task = await submitted(line, [5])
    await asyncio.sleep(0.05)
    assert not taken
    line.release()
    deadline = time.monotonic() + 60
    while not taken and time.monotonic() < deadline:
        await asyncio.sleep(0.001)
    assert len(taken[0]) == 1
    line.stop()
    thread.join(60)
    assert not line.claim()
    task.cancel()


async def test_an_engine_at_work_cannot_be_claimed():
    line = Queue()
    task = await submitted(line, [5])
    assert not line.claim()
    line.take()
    assert not line.claim()
    task.cancel()


async def test_a_stop_waits_for_who_has_claimed_the_engine():
    line, taken = Queue(), []
    assert line.claim()
    thread = threading.Thread(target=lambda: taken.append(line.take()))
    thread.start()
    line.stop()
    await asyncio.sleep(0.05)
    assert not taken
    line.release()
    thread.join(60)
    assert taken == [None]


async def test_an_engine_is_quick_while_it_is_idle_and_a_short_text_takes_little():
    line = Queue()
    assert not line.quick  # nothing is known yet
    line.measured(8, 0.5)
    assert not line.quick
    line.measured(8, 0.002)
    assert line.quick
    task = await submitted(line, [5])
    assert not line.quick
    line.take()
    assert not line.quick
    task.cancel()


async def test_a_hundred_thousand_waiting_texts_cost_no_step_more_than_milliseconds():
    line = Queue()
    line.tokens_per_s = 20_000
    lengths = [8 + number * 7 % 240 for number in range(256)]
    tasks = [await submitted(line, lengths) for _ in range(400)]
    assert line.waiting > 100_000

    def best(action) -> float:
        times = []
        for _ in range(5):
            started = time.perf_counter()
            action()
            times.append(time.perf_counter() - started)
        return min(times)

    lane, loop = line._lanes["bulk"], asyncio.get_running_loop()

    def come_and_go():
        job = queue.Job([ids(length) for length in lengths], loop, loop.create_future())
        lane.add(job, [queue.Text(len(text), job, index) for index, text in enumerate(job.texts)])
        lane.drop(job)

    assert best(line.take) < 0.05
    assert best(come_and_go) < 0.1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert line.waiting == 0 and lane.tokens == 0 and not lane._buckets and not lane._jobs and not lane._lengths


async def test_nothing_in_is_nothing_out():
    assert await Queue().run([], "bulk") == []
