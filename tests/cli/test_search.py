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
    assert set(answer) == {"answer", "sources", "usage", "timings"}
    assert answer["sources"][0]["key"] == "vacuum.html"


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
