"""How the benchmarks of load count and wait."""

from types import SimpleNamespace

from bench import load, overload, passages, priority


def refusal(hint: str | None) -> SimpleNamespace:
    return SimpleNamespace(diag=SimpleNamespace(message_hint=hint))


def test_who_is_refused_waits_as_the_hint_says_and_longer_each_time():
    told = refusal("Try again in about 0.4 s.")
    assert 0.2 <= overload.pause(told, 1) <= 0.6
    assert 0.8 <= overload.pause(told, 3) <= overload.LONGEST_WAIT_S * 1.5
    assert overload.FIRST_WAIT_S / 2 <= overload.pause(refusal(None), 1) <= overload.FIRST_WAIT_S * 1.5


def test_the_speed_of_the_bulk_load_is_without_the_queries():
    assert priority.speed((0, 1000, 5.0), (0, 9000, 9.0), queries=100, query_tokens=10) == 1750


def test_runs_of_calls_add_up():
    calls = load.Calls(later=[1.0, 2.0], seconds=1.0)
    calls.extend(load.Calls(later=[3.0], refused=[9.0], seconds=2.0))
    assert calls.summary()["calls_per_s"] == 1.0 and calls.summary()["p50_ms"] == 2.0 and calls.refused == [9.0]


def test_passages_are_the_same_each_time_and_of_mixed_length():
    found = passages.take(200)
    lengths = [len(text) for text in found]
    assert found == passages.take(200)
    assert min(lengths) >= passages.SHORTEST and max(lengths) <= passages.LONGEST
    assert sum(length < 200 for length in lengths) > 20 and sum(length > 400 for length in lengths) > 20
    assert found[:50] == passages.take(50)
