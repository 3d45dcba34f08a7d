"""Budgets, the policy and the ledger without a server: periods, bounds, crashes, damage."""

import json
import sqlite3
from types import SimpleNamespace

import pytest

from pglore_host import cost, metrics
from pglore_host.accounting import Accounting, union
from pglore_host.budget import Account, Budgets
from pglore_host.errors import HostError
from pglore_host.frames import Caller
from pglore_host.ledger import COLUMNS, Ledger
from pglore_host.policy import NO_RIGHT, Budget, Policy

ALICE, BOB = Caller(101, 101, "1.1"), Caller(102, 102, "2.1")


def row(number, role=101):
    values = dict.fromkeys(COLUMNS) | {"at": float(number), "role": role, "op": "embed", "outcome": "ok"}
    return tuple(values[name] for name in COLUMNS)


def code(function, *arguments):
    with pytest.raises(HostError) as caught:
        function(*arguments)
    assert caught.value.hint
    return caught.value.code


def test_a_period_ends_on_time_and_begins_with_nothing_spent():
    account, budget = Account(since=1000.0, tokens=50, seconds=2.0), Budget(tokens=60, period_s=100.0, set_at=1000.0)
    account.roll(budget, 1099.9)
    assert account.tokens == 50
    account.roll(budget, 1350.0)
    assert (account.since, account.tokens, account.seconds) == (1300.0, 0, 0.0)
    account.tokens = 5
    account.roll(Budget(tokens=60, set_at=1000.0), 1e9)
    assert account.tokens == 5


def test_what_is_read_must_fit_and_what_is_written_ends_at_the_bound(tmp_path):
    policy = Policy(tmp_path)
    policy.set_budget(101, Budget(tokens=10, per_statement_tokens=8))
    meter = Budgets(policy, lambda meter: None).meter(ALICE)
    assert code(meter.charge, 9) == "LO304"
    meter.charge(7)
    assert [limit.account.tokens for limit in meter.limits] == [7, 7]
    assert code(meter.grown, 1) == "LO304"
    assert code(meter.charge, 0) == "LO304"


def test_seconds_are_charged_once_and_the_login_pays_too(tmp_path):
    policy, saved = Policy(tmp_path), []
    policy.set_budget(102, Budget(seconds=1.0))
    budgets = Budgets(policy, saved.append)
    meter = budgets.meter(Caller(101, 102, "1.1"))
    for so_far in (0.2, 0.5, 0.5):
        meter.worked(so_far)
    assert meter.left_s() == pytest.approx(0.5) and budgets.accounts[102].seconds == pytest.approx(0.5)
    assert budgets.meter(ALICE) is None and budgets.meter(None) is None


def test_the_policy_is_kept_and_a_damaged_one_lets_nobody_in(tmp_path):
    policy = Policy(tmp_path)
    policy.set_budget(0, Budget(tokens=5))
    policy.revoke("big", 0, 10)
    policy.grant("big", 101)
    again = Policy(tmp_path)
    assert again.budget(777) == Budget(tokens=5) and again.rights == {"big": {10, 101}}
    again.check("big", ALICE)
    again.check("big", None)
    again.check("small", BOB)
    again.check("big", Caller(102, 102, "", frozenset({101, 5})))
    assert code(again.check, "big", BOB) == NO_RIGHT
    assert code(again.check, "big", Caller(102, 102, "", frozenset())) == NO_RIGHT
    again.forget("big")
    again.check("big", BOB)
    for damage in ("{", "[]", '{"format": 2}', '{"format": 1, "budgets": {"a": {}}, "rights": {}}'):
        (tmp_path / "policy.json").write_text(damage)
        damaged = Policy(tmp_path)
        assert damaged.damage and code(damaged.check, "small", ALICE) == "LO204"
        assert code(damaged.grant, "small", 0) == "LO103"
        assert (tmp_path / "policy.json").read_text() == damage


def test_the_ledger_keeps_the_last_rows_and_the_last_amounts(tmp_path):
    ledger = Ledger(tmp_path, 10)
    for number in range(35):
        ledger.add(row(number, role=101 + number % 2), [(101, 5.0, number, 0.5)])
        if number % 7 == 0:
            ledger.ask(lambda connection: None)
    found = ledger.calls(None, 100, 0.0)
    assert [one["at"] for one in found] == [float(number) for number in range(34, 34 - len(found), -1)]
    assert 10 <= len(found) <= 20
    assert {one["role"] for one in ledger.calls(102, 100, 0.0)} == {102}
    assert len(ledger.calls(None, 3, 0.0)) == 3 and len(ledger.calls(None, 100, 33.0)) == 2
    ledger.close()
    again = Ledger(tmp_path, 10)
    assert again.spent() == [(101, 5.0, 34, 0.5)]
    again.close()


def test_a_damaged_ledger_is_set_aside_and_a_new_one_begun(tmp_path):
    (tmp_path / "ledger.sqlite").write_bytes(b"no database at all, but long enough to be looked at" * 20)
    ledger = Ledger(tmp_path, 10)
    ledger.add(row(1))
    assert len(ledger.calls(None, 10, 0.0)) == 1
    ledger.close()
    assert any("damaged" in path.name for path in tmp_path.iterdir())


def test_a_ledger_that_cannot_be_written_loses_rows_and_stops_nobody(tmp_path):
    ledger = Ledger(tmp_path, 10)
    ledger.ask(lambda connection: connection.execute("DROP TABLE calls"))
    ledger.add(row(1))
    with pytest.raises(sqlite3.Error):
        ledger.calls(None, 10, 0.0)
    assert ledger.lost == 1
    ledger.close()


def test_nothing_is_kept_where_the_operator_wants_no_log(tmp_path):
    ledger = Ledger(tmp_path, 0)
    ledger.add(row(1), [(101, 0.0, 7, 0.0)])
    assert ledger.calls(None, 10, 0.0) == [] and ledger.spent() == [(101, 0.0, 7, 0.0)]
    ledger.close()


def test_parts_side_by_side_count_once():
    parts = [("infer", 1.0, 3.0), ("infer", 2.0, 4.0), ("queue", 0.0, 9.0), ("tokenize", 6.0, 6.5)]
    assert union(parts, ("infer", "tokenize")) == pytest.approx(3.5)


async def test_texts_are_kept_where_the_operator_says_so_and_shown_to_whose_they_are(tmp_path):
    accounts = Accounting(tmp_path, 100, texts=True)
    accounts.begin()
    numbers = metrics.Metrics(lambda alias, task: "small", lambda: [], accounts=accounts)
    for caller in (ALICE, BOB):
        given = {"prompt": "a question", "model": "small", "max_tokens": 5}
        with numbers.observe(SimpleNamespace(op="generate", arguments=given, traceparent=None, caller=caller)) as seen:
            cost.note(seen, {"text": "an "}, True, True)
            cost.note(seen, {"text": "answer", "finish_reason": "stop"}, False, True)
    (own,) = await cost.calls(accounts, ALICE, {})
    assert json.loads(own["input"]) == {"prompt": "a question"} and json.loads(own["output"]) == "an answer"
    assert (own["role"], own["statement"], own["finish_reason"], own["outcome"]) == (101, "1.1", "stop", "ok")
    everything = await cost.all_calls(accounts, None, BOB, {})
    assert [(row["role"], row["input"] is None, row["output"] is None) for row in everything] == [
        (102, False, False),
        (101, True, True),
    ]
    accounts.end()
