"""Every error of sql/errcodes.txt has an exception of its name, reached through the server."""

from functools import partial
from pathlib import Path

import psycopg
import pytest

import pglore
from pglore import errors
from pglore.call import FLAGS, JSON, LONG, MANY, NUMBERS, TEXTS, WHOLE

ROOT = Path(__file__).resolve().parents[2]
LISTED = [
    [cell.strip() for cell in line.split("|")]
    for line in (ROOT / "sql" / "errcodes.txt").read_text().splitlines()
    if line.startswith("LO")
]
RAISE = b"SELECT lore._raise(%s, %s, %s)"


def exception_of(name: str) -> type[pglore.Error]:
    return getattr(errors, "".join(word.capitalize() for word in name.split("_")))


def test_the_list_and_the_exceptions_are_the_same():
    assert {code: exception_of(name) for code, name, *_ in LISTED} == errors._BY_SQLSTATE


def test_try_again_holds_exactly_what_the_list_says_may_succeed_later():
    again = {exception_of(name) for _, name, again, *_ in LISTED if again == "yes"}
    assert {kind for kind in errors._BY_SQLSTATE.values() if issubclass(kind, pglore.TryAgain)} == again


def test_the_drawn_tree_shows_every_exception():
    lines = [line.split("+-- ")[-1].split()[:2] for line in errors.__doc__.splitlines()]
    assert [name for code, name, *_ in LISTED if [exception_of(name).__name__, code] not in lines] == ["internal_error"]


@pytest.mark.parametrize(("code", "name"), [(row[0], row[1]) for row in LISTED])
def test_a_listed_error_arrives_as_its_exception_with_message_hint_and_cause(lore, code, name):
    with pytest.raises(exception_of(name)) as caught:
        run(lore, code, 'it is 100 % "broken"', "mend it")
    assert str(caught.value) == 'it is 100 % "broken"'
    assert (caught.value.sqlstate, caught.value.hint) == (code, "mend it")
    assert isinstance(caught.value.__cause__, psycopg.Error)


def test_a_code_of_a_newer_server_arrives_as_the_base_of_its_class(lore):
    with pytest.raises(pglore.TryAgain) as caught:
        run(lore, "LO399", "later", None)
    assert (type(caught.value), caught.value.sqlstate, caught.value.hint) == (pglore.TryAgain, "LO399", None)


def test_an_error_of_postgresql_stays_the_drivers(lore):
    with pytest.raises(psycopg.errors.DivisionByZero):
        run(lore, "22012", "division by zero", None)


def test_a_cancelled_statement_stays_the_drivers(lore, pages):
    with pytest.raises(psycopg.errors.QueryCanceled):
        run(lore, "57014", "canceling statement due to statement timeout", None)


def test_a_database_without_the_extension_says_how_to_get_it(db, open_client):
    db.execute("DROP EXTENSION pglore CASCADE")
    with pytest.raises(pglore.ExtensionMissing) as caught:
        open_client().tokens("text")
    assert "CREATE EXTENSION pglore" in caught.value.hint


def test_a_database_without_the_catalog_says_how_to_get_it(db, open_client):
    from pglore_migrations import downgrade

    downgrade(db)
    with pytest.raises(pglore.CatalogMissing) as caught:
        open_client().create_collection("pages")
    assert "pglore init" in caught.value.hint


def test_text_that_postgresql_cannot_hold_is_a_bad_argument(lore, pages):
    with pytest.raises(pglore.BadArgument):
        lore.tokens("a\0b")
    with pytest.raises(pglore.BadArgument):
        lore.tokens("\ud800")
    with pytest.raises(pglore.BadArgument):
        pages.add("key", "text", {"not JSON": object()})
    with pytest.raises(pglore.BadArgument):
        pages.add("key", "text", {"not JSON": float("nan")})
    for text in ("a\0b", "\\\0", "\ud800"):
        with pytest.raises(pglore.BadArgument):
            pages.evaluate({"q": text}, {"q": {"key": 1}})
        with pytest.raises(pglore.BadArgument):
            pages.search("text", filter={text: 1})
    pages.add("key", "text", {"title": "\\u0000 is no NUL, 🙂 is whole"})


def run(lore, code, message, hint):
    lore._rows((RAISE, [code, message, hint]))


def test_what_is_no_text_is_told_by_the_arguments_name(lore):
    for call, message in {
        lambda: lore.generate(b"x"): "prompts is neither a text nor a list of texts: bytes",
        lambda: lore.generate(5): "prompts is neither a text nor a list of texts: int",
        lambda: lore.generate("x", model=5): "model is not a text: int",
        lambda: lore.generate(["a", 5]): r"prompts\[1\] is not a text: int",
        lambda: lore.embed([b"x"]): r"inputs\[0\] is not a text: bytes",
        lambda: lore.similarity("a", 5): "b is not a text: int",
        lambda: lore.collection("x").search(5): "query is not a text: int",
        lambda: lore.collection("x").add(1, "a"): "key is not a text: int",
        lambda: lore.collection("x").remove([1]): r"keys\[0\] is not a text: int",
        lambda: lore.search_all("x", "a"): "collections is a single text",
    }.items():
        with pytest.raises(pglore.BadArgument, match=message) as caught:
            call()
        assert caught.value.hint


def test_the_types_of_arguments_are_those_of_the_server(lore):
    statement = b"""SELECT a.name, array_agg(DISTINCT a.type::regtype::text) AS types
        FROM pg_proc AS p, unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[]) AS a(name, type)
        WHERE p.pronamespace = 'lore'::regnamespace AND p.proname !~ '^_' GROUP BY a.name"""
    types = {row["name"]: row["types"] for row in lore._rows((statement, []))}

    def named(kind):
        return {name for name, found in types.items() if found == [kind]}

    assert named("text") == TEXTS
    assert {name for name, found in types.items() if "text[]" in found} >= MANY
    assert named("jsonb") == JSON
    assert named("integer") == WHOLE
    assert named("bigint") == LONG - {"evaluation"}  # a column
    assert named("double precision") == NUMBERS
    assert named("boolean") == FLAGS


WRONG = {
    "filter": ([], "x", False, 0, [1], ["a"]),
    "weights": ([], "x", False, 0, [1]),
    "k": ("5", 1.5, True, [], {}, 2**31, float("nan"), object()),
    "per_document": ("", 2**40, [1]),
    "diversity": ("0.5", False, [], {}),
    "vector": ([], "abc", 5, [float("nan")], ["x"], [[1]]),
    "mode": (5, [], b"hybrid"),
}


def test_a_value_of_a_wrong_type_is_the_callers_error(lore, pages):
    for search in (pages.search, pages.search_sql, pages.explain_search, partial(lore.search_all, ["pages"])):
        for name, values in WRONG.items():
            for value in values:
                with pytest.raises(pglore.CallerError) as caught:
                    search("x", **{name: value})
                assert caught.value.hint and name in str(caught.value), (name, value)
    with pytest.raises(pglore.BadFilter):
        pages.search("x", filter=[])
    judged = {"q": "a"}, {"q": {"a": 1}}
    for call in (
        lambda: lore.evaluations(5),
        lambda: lore.evaluation_queries("x"),
        lambda: lore.golden(5),
        lambda: pages.evaluate(["a"], judged[1]),
        lambda: pages.evaluate(judged[0], []),
        lambda: pages.evaluate(*judged, variants=[]),
        lambda: pages.evaluate(*judged, keep="x"),
        lambda: pages.add("key", "text", []),
        lambda: pages.add_many(["a text"]),
        lambda: pages.add_many([("key", "text"), ("key",)]),
        lambda: pages.add_many([("key", b"text")]),
        lambda: pages.add_many([("key", "text", 5)]),
        lambda: pages.add_many([{"key": "a", "text": "b"}]),
        lambda: pages.index_sql("hnsw", []),
    ):
        with pytest.raises(pglore.BadArgument) as caught:
            call()
        assert caught.value.hint
    assert pages.search("backup", k=2, filter={}, weights={}, diversity=0)
