"""Budgets: of a role and of a statement, tokens and seconds; nobody escapes by another name, a rollback or a crash."""

import threading

import psycopg
import pytest


@pytest.fixture
def spender(db, role, connect):
    """A connection of a role of its own, whose budget goes with the test."""
    name = role("lore_reader")
    yield connect(user=name)
    with psycopg.connect(db.info.dsn, autocommit=True) as owner:
        owner.execute("SELECT lore.drop_budget(%s)", [name])


def spent(db, role):
    return db.execute("SELECT tokens_spent FROM lore.budgets WHERE role = %s", [role]).fetchone()[0]


def test_a_role_spends_its_tokens_and_no_more(db, spender, fails):
    name = spender.info.user
    db.execute("SELECT lore.set_budget(%s, tokens => 12)", [name])
    spender.execute("SELECT lore.embed('one two three')")  # five with the special tokens
    spender.execute("SELECT lore.embed('one two three')")
    assert spent(db, name) == 10
    assert fails("SELECT lore.embed('one two three')", on=spender) == "LO304"
    assert fails("SELECT * FROM lore.rerank('one two', ARRAY['three'])", on=spender) == "LO304"
    assert fails("SELECT lore.embed(ARRAY['one two three', 'four'])", on=spender) == "LO304"
    assert spent(db, name) == 10
    assert spender.execute("SELECT role, tokens, tokens_spent FROM lore.budgets").fetchall() == [(name, 12, 10)]
    db.execute("SELECT lore.embed('another role goes on')")
    assert (
        db.execute("SELECT count(*) FROM lore.calls WHERE role = %s AND outcome = 'LO304'", [name]).fetchone()[0] == 3
    )


def test_what_is_spent_survives_a_rollback_a_larger_budget_and_a_killed_host(db, spender, host, fails):
    name = spender.info.user
    db.execute("SELECT lore.set_budget(%s, tokens => 10)", [name])
    with spender.transaction(force_rollback=True):
        spender.execute("SELECT lore.embed('one two three')")
    db.execute("SELECT lore.set_budget(%s, tokens => 11)", [name])
    db.execute("SELECT count(*) FROM lore.calls")  # written by then
    host.kill()
    assert spent(db, name) == 5
    spender.execute("SELECT lore.embed('one two three')")
    assert fails("SELECT lore.embed('one two three')", on=spender) == "LO304"


def test_set_role_and_security_definer_leave_no_budget_behind(db, role, spender, fails):
    name, other = spender.info.user, role("lore_reader")
    db.execute(f"GRANT {other} TO {name}")
    db.execute(f"""
        CREATE FUNCTION public.wrapped() RETURNS vector LANGUAGE sql SECURITY DEFINER
            AS $$SELECT lore.embed('one two three')$$;
        ALTER FUNCTION public.wrapped() OWNER TO {other}""")
    db.execute("SELECT lore.set_budget(%s, tokens => 5)", [name])
    spender.execute("SELECT public.wrapped()")
    assert fails("SELECT public.wrapped()", on=spender) == "LO304"
    spender.execute(f"SET ROLE {other}")
    assert fails("SELECT lore.embed('one two three')", on=spender) == "LO304"


def test_a_statement_has_a_budget_of_its_own(db, spender, fails):
    db.execute("SELECT lore.set_budget(%s, per_statement_tokens => 5)", [spender.info.user])
    for _ in range(2):
        spender.execute("SELECT lore.embed('one two three')")
    assert (
        fails("SELECT lore.embed('one two three') FROM generate_series(1, 2) AS i WHERE i > random()", on=spender)
        == "LO304"
    )
    assert (
        fails("DO $$ BEGIN PERFORM lore.embed('one two'); PERFORM lore.embed('three'); END $$", on=spender) == "LO304"
    )


def test_a_text_that_is_being_written_ends_where_the_budget_does(db, spender, writer, fails, idle):
    name = spender.info.user
    db.execute("SELECT lore.set_budget(%s, tokens => 60)", [name])
    generate = "lore.generate('abc', model => 'writer', max_tokens => 100000)"
    assert fails(f"SELECT {generate}", on=spender) == "LO304"
    assert 60 <= spent(db, name) <= 70
    assert fails("SELECT text FROM lore.generate_stream('abc', model => 'writer')", on=spender) == "LO304"
    assert fails("SELECT lore.generate('{a,b}'::text[], model => 'writer')", on=spender) == "LO304"


def test_a_budget_of_seconds_ends_what_takes_longer(db, spender, writer, fails):
    db.execute("SELECT lore.set_budget(%s, per_statement_seconds => 0.5)", [spender.info.user])
    given = "'abc', model => 'writer', max_tokens => 100000"
    assert fails(f"SELECT lore.generate({given})", on=spender) == "LO304"
    assert fails(f"SELECT text FROM lore.generate_stream({given})", on=spender) == "LO304"
    outcomes = db.execute("SELECT outcome FROM lore.calls WHERE role = %s", [spender.info.user]).fetchall()
    assert outcomes == [("LO304",)] * 2


def test_many_connections_of_a_role_spend_one_budget(db, spender, connect):
    name = spender.info.user
    db.execute("SELECT lore.set_budget(%s, tokens => 100)", [name])
    codes = []

    def spend(session):
        for _ in range(5):
            try:
                session.execute("SELECT lore.embed('one two three')")
                codes.append("ok")
            except psycopg.Error as error:
                codes.append(error.sqlstate)

    threads = [threading.Thread(target=spend, args=(connect(user=name),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (codes.count("ok"), codes.count("LO304"), spent(db, name)) == (20, 10, 100)


def test_public_is_each_role_without_a_budget_of_its_own(db, role, connect, spender, fails):
    db.execute("SELECT lore.set_budget('public', tokens => 5)")
    try:
        db.execute("SELECT lore.set_budget(%s, tokens => 10)", [spender.info.user])
        for _ in range(2):
            spender.execute("SELECT lore.embed('one two three')")
        other = connect(user=role("lore_reader"))
        other.execute("SELECT lore.embed('one two three')")
        assert fails("SELECT lore.embed('one two three')", on=other) == "LO304"
        assert db.execute("SELECT tokens_spent FROM lore.budgets WHERE role = 'public'").fetchone()[0] is None
    finally:
        db.execute("SELECT lore.drop_budget('public')")


def test_budgets_are_the_admins_and_must_be_sensible(db, spender, fails):
    name = spender.info.user
    assert fails("SELECT lore.set_budget('postgres', 1)", on=spender) == "42501"
    assert fails("SELECT lore.drop_budget('postgres')", on=spender) == "42501"
    assert fails("SELECT lore._call('set_budget', '{\"role\": 10, \"tokens\": 1}')", on=spender) == "LO103"
    for wrong in (
        "'nobody of that name', 5",
        "NULL, 5",
        f"'{name}'",
        f"'{name}', -1",
        f"'{name}', 5, period => '-1 day'",
    ):
        assert fails(f"SELECT lore.set_budget({wrong})") == "LO103"
    assert spender.execute("TABLE lore.budgets").fetchall() == []
    assert db.execute("SELECT lore.drop_budget(%s)", [name]).fetchone()[0] is False
