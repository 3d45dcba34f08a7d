"""The catalog lint: every object of the extension is labelled, commented, closed to PUBLIC and safe to call."""

import re

import psycopg
import pytest

# Functions that run with their owner's rights, each with its reason in the SQL file.
SECURITY_DEFINERS = {"_load", "_rebuild_keyword_index", "_evict_results"}
# Functions that only name others, in a hint or in a statement that they return as text, and run none of them.
NAMING_ONLY = {"_open", "_require_document", "_search_statement", "_reranked", "_doctor_server", "_doctor_indexes"}
PYTHON_FUNCTIONS = {
    "_load", "_embed", "_host", "_stream", "_admin", "_spelling", "_stop_words", "_wording", "_run_planned"
}  # fmt: skip
SEARCH_PATH = "search_path=pg_catalog, pg_temp"

MEMBERS = """
    SELECT {columns} FROM pg_depend d JOIN {catalog} o ON o.oid = d.objid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = '{catalog}'::regclass AND d.deptype = 'e'
      AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pglore')
"""


def members(db: psycopg.Connection, catalog: str, columns: str) -> list[tuple]:
    """Rows of a system catalog that belong to the extension."""
    return db.execute(MEMBERS.format(catalog=catalog, columns=columns)).fetchall()


@pytest.fixture
def functions(db) -> list[dict]:
    """Every function of the extension but its aggregates, which have neither a body nor settings of their own."""
    columns = (
        "oid",
        "signature",
        "name",
        "language",
        "volatility",
        "parallel",
        "definer",
        "config",
        "source",
        "comment",
        "kind",
    )
    rows = members(
        db,
        "pg_proc",
        """o.oid, o.oid::regprocedure::text, o.proname,
        (SELECT lanname FROM pg_language l WHERE l.oid = o.prolang), o.provolatile, o.proparallel, o.prosecdef,
        o.proconfig, o.prosrc, obj_description(o.oid, 'pg_proc'), o.prokind""",
    )
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    return [function for function in found if function["kind"] != "a"]


def views(db: psycopg.Connection) -> dict[str, str]:
    """The extension's views and their definitions."""
    return dict(members(db, "pg_class", "o.relname, pg_get_viewdef(o.oid)"))


def reaching_python(functions: list[dict], views: dict[str, str]) -> set[str]:
    """Names of functions that are PL/Python or whose source names one that is, directly or through others and views."""
    sources = dict(views)
    for function in functions:
        if function["name"] in NAMING_ONLY:
            continue
        sources[function["name"]] = sources.get(function["name"], "") + function["source"]
    reached = {function["name"] for function in functions if function["language"] == "plpython3u"}
    while True:
        more = {
            name
            for name, source in sources.items()
            if name not in reached and any(re.search(rf"\blore\.{re.escape(other)}\b", source) for other in reached)
        }
        if not more:
            return reached
        reached |= more


def test_the_extension_has_functions(functions):
    assert {"embed", "rerank", "generate", "chunk", "host_status"} <= {function["name"] for function in functions}


def test_every_function_pins_the_search_path(functions):
    assert [f["signature"] for f in functions if SEARCH_PATH not in (f["config"] or [])] == []


def test_nothing_that_asks_a_model_or_reads_a_table_is_immutable(db, functions):
    """An immutable call may be run when a statement is planned, and its result kept: only pure helpers may be."""
    immutable = [f for f in functions if f["volatility"] == "i"]
    reached = reaching_python(functions, views(db))
    assert [f["signature"] for f in immutable if f["name"] in reached or f["language"] != "sql"] == []
    assert [f["signature"] for f in immutable if re.search(r"lore_data|pg_\w*\.|\bFROM +lore", f["source"])] == []
    assert [f["signature"] for f in immutable if not f["name"].startswith("_")] == []


def test_every_aggregate_is_commented_and_stays_in_its_backend(db):
    rows = members(db, "pg_proc", "o.proname, o.prokind, o.proparallel, obj_description(o.oid, 'pg_proc')")
    aggregates = [row for row in rows if row[1] == "a"]
    assert {row[0] for row in aggregates} == {"summarize_agg", "answer_agg", "classify_agg"}
    assert [row for row in aggregates if row[2] != "u" or not row[3]] == []


def test_every_function_is_commented(functions):
    assert [f["signature"] for f in functions if not f["comment"]] == []


def test_all_that_reaches_python_is_parallel_unsafe(db, functions):
    reached = reaching_python(functions, views(db))
    assert {"embed", "rerank", "models", "host_status", "_call"} <= reached
    assert [f["signature"] for f in functions if f["name"] in reached and f["parallel"] != "u"] == []


def test_only_the_bridge_is_python_and_its_bodies_are_short(functions):
    python = [f for f in functions if f["language"] == "plpython3u"]
    assert {f["name"] for f in python} == PYTHON_FUNCTIONS
    assert [f["signature"] for f in python if len(f["source"].strip().splitlines()) > 5] == []


def test_whatever_runs_a_search_runs_it_with_the_same_settings(functions):
    settings = {f["name"]: sorted(f["config"]) for f in functions if any("hnsw." in one for one in f["config"] or ())}
    assert {"_search", "_measured", "explain_search"} <= set(settings)
    assert {name for name, own in settings.items() if own != settings["_search"]} == set()


def test_few_functions_run_with_their_owners_rights(functions):
    assert {f["name"] for f in functions if f["definer"]} == SECURITY_DEFINERS


def test_every_relation_type_and_schema_is_commented(db):
    relations = members(db, "pg_class", "o.oid::regclass::text, obj_description(o.oid, 'pg_class'), o.relkind")
    types = members(db, "pg_type", "o.oid::regtype::text, obj_description(o.oid, 'pg_type'), o.typtype")
    schemas = members(db, "pg_namespace", "o.nspname, obj_description(o.oid, 'pg_namespace')")
    assert [name for name, comment, kind in relations if kind != "c" and not comment] == []
    # A view's row type and every array type come of themselves and carry no comment.
    own = [
        (name, comment)
        for name, comment, kind in types
        if not name.endswith("[]") and name not in {relation for relation, _, kind in relations if kind != "c"}
    ]
    assert [name for name, comment in own if not comment] == []
    assert schemas and all(comment for _, comment in schemas)


def test_every_column_of_a_view_is_commented(db):
    columns = members(
        db,
        "pg_class",
        """o.oid::regclass::text || '.' || (unnest(ARRAY(
        SELECT attname FROM pg_attribute a WHERE a.attrelid = o.oid AND o.relkind = 'v' AND attnum > 0
          AND col_description(o.oid, attnum) IS NULL)))""",
    )
    assert columns == []


@pytest.mark.parametrize(
    ("catalog", "columns"),
    [
        ("pg_proc", "o.oid::regprocedure::text, o.proacl::text[], acldefault('f', o.proowner)::text[]"),
        ("pg_class", "o.oid::regclass::text, o.relacl::text[], acldefault('r', o.relowner)::text[]"),
        ("pg_namespace", "o.nspname, o.nspacl::text[], acldefault('n', o.nspowner)::text[]"),
        ("pg_type", "o.oid::regtype::text, o.typacl::text[], acldefault('T', o.typowner)::text[]"),
    ],
)
def test_public_may_nothing(db, catalog, columns):
    """An access list without a role before the = is PUBLIC's; no list at all means the defaults."""
    open_to_all = []
    views = {name for name, *_ in members(db, "pg_class", "o.oid::regclass::text")} if catalog == "pg_type" else set()
    for name, given, default in members(db, catalog, columns):
        if any(entry.startswith("=") for entry in (given if given is not None else default)):
            open_to_all.append(name)
    of_themselves = {name for name in open_to_all if name.endswith("[]")} | (views if catalog == "pg_type" else set())
    assert [name for name in open_to_all if name not in of_themselves] == []


def test_every_function_is_granted_to_a_role_of_pglore(db):
    rows = members(db, "pg_proc", "o.oid::regprocedure::text, o.proacl::text[]")
    without = [
        name for name, acl in rows if not any(re.match(r"lore_(reader|writer|admin)=X", entry) for entry in acl or [])
    ]
    assert without == []


def test_every_argument_has_a_name(db):
    rows = members(db, "pg_proc", "o.oid::regprocedure::text, o.pronargs, o.proargnames, o.prorettype::regtype::text")
    assert [
        name
        for name, count, names, kind in rows
        if kind != "trigger" and count and (not names or not all(names[:count]))
    ] == []
