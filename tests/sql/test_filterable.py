"""Filterable fields: their indexes serve filters, and change what no filter means."""

import json

from .test_filter import matches
from .vectors import points, vector_of

VALUES = [
    1, 2, 2.5, 3, -1, 10**20, "2", "b", "", True, False, None, [], [1], [1, 9], ["2", 2], [[2]], [True],
    {"a": 2}, [{"a": 2}], [None],
]  # fmt: skip
FILTERS = [
    {"year": {"$gt": 2}}, {"year": {"$gte": 2}}, {"year": {"$lt": 2}}, {"year": {"$lte": 2, "$gt": -5}},
    {"year": {"$gte": 2, "$lte": 2}}, {"year": {"$lt": 3, "$ne": 1}}, {"year": 2}, {"year": "2"},
    {"year": {"$in": [1, None]}},
    {"year": {"$gt": "a"}}, {"year": {"$lt": 2}, "other": {"$gte": 1}}, {"$not": {"year": {"$lt": 2}}},
    {"year": {"$not": {"$lt": 2}}}, {"$or": [{"year": {"$gt": 2}}, {"other": 1}]}, {"year.a": {"$gte": 2}},
    {"year.a": 2},
    {"year": {"$gt": 1, "$lt": "b"}}, {"year": {"$exists": False}}, {"year": {"$nin": [1]}},
]  # fmt: skip


def test_an_index_changes_no_filter(db):
    documents = [{"year": value, "other": place % 3} for place, value in enumerate(VALUES)] + [{"other": 1}, {}]
    for name, fields in [("plain", []), ("indexed", ["year", "other", "year.a"])]:
        db.execute("SELECT lore.create_collection(%s, keyword => 'tsvector', filterable => %s)", [name, fields])
        db.execute(
            "SELECT lore.add_many(%s, %s, %s, %s::jsonb[])",
            [
                name,
                [str(place) for place in range(len(documents))],
                ["A pump."] * len(documents),
                [json.dumps(document) for document in documents],
            ],
        )
    db.execute("SET enable_seqscan = off")  # so that the indexes are used on few rows
    for filter in FILTERS:
        expected = {str(place) for place, document in enumerate(documents) if matches(document, filter)}
        for name in ("plain", "indexed"):
            rows = db.execute(
                "SELECT key FROM lore.search(%s, 'pump', mode => 'vector', k => 100, filter => %s)",
                [name, json.dumps(filter)],
            ).fetchall()
            assert {key for (key,) in rows} == expected, (name, filter)


def test_equality_and_ranges_of_numbers_use_the_indexes(db):
    points(db, rows=4000)
    vector = vector_of(db, "k1")
    plans = {}
    for filter in ('{"part": 5}', '{"part": {"$gte": 98}}', '{"part": {"$gte": 3, "$lt": 4}}'):
        statement = db.execute(
            "SELECT lore.search_sql('points', NULL, filter => %s, vector => %s::vector)", [filter, vector]
        ).fetchone()[0]
        plans[filter] = "\n".join(row[0] for row in db.execute(b"EXPLAIN " + statement.encode()).fetchall())
    assert "filter_1_1" in plans['{"part": 5}']
    assert "filter_1_2" in plans['{"part": {"$gte": 98}}'] and "filter_1_2" in plans['{"part": {"$gte": 3, "$lt": 4}}']


def test_what_is_no_field_is_refused(db, fails):
    for fields in (["$or"], [""], ["a..b"], [None], ["x"] * 33):
        assert fails("SELECT lore.create_collection('c', filterable => %s)", [fields]) in ("LO103", "LO104")
    hostile = ["it's", 'x"y', "%s", "a b", "; DROP TABLE x", "\\"]
    db.execute("SELECT lore.create_collection('c', filterable => %s)", [hostile])
    db.execute("SELECT lore.add('c', 'k', 'text', %s)", [json.dumps(dict.fromkeys(hostile, 3))])
    rest = [json.dumps(dict.fromkeys(hostile, 0))] * 30  # few pass: an index is what finds them
    db.execute("SELECT lore.add_many('c', %s, %s, %s::jsonb[])", [[f"r{n}" for n in range(30)], ["text"] * 30, rest])
    db.execute("ANALYZE lore_data.c_documents")
    for field in hostile:
        filter = json.dumps({field: {"$gt": 2}})
        assert db.execute("SELECT key FROM lore.search('c', 'text', filter => %s)", [filter]).fetchall() == [("k",)]


def test_what_one_range_passes_is_not_what_the_next_one_does(db):
    """Ranges of a field share a plan, whose numbers are parameters."""
    points(db, rows=4000)
    vector = vector_of(db, "k1")
    for part in (*range(0, 90, 10), 3):
        filter = {"part": {"$gte": part, "$lt": part + 2}}
        found = db.execute(
            "SELECT metadata -> 'part' FROM lore.search('points', NULL, filter => %s, vector => %s::vector, k => 100)",
            [json.dumps(filter), vector],
        ).fetchall()
        assert len(found) == 80 and {value for (value,) in found} == {part, part + 1}


def test_of_two_indexes_the_one_that_finds_fewer_is_asked(db):
    points(db, rows=4000)
    vector = vector_of(db, "k1")
    plans = {}
    for filter in ({"n": 5, "part": {"$gte": 0}}, {"part": {"$gte": 0}}, {"part": {"$lt": 2}, "n": {"$gt": 0}}):
        statement = db.execute(
            "SELECT lore.search_sql('points', NULL, filter => %s, vector => %s::vector)", [json.dumps(filter), vector]
        ).fetchone()[0]
        plans[json.dumps(filter)] = statement.split("vector_arm")[0]
    one, broad, two = plans.values()
    assert "->" not in one and "IS TRUE" not in one  # the equality by the index of all fields
    assert "->" not in broad and "IS TRUE" in broad  # everything passes: all documents are read
    assert "END) < ('" in two and "IS TRUE" in two


def test_a_field_may_hold_what_no_index_row_does(db):
    db.execute("SELECT lore.create_collection('c', keyword => 'tsvector', filterable => '{year,name}')")
    long, digits = db.execute(
        "SELECT string_agg(md5(i::text), ''), string_agg((i * 7919 % 9973)::text, '') "
        "FROM generate_series(1, 2000) AS i"
    ).fetchone()
    years = [f'"{long}"', f'["{long}", 5]', f'{{"{long}": 5}}', digits, f"-{digits}", "5", f"5.{digits}"]
    for place, year in enumerate(years):
        metadata = f'{{"year": {year}, "name": "{long}"}}'
        db.execute("SELECT lore.add('c', %s, 'A pump.', %s)", [str(place), metadata])
    for _ in range(2):
        for filter, expected in [
            ('{"year": {"$gte": 5}}', ["1", "3", "5", "6"]),
            ('{"year": {"$lt": 0}}', ["4"]),
            ('{"year": {"$gt": 5, "$lt": 6}}', ["6"]),
            (f'{{"year": "{long}"}}', ["0", "1"]),
        ]:
            rows = db.execute("SELECT key FROM lore.search('c', 'pump', mode => 'vector', filter => %s)", [filter])
            assert sorted(key for (key,) in rows.fetchall()) == expected, filter[:40]
        db.execute("SET enable_seqscan = off")
    db.execute("SELECT lore.alter_collection('c', filterable => '{}')")
    assert len(db.execute("SELECT * FROM lore.alter_collection('c', filterable => '{name,year}')").fetchall()) == 1


def test_a_field_that_is_named_twice_counts_once(db):
    db.execute("SELECT lore.create_collection('c', filterable => '{year,part,year}')")
    indexes = "SELECT indexdef FROM pg_indexes WHERE tablename = 'c_documents' AND indexname LIKE 'filter%%'"
    fields = "SELECT filterable FROM lore_data.collections"
    assert len(db.execute(indexes).fetchall()) == 3 and db.execute(fields).fetchone() == (["year", "part"],)
    db.execute("SELECT lore.alter_collection('c', filterable => '{part,part}')")
    assert len(db.execute(indexes).fetchall()) == 2 and db.execute(fields).fetchone() == (["part"],)
