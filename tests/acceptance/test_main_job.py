"""The main job, end to end: files loaded by the command line, a question answered by one SQL statement."""

import os
import subprocess
import sys

import pytest

FILES = {
    "refunds.html": "<html><head><title>Refunds</title></head><body><nav>Home</nav><h1>Refunds</h1>"
    "<p>A customer may return goods within 30 days and gets the full price back. "
    "After that time a shift leader may approve a voucher.</p></body></html>",
    "opening.md": "# Opening hours\n\nThe shop opens at 9 in the morning and closes at 8 in the evening.\n"
    "On Sundays it stays closed, except in December.\n",
    "parking.txt": "Customers park behind the shop. The first hour costs nothing, each further hour two euros.\n",
}
QUESTION = "Who may approve a voucher?"


@pytest.fixture
def loaded(db, dsn, tmp_path):
    """The database with three files in the collection "shop", loaded by the command line."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pglore_cli", "ingest", str(tmp_path), "--collection", "shop"]
    done = subprocess.run(command, env={**os.environ, "PGLORE_DSN": dsn}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return db


def test_one_statement_answers_a_question_about_loaded_files_and_cites_them(loaded):
    answer, sources, usage, timings = loaded.execute(
        "SELECT answer, sources, usage, timings FROM lore.ask('shop', %s)", [QUESTION]
    ).fetchone()
    assert "a shift leader may approve a voucher" in answer
    assert sources[0]["key"] == "refunds.html"
    for source in sources:
        assert f"[{source['n']}]" in answer
        start, end = source["quote_span"]
        quoted = "SELECT substr(content, %s + 1, %s) FROM lore_data.shop_documents WHERE key = %s"
        assert loaded.execute(quoted, [start, end - start, source["key"]]).fetchone() == (source["quote"],)
    assert usage["prompt_tokens"] > 0
    assert timings["total"] >= timings["generate"] > 0


def test_a_question_that_the_files_do_not_answer_gets_no_invention(loaded):
    answer, sources = loaded.execute(
        "SELECT answer, sources FROM lore.ask('shop', 'Which team won the football world cup in 1998?')"
    ).fetchone()
    assert (answer, sources) == ("The sources do not answer this question.", [])


def test_the_pipeline_written_out_gives_the_same_statement_of_the_same_source(loaded):
    (answer,) = loaded.execute(
        """
        SELECT lore.generate(lore.prompt(%(question)s, array_agg(content ORDER BY source)))
        FROM lore.context('shop', %(question)s)
        """,
        {"question": QUESTION},
    ).fetchone()
    assert "a shift leader may approve a voucher. [" in answer
