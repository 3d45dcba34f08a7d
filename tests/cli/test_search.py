"""`pglore search` and `pglore ask`."""

import json


def test_search_prints_rank_key_heading_and_text(loaded):
    result = loaded("search", "reclaim disk space", "-k", "2")
    assert result.exit_code == 0
    first, text, *_ = result.stdout.splitlines()
    assert first.startswith(" 1  vacuum.html")
    assert "dead tuples" in text


def test_search_prints_json(loaded):
    hits = json.loads(loaded("search", "reclaim disk space", "--json").stdout)
    assert hits[0]["key"] == "vacuum.html"
    assert {"rank", "score", "span", "metadata", "vector_score", "keyword_score"} <= set(hits[0])


def test_search_takes_mode_rerank_and_filter(loaded):
    options = ["--mode", "vector", "--rerank", "default", "--filter", '{"title": {"$in": ["Backup"]}}']
    hits = json.loads(loaded("search", "anything", *options, "--json").stdout)
    assert [hit["key"] for hit in hits] == ["admin/backup.md"]
    assert hits[0]["rerank_score"] is not None


def test_search_takes_every_argument_of_lore_search(loaded, db):
    """A new argument of lore.search without an option here is found by this test."""
    import click

    from pglore_cli.main import main

    options = {option.name for option in main.get_command(click.Context(main), "search").params}
    (arguments,) = db.execute(
        "SELECT proargnames[1:pronargs] FROM pg_proc WHERE oid::regproc::text = 'lore.search'"
    ).fetchone()
    assert set(arguments) - options == set()


def test_search_passes_on_what_its_options_say(loaded):
    options = ["--candidates", 1, "--per-document", "all", "--fusion", "rrf", "--diversity", 0.2, "--neighbours", 1]
    hits = json.loads(loaded("search", "reclaim disk space", *options, "-k", 2, "--json").stdout)
    assert hits[0]["key"] == "vacuum.html"
    statement = loaded("search", "reclaim disk space", *options, "-k", 2, "--sql").stdout
    assert "lore.diverse(" in statement and "+ rank()" in statement and "n.ordinal BETWEEN h.ordinal - 1" in statement


def test_search_takes_weights_and_tells_what_is_missing_to_expand(loaded):
    statement = loaded("search", "storage", "--weights", '{"vector": 0.25}', "--sql").stdout
    assert "0.25 *" in statement
    result = loaded("search", "storage", "--weights", '{"vector": -1}')
    assert result.exit_code == 1 and "(LO103)" in result.stderr
    for options in (["--expand", "queries"], ["--expand", "hypothetical", "--generator", "extractive"]):
        result = loaded("search", "storage", *options)
        assert result.exit_code == 1 and "(LO206)" in result.stderr and "lore.add_model" in result.stderr


def test_search_takes_what_the_words_must_do(loaded):
    hits = json.loads(loaded("search", "dead tuples", "--mode", "keyword", "--match", "phrase", "--json").stdout)
    assert [hit["key"] for hit in hits] == ["vacuum.html"]
    assert loaded("search", "dead tuples", "--match", "exact").exit_code == 2


def test_several_collections_are_searched_at_once(loaded, db):
    db.execute("SELECT lore.create_collection('notes')")
    db.execute("SELECT lore.add('notes', 'mine', 'Vacuuming reclaims disk space.')")
    both = ["-c", "documents", "-c", "notes"]
    result = loaded("search", "reclaim disk space", *both, "--weights", '{"keyword": 1}', "-k", 2)
    assert result.exit_code == 0 and "notes" in result.stdout and "documents" in result.stdout
    hits = json.loads(loaded("search", "reclaim disk space", *both, "--json").stdout)
    assert {hit["collection"] for hit in hits} == {"documents", "notes"}
    for options in (["--sql"], ["--explain"]):
        assert loaded("search", "storage", *both, *options).exit_code == 2
    options = ["--fusion", "rrf", "--neighbours", 1, "--diversity", 0.5, "--json"]
    assert len(json.loads(loaded("search", "storage", *both, *options).stdout)) == len(hits)
    assert "Nothing found" in loaded("search", "storage", *both, "--filter", '{"title": "none"}').stderr


def test_search_takes_a_vector_with_or_without_a_query(loaded, db, tmp_path):
    vector = db.execute("SELECT lore.embed('reclaim disk space', input_type => 'query')::text").fetchone()[0]
    (tmp_path / "query.json").write_text(vector)
    for given in (vector, f"@{tmp_path / 'query.json'}"):
        hits = json.loads(loaded("search", "--vector", given, "--json").stdout)
        assert hits[0]["key"] == "vacuum.html" and hits[0]["keyword_score"] is None
    assert loaded("search", "--vector", "[1, 2]").exit_code == 1


def test_options_that_cannot_be_are_usage_errors(loaded, tmp_path):
    wrong = [
        ["--fusion", "sum"], ["--diversity", 2], ["--diversity", "x"], ["--neighbours", -1], ["--candidates", 0],
        ["--per-document", 0], ["--per-document", "few"], ["--vector", "{}"], ["--vector", "[x]"],
        ["--vector", "[[1]]"],
        ["--vector", f"@{tmp_path / 'nothing'}"], ["--mode", "magic"], ["--filter", "[]"],
        ["--weights", "[]"], ["--weights", "x"], ["--expand", "magic"],
    ]  # fmt: skip
    assert [loaded("search", "storage", *options).exit_code for options in wrong] == [2] * len(wrong)
    assert loaded("search").exit_code == 2


def test_search_prints_the_statement_that_it_is(loaded, db):
    statement = loaded("search", "reclaim disk space", "--sql").stdout
    assert db.execute(statement.encode()).fetchone()[1] == "vacuum.html"


def test_search_says_when_nothing_is_found(loaded):
    result = loaded("search", "anything", "--filter", '{"title": "No such title"}')
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Nothing found" in result.stderr


def test_a_bad_filter_is_told_with_its_hint(loaded):
    result = loaded("search", "anything", "--filter", '{"year": {"$near": 3}}')
    assert result.exit_code == 1
    assert "(LO104)" in result.stderr and "Hint:" in result.stderr


def test_ask_prints_the_answer_and_its_numbered_sources(loaded):
    result = loaded("ask", "What reclaims storage?")
    assert result.exit_code == 0
    answer, sources = result.stdout.split("\n\n", 1)
    assert "VACUUM" in answer and "[1]" in answer
    assert sources.startswith("[1] vacuum.html")


def test_ask_prints_json(loaded):
    answer = json.loads(loaded("ask", "What reclaims storage?", "--json").stdout)
    assert set(answer) == {"answer", "sources", "usage", "timings", "finish_reason"}
    assert answer["sources"][0]["key"] == "vacuum.html"


def test_ask_streams_pieces_and_then_the_sources(loaded, writer):
    plain = loaded("ask", "What reclaims storage?").stdout
    assert loaded("ask", "What reclaims storage?", "--stream").stdout == plain
    given = ["What reclaims storage?", "--model", writer, "--answer-tokens", 9, "--stream"]
    rows = [json.loads(line) for line in loaded("ask", *given, "--json").stdout.splitlines()]
    assert len(rows) > 1 and rows[0]["finish_reason"] is None and rows[-1]["usage"]["completion_tokens"] > 1
    shown = loaded("ask", *given)
    assert shown.exit_code == 0 and shown.stdout.strip() == "".join(row["answer"] for row in rows).strip()


def test_ask_takes_the_arguments_of_a_search_and_of_an_answer(loaded):
    given = ["--max-tokens", "all", "--language", "de", "--template", "default@0", "--fusion", "rrf", "--match", "any"]
    assert loaded("ask", "What reclaims storage?", *given, "--diversity", "0.1").exit_code == 0
    assert loaded("ask", "What reclaims storage?", "--template", "absent").exit_code == 1


def test_ask_of_nothing_says_so(loaded):
    result = loaded("ask", "What?", "--filter", '{"title": "No such title"}')
    assert result.exit_code == 0
    assert "Nothing found" in result.stdout


def test_what_a_document_holds_cannot_steer_the_terminal(loaded, tmp_path):
    (tmp_path / "evil.txt").write_text("Evil \x1b[31mred\x1b]0;title\x07 text about elephants and [bold]markup[/bold].")
    loaded("ingest", tmp_path)
    result = loaded("search", "elephants", "-k", "1")
    assert "\x1b" not in result.stdout and "\x07" not in result.stdout
    assert "[bold]markup[/bold]" in result.stdout


def test_on_a_terminal_the_output_has_style_and_in_a_pipe_it_has_none(loaded, start, dsn):
    import os
    import pty
    import subprocess
    import sys

    out, _ = start("search", "storage").communicate(timeout=60)
    assert "\x1b[" not in out
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PGLORE_DSN": dsn, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-m", "pglore_cli", "search", "storage"], stdout=theirs, stderr=theirs, env=environment
    )
    process.wait(timeout=60)
    assert b"\x1b[" in os.read(ours, 65536)
    os.close(ours)
    os.close(theirs)
