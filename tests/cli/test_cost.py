"""`pglore calls`, `budgets`, `cache`, `estimate`, and `models grant`."""

import json


def test_calls_budgets_cache_and_estimates_are_printed(pglore, db):
    db.execute("SELECT lore.embed('a text')")
    assert "all-minilm-l6-v2" in pglore("calls", "-n", "3").output
    assert json.loads(pglore("calls", "-n", "1", "--json").output)[0]["outcome"] == "ok"
    assert "read" in pglore("estimate", "embed", "pg_am", "amname").output
    assert json.loads(pglore("estimate", "embed", "pg_am", "amname", "--json").output)["exact"] is True
    pglore("budgets", "set", "postgres", "--tokens", "100000000", "--hours", "1")
    try:
        assert json.loads(pglore("budgets", "--json").output)[0]["tokens"] == 100000000
        assert "100000000" in pglore("budgets").output
    finally:
        assert "postgres" in pglore("budgets", "drop", "postgres").output
    assert "role" in pglore("cache").output
    assert json.loads(pglore("cache", "clear", "--json").output) == {"removed": 0}
    pglore("cache", "size", "256")
    pglore("models", "grant", "extractive", "public")
