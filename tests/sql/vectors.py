"""A collection with vectors of its own making: thousands of chunks without embedding a text."""

import json

FILL = """
SELECT lore.create_collection('points', keyword => 'tsvector', filterable => '{part}', metric => %(metric)s);
INSERT INTO lore_data.points_documents (key, content, metadata, content_hash)
SELECT 'k' || i, 'point ' || i, jsonb_build_object('part', i %% 100, 'n', i), ''
FROM generate_series(1, %(rows)s) AS i;
SELECT setseed(0.5);
CREATE TEMP TABLE centres AS
SELECT g, ARRAY(SELECT random() - 0.5 FROM generate_series(1, 384) WHERE g IS NOT NULL) AS v
FROM generate_series(0, 49) AS g;
INSERT INTO lore_data.points_chunks (document_id, ordinal, span, content, tokens, embedding, fingerprint, search)
SELECT d.id, 0, '[0,4)', d.content, 2,
       l2_normalize(ARRAY(SELECT x + (random() - 0.5) FROM unnest(c.v) AS x)::vector), 'made', ''
FROM lore_data.points_documents AS d JOIN centres AS c ON c.g = d.id * 7 %% 50;
ANALYZE lore_data.points_documents, lore_data.points_chunks;
"""


def points(db, rows=4000, metric="cosine"):
    """Make the collection `points`: documents k1, k2, ... of one chunk each, with metadata part (0 to 99) and n."""
    for statement in FILL.split(";\n")[:-1]:
        db.execute(statement, {"rows": rows, "metric": metric})


def vector_of(db, key):
    """The vector of a document, as text."""
    return db.execute(
        "SELECT embedding::text FROM lore_data.points_chunks JOIN lore_data.points_documents AS d "
        "ON d.id = document_id WHERE key = %s",
        [key],
    ).fetchone()[0]


def nearest(db, vector, **arguments):
    """The keys that lore.search finds for a vector, best first."""
    values = {name: json.dumps(value) if name == "filter" else value for name, value in arguments.items()}
    named = "".join(f", {name} => %({name})s" for name in arguments)
    rows = db.execute(
        f"SELECT key FROM lore.search('points', NULL, vector => %(vector)s::vector{named}) ORDER BY rank",
        {"vector": vector, **values},
    ).fetchall()
    return [key for (key,) in rows]


def extension(db, name):
    """Install an extension in the test's database, or skip the test."""
    import psycopg
    import pytest

    try:
        db.execute(f"CREATE EXTENSION IF NOT EXISTS {name} CASCADE")
    except psycopg.Error as error:
        pytest.skip(f"{name} cannot be had: {error}")
