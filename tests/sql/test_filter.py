"""Filters: their meaning, checked against a reading of the filter in Python, and what is refused."""

import json
import os
import random

import psycopg
import pytest


def items(document, path):
    """What a path reaches in lax mode: arrays are opened on the way, and once at the end."""
    found = [document]
    for name in path.split("."):
        opened = [item for value in found for item in (value if isinstance(value, list) else [value])]
        found = [item[name] for item in opened if isinstance(item, dict) and name in item]
    return found


def opened(found):
    return [item for value in found for item in (value if isinstance(value, list) else [value])]


def kind(value):
    return "bool" if isinstance(value, bool) else "number" if isinstance(value, (int, float)) else type(value).__name__


def compare(operator, a, b):
    if kind(a) != kind(b) or kind(a) in ("dict", "list"):
        return False
    if operator == "$eq":
        return a == b
    if isinstance(a, str):
        a, b = a.encode(), b.encode()
    return {"$gt": a > b, "$gte": a >= b, "$lt": a < b, "$lte": a <= b}[operator]


def field(document, path, tests):
    if not isinstance(tests, dict):
        tests = {"$eq": tests}
    found = items(document, path)
    results = []
    for operator, value in tests.items():
        if operator == "$exists":
            results.append(bool(found) == value)
        elif operator == "$not":
            results.append(not field(document, path, value))
        elif operator in ("$in", "$nin"):
            results.append(any(compare("$eq", a, b) for a in opened(found) for b in value) == (operator == "$in"))
        elif operator == "$ne":
            results.append(not any(compare("$eq", a, value) for a in opened(found)))
        else:
            results.append(any(compare(operator, a, value) for a in opened(found)))
    return all(results)


def matches(document, filter):
    """A filter as Python reads it."""
    results = []
    for name, value in filter.items():
        if name == "$and":
            results.append(all(matches(document, part) for part in value))
        elif name == "$or":
            results.append(any(matches(document, part) for part in value))
        elif name == "$not":
            results.append(not matches(document, value))
        else:
            results.append(field(document, name, value))
    return all(results)


FUZZ = int(os.environ.get("PGLORE_FUZZ", 1000))  # filters of chance, half of them hostile
WORDS = [
    "a",
    "b",
    'x"y',
    "it's",
    "%s",
    "\\",
    "é",
    "𝄞",
    "\n\t\x01",
    "$",
    "$a",
    "a b",
    '") || true',
    "'; DROP TABLE y; --",
    "",
    "true",
]
FIELDS = ["a", "b", "c.d", "c", 'x"y', "it's", "%s", "é𝄞", "\\", "a b", "1", '"', "d.e.f"]


def scalar(rng):
    return rng.choice([rng.choice(WORDS), rng.randint(-3, 3), rng.random(), 1e300, -0.0, 10**40, True, False, None])


def document(rng, depth=0):
    def value():
        turn = rng.random()
        if turn < 0.6 or depth > 2:
            return scalar(rng)
        return [value() for _ in range(rng.randint(0, 3))] if turn < 0.8 else document(rng, depth + 1)

    names = ["a", "b", "c", "d", "e", "f", 'x"y', "it's", "%s", "é𝄞", "\\", "a b", "1", '"']
    return {name: value() for name in rng.sample(names, rng.randint(0, 6))}


def operators(rng, depth=0):
    ordered = lambda: rng.choice([rng.choice(WORDS), rng.randint(-3, 3), rng.random()])  # noqa: E731
    made = {
        "$eq": lambda: scalar(rng),
        "$ne": lambda: scalar(rng),
        "$gt": ordered,
        "$gte": ordered,
        "$lt": ordered,
        "$lte": ordered,
        "$in": lambda: [scalar(rng) for _ in range(rng.randint(0, 4))],
        "$nin": lambda: [scalar(rng) for _ in range(rng.randint(0, 4))],
        "$exists": lambda: rng.random() < 0.5,
        "$not": lambda: operators(rng, depth + 1) if depth < 2 else {"$exists": True},
    }
    if rng.random() < 0.4 and depth == 0:
        return scalar(rng)
    return {name: made[name]() for name in rng.sample(list(made), rng.randint(1, 3))}


def random_filter(rng, depth=0):
    parts = {}
    for _ in range(rng.randint(0, 3)):
        turn = rng.random()
        if turn < 0.2 and depth < 3:
            parts[rng.choice(["$and", "$or"])] = [random_filter(rng, depth + 1) for _ in range(rng.randint(1, 3))]
        elif turn < 0.3 and depth < 3:
            parts["$not"] = random_filter(rng, depth + 1)
        else:
            parts[rng.choice(FIELDS)] = operators(rng)
    return parts


def test_a_filter_means_what_its_reading_in_python_means(db):
    rng = random.Random(7)
    documents = [document(rng) for _ in range(60)]
    db.execute(
        "CREATE TABLE documents AS SELECT i, d FROM unnest(%s::jsonb[]) WITH ORDINALITY AS u(d, i)",
        [[json.dumps(d) for d in documents]],
    )
    passed = 0
    for _ in range(FUZZ // 2):
        filter = random_filter(rng)
        statement = (
            "SELECT array_agg(i ORDER BY i) FROM documents, (SELECT lore._filter(%s) AS path OFFSET 0) AS f "
            "WHERE path IS NULL OR d @@ path"
        )
        found = db.execute(statement, [json.dumps(filter)]).fetchone()[0] or []
        expected = [i for i, d in enumerate(documents, 1) if matches(d, filter)]
        assert found == expected, json.dumps(filter)
        passed += 0 < len(expected) < len(documents)
    assert passed > FUZZ / 30  # the filters divide the documents


def test_a_broken_filter_is_refused_never_a_syntax_error(db, fails):
    rng = random.Random(8)
    good = [random_filter(rng) for _ in range(150)]
    for filter in good:
        text = json.dumps(filter)
        if len(text) < 5:
            continue
        at = rng.randrange(1, len(text) - 1)
        broken = text[:at] + rng.choice(["$", "[]", "{}", '"', "null", ":", "1", ".", "}"]) + text[at + 1 :]
        try:
            json.loads(broken)
        except ValueError:
            continue
        try:
            db.execute("SELECT lore._filter(%s)", [broken])
        except Exception as error:
            assert error.sqlstate == "LO104", broken


HOSTILE = [
    *WORDS, "$eq", "$in", "$not", "$or", "$exists", "$ne", "$.a ? (@ == 1)", "a == 1 || true", "$a.b", "..", "a.", "*",
    "a[*]", "like_regex", "\ufffe", "@", "last", "c.d", "$[*]", "x" * 300, "-- ", "/* ", "%(a)s", "$1",
]  # fmt: skip


def hostile(rng, depth=0):
    """JSON of any shape, with operators and pieces of jsonpath and SQL in every place."""
    turn = rng.random()
    if depth and (turn < 0.5 or depth > 5):
        return rng.choice([scalar(rng), rng.choice(HOSTILE), 10**400, -1e-300])
    if depth and turn < 0.65:
        return [hostile(rng, depth + 1) for _ in range(rng.randint(0, 4))]
    return {rng.choice([*HOSTILE, *FIELDS]): hostile(rng, depth + 1) for _ in range(rng.randint(0, 3))}


def test_a_hostile_filter_is_refused_or_means_what_it_says(db):
    rng = random.Random(9)
    documents = [document(rng) for _ in range(40)]
    db.execute(
        "CREATE TABLE documents AS SELECT i, d FROM unnest(%s::jsonb[]) WITH ORDINALITY AS u(d, i)",
        [[json.dumps(d) for d in documents]],
    )
    statement = (
        "SELECT array_agg(i ORDER BY i) FROM documents, (SELECT lore._filter(%s) AS path OFFSET 0) AS f "
        "WHERE path IS NULL OR d @@ path"
    )
    read = 0
    for _ in range(FUZZ - FUZZ // 2):
        filter = hostile(rng)
        try:
            found = db.execute(statement, [json.dumps(filter)]).fetchone()[0] or []
        except psycopg.Error as error:
            assert error.sqlstate == "LO104", json.dumps(filter)
            continue
        assert found == [i for i, d in enumerate(documents, 1) if matches(d, filter)], json.dumps(filter)
        read += 1
    assert read > FUZZ / 20


REFUSED = [
    "[]", '"text"', "1", "null", '{"$or": []}', '{"$and": {}}', '{"$or": [1]}', '{"$not": []}', '{"a": []}',
    '{"a": {}}', '{"a": {"b": 1}}',
    '{"a": {"$regex": "x"}}', '{"$where": "x"}', '{"": 1}', '{"a..b": 1}', '{".a": 1}', '{"a": {"$gt": null}}',
    '{"a": {"$gt": true}}',
    '{"a": {"$in": 1}}', '{"a": {"$in": [[1]]}}', '{"a": {"$exists": 1}}', '{"a": {"$eq": {"b": 1}}}',
    '{"a": {"$not": 1, "$x": 2}}', '{"$gt": 1}',
]  # fmt: skip


def test_what_is_no_filter_is_refused_with_a_hint(db, fails):
    db.execute("SELECT lore.create_collection('c'), lore.add('c', 'k', 'text')")
    codes = {text: fails("SELECT * FROM lore.search('c', 'text', filter => %s)", [text]) for text in REFUSED}
    assert codes == dict.fromkeys(REFUSED, "LO104")


@pytest.mark.parametrize("size", ["long", "deep", "wide", "named", "dotted"])
def test_a_filter_has_bounds(db, fails, size):
    filters = {
        "long": {"a": "x" * 70_000},
        "deep": {"a": 1},
        "wide": {"a": {"$in": list(range(1001))}},
        "named": {"a" * 1001: 1},
        "dotted": {"a." * 20 + "a": 1},
    }
    for _ in range(25 if size == "deep" else 0):
        filters["deep"] = {"$not": filters["deep"]}
    assert fails("SELECT lore._filter(%s)", [json.dumps(filters[size])]) == "LO104"
    db.execute("SELECT lore._filter(%s)", [json.dumps({"$or": [{"a": i} for i in range(1000)]})])
    db.execute("SELECT lore._filter(%s)", [json.dumps({"a." * 19 + "a": 1})])
