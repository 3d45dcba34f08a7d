"""`pglore status`, `models`, `collections`, `doctor` and `drop`."""

import json


def test_status_tells_host_and_collections(loaded):
    text = loaded("status").stdout
    assert "model host" in text and "documents  " in text
    status = json.loads(loaded("status", "--json").stdout)
    assert status["host"]["pid"] > 0
    assert status["collections"][0]["documents"] == 3


def test_status_works_without_the_catalog(pglore, db):
    from pglore_migrations import downgrade

    downgrade(db)
    assert "pglore init" in pglore("status").stdout
    assert json.loads(pglore("status", "--json").stdout)["collections"] is None


def test_models_are_tab_separated_in_a_pipe(pglore):
    head, *rows = pglore("models").stdout.splitlines()
    columns = head.split("\t")
    assert columns[:3] == ["task", "alias", "default"]
    assert all(len(row.split("\t")) == len(columns) for row in rows)
    assert {model["task"] for model in json.loads(pglore("models", "--json").stdout)} == {"embed", "rerank", "generate"}


def test_the_numbers_of_each_model_are_a_table_or_json(pglore, db):
    db.execute("SELECT lore.embed('text')")
    head, *rows = pglore("host", "metrics").stdout.splitlines()
    columns = head.split("\t")
    assert columns[:2] == ["model", "device"] and "p95 ms" in columns
    (row,) = [dict(zip(columns, row.split("\t"), strict=True)) for row in rows if row.startswith("all-minilm-l6-v2")]
    assert int(row["requests"]) > 0 and float(row["p50 ms"]) > 0 and row["engine busy"].endswith("%")
    found = json.loads(pglore("host", "metrics", "--json").stdout)
    assert "all-minilm-l6-v2" in {row["alias"] for row in found}


def test_collections_are_listed(loaded):
    head, row = loaded("collections").stdout.splitlines()
    assert head.startswith("name\tdocuments")
    assert row.startswith("documents\t3")
    assert json.loads(loaded("collections", "--json").stdout)[0]["name"] == "documents"


def test_doctor_prints_findings_and_fails_where_one_is_an_error(pglore, db):
    assert isinstance(json.loads(pglore("doctor", "--json").stdout), list)
    db.execute(
        "CREATE OR REPLACE FUNCTION lore.doctor() RETURNS TABLE (severity text, finding text, remedy text)"
        " LANGUAGE sql AS $$ VALUES ('error', 'A leg is broken.', 'Mend it.') $$"
    )
    result = pglore("doctor")
    assert result.exit_code == 1
    assert result.stdout == "error: A leg is broken.\n  Mend it.\n"


def test_drop_asks_first(loaded):
    assert loaded("drop", "documents", input="n\n").exit_code == 1
    assert loaded("drop", "documents", input="y\n").exit_code == 0
    assert loaded("drop", "documents", "--yes").exit_code == 1
    assert loaded("collections", "--json").stdout.strip() == "[]"


def test_a_collection_is_altered_and_what_changed_is_told(loaded, db):
    result = loaded("collections", "alter", "documents", "--name", "pages", "--filterable", "title, year")
    assert result.exit_code == 0, result.output
    head, *rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert head == ["setting", "before", "after"]
    assert rows == [["name", "documents", "pages"], ["filterable", "[]", '["title", "year"]']]
    found = json.loads(loaded("collections", "--json").stdout)[0]
    assert (found["name"], found["filterable"], found["documents"]) == ("pages", ["title", "year"], 3)
    changes = json.loads(loaded("collections", "alter", "pages", "--filterable", "", "--json").stdout)
    assert changes == [{"setting": "filterable", "before": '["title", "year"]', "after": "[]"}]
    assert "Nothing to change" in loaded("collections", "alter", "pages", "--filterable", "").stdout


def test_what_altering_leaves_to_do_is_told_beside_the_result(loaded):
    result = loaded("collections", "alter", "documents", "--chunk-size", "64", "--index-kind", "hnsw")
    assert result.exit_code == 0, result.output
    assert "chunks" in result.stderr and "lore.maintain" in result.stderr and "chunk_size" in result.stdout


def test_a_collection_that_cannot_be_altered_is_an_error_with_a_hint(loaded):
    result = loaded("collections", "alter", "nowhere", "--name", "x")
    assert result.exit_code == 1 and "(LO203)" in result.stderr and "Hint:" in result.stderr
    assert loaded("collections", "alter", "documents", "--keyword", "grep").exit_code == 2
