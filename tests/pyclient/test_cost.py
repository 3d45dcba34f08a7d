"""The client's side of cost: estimates, the log of calls, budgets, rights, the result cache."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

import pglore


def test_estimates_calls_and_their_time(lore):
    found = lore.estimate("embed", ["one text", "another"], total=50)
    assert (found.model_used, found.texts, found.exact) == ("all-minilm-l6-v2", 50, True) and found.input_tokens > 100
    assert lore.estimate_column("embed", "pg_am", "amname").texts >= 7
    before = datetime.now(UTC)
    lore.embed("a text")
    last = lore.calls(most=1)[0]
    assert (last.operation, last.model, last.outcome, last.output) == ("embed", "all-minilm-l6-v2", "ok", None)
    assert lore.calls(since=before)[-1] == last
    with pytest.raises(pglore.BadArgument):
        lore.calls(most=0)


def test_budgets_are_set_shown_and_dropped(lore, open_client, role):
    name = role("lore_reader")
    lore.set_budget(name, 100, period=timedelta(hours=2), per_statement_seconds=1.5)
    (found,) = [one for one in lore.budgets() if one.role == name]
    assert (found.tokens, found.tokens_spent, found.period) == (100, 0, timedelta(hours=2))
    assert found.per_statement_seconds == 1.5 and found.seconds is None
    lore.set_budget(name, 2, period=None)
    with pytest.raises(pglore.BudgetSpent):
        open_client(user=name).embed("a text of too many tokens")
    assert lore.drop_budget(name) and not lore.drop_budget(name)


def test_rights_are_granted_and_taken(lore, open_client, role):
    name = role("lore_reader")
    lore.revoke_model("extractive", "public")
    try:
        lore.grant_model("extractive", name)
        assert pglore.ModelGrant("extractive", name) in lore.model_grants()
        lore.revoke_model("extractive", name)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            open_client(user=name).generate("a prompt")
    finally:
        lore.grant_model("extractive", "public")


def test_the_cache_is_switched_on_looked_into_and_cleared(lore, writer):
    lore.result_cache()
    first = lore.generate("abc", model="writer", max_tokens=4)
    assert lore.generate("abc", model="writer", max_tokens=4) == first
    (found,) = lore.cached_results()
    assert (found.operation, found.model, found.result["text"]) == ("generate", "writer", first)
    assert lore.cache_clear("another") == 0 and lore.cache_clear("writer", unused_for=timedelta(0)) == 1
    lore.set_cache_size(1)
    lore.result_cache(False)
    lore.generate("abc", model="writer", max_tokens=4)
    assert lore.cached_results() == []
