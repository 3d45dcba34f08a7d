"""`pglore eval` and `pglore search --explain`."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

CORPUS = {
    "vacuum": "VACUUM reclaims storage occupied by dead tuples.",
    "backup": "pg_dump writes a backup of one database to a file.",
    "roles": "A role may own tables and may be a member of other roles.",
    "empty": " ",
}
QUERIES = {"q1": "reclaim storage", "q2": "backup of a database", "q3": "nobody judged this"}
QRELS = "query-id\tcorpus-id\tscore\nq1\tvacuum\t2\nq1\troles\t0\nq2\tbackup\t1\nq2\tgone\t1\n"


def jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def beir(tmp_path):
    """A folder in BEIR layout."""
    folder = tmp_path / "tiny set"
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": key, "title": "T" if key == "roles" else "", "text": text} for key, text in CORPUS.items()]
    (folder / "corpus.jsonl").write_text(jsonl(corpus))
    (folder / "queries.jsonl").write_text(jsonl({"_id": key, "text": text} for key, text in QUERIES.items()))
    (folder / "qrels" / "test.tsv").write_text(QRELS)
    return folder


def test_a_folder_is_loaded_evaluated_and_dropped(pglore, beir, db):
    result = pglore("eval", beir)
    assert result.exit_code == 0, result.stderr
    head, row = (line.split("\t") for line in result.stdout.splitlines())
    assert head[:2] == ["variant", "nDCG@10"] and head[-3:] == ["p50 ms", "p95 ms", "p99 ms"]
    assert row[0] == "default" and float(row[head.index("MRR@10")]) == 1
    assert "2 queries, 3 documents, 1 relevant documents are not there; ir_measures finds the same" in result.stderr
    assert db.execute("SELECT count(*) FROM lore.collections").fetchone() == (0,)
    assert db.execute("SELECT collection, judged FROM lore.evaluations").fetchall() == [("eval_tiny_set", 2)]


def test_statistics_and_index_are_made_for_a_collection_that_was_made(pglore, beir, db):
    pglore("eval", beir, "--keep")
    rows = "SELECT reltuples FROM pg_class WHERE relname = 'eval_tiny_set_chunks'"
    assert db.execute(rows).fetchone() == (3,)


def test_variants_and_measures_are_columns_of_one_json_document(pglore, beir):
    variants = ["--variant", 'by vector={"mode": "vector"}', "--variant", "plain="]
    variants += ["--variant", 'x={"filter": {"a": 1}}']
    result = pglore("eval", beir, *variants, "--measure", "AP@5", "--measure", "Success@1", "-k", "5", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["documents"], found["empty"], found["queries"], found["k"]) == (3, 1, 2, 5)
    assert [row["variant"] for row in found["variants"]] == ["by vector", "plain", "x"]
    assert found["variants"][0]["measures"] == {"AP@5": 0.75, "Success@1": 1.0}
    assert found["variants"][2]["measures"]["AP@5"] == 0 and all(row["checked"] for row in found["variants"])


def test_a_collection_is_kept_where_asked_and_loaded_only_once(pglore, beir, db):
    assert pglore("eval", beir, "--keep", "-c", "mine").exit_code == 0
    ids = "SELECT array_agg(id ORDER BY id) FROM lore_data.mine_chunks"
    before = db.execute(ids).fetchone()
    assert pglore("eval", beir, "-c", "mine").exit_code == 0
    assert db.execute(ids).fetchone() == before
    title = "SELECT metadata ->> 'title' FROM lore_data.mine_documents WHERE key = 'roles'"
    assert db.execute(title).fetchone() == ("T",)
    with (beir / "corpus.jsonl").open("a") as corpus:
        corpus.write('{"_id": "new", "text": "A new page."}\n')
    assert pglore("eval", beir, "-c", "mine").exit_code == 0
    assert db.execute("SELECT documents FROM lore.collections").fetchone() == (4,)


def test_a_collection_may_be_searched_as_it_is(pglore, beir, db):
    db.execute("SELECT lore.create_collection('mine'), lore.add('mine', 'vacuum', 'VACUUM reclaims storage.')")
    result = pglore("eval", beir, "-c", "mine", "--as-is", "--json")
    assert json.loads(result.stdout)["variants"][0]["missing"] == 2
    assert db.execute("SELECT documents FROM lore.collections").fetchone() == (1,)
    assert "(LO203)" in pglore("eval", beir, "-c", "other", "--as-is").stderr


def test_documents_that_are_not_in_the_folder_are_told(pglore, beir, db):
    db.execute("SELECT lore.create_collection('mine'), lore.add('mine', 'x', 'Y.', '{\"digest\": \"z\"}')")
    assert "holds 1 documents that are not in" in pglore("eval", beir, "-c", "mine").stderr


def test_the_layout_without_a_folder_of_judgements_is_read(pglore, beir):
    (beir / "qrels" / "test.tsv").rename(beir / "qrels.tsv")
    (beir / "qrels").rmdir()
    assert pglore("eval", beir).exit_code == 0


def test_a_title_is_a_text_and_a_byte_order_mark_is_none(pglore, beir):
    rows = [{"_id": "vacuum", "title": "VACUUM reclaims storage", "text": ""}, {"_id": "none", "text": ""}]
    for name, text in [("corpus.jsonl", jsonl(rows)), ("queries.jsonl", (beir / "queries.jsonl").read_text())]:
        (beir / name).write_text("\ufeff" + text.replace("\n", "\r\n"), newline="")
    (beir / "qrels" / "test.tsv").write_text("\ufeff" + QRELS.replace("\n", "\r\n"), newline="")
    result = pglore("eval", beir, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["documents"], found["empty"], found["variants"][0]["missing"]) == (1, 1, 2)


def test_another_split_is_taken_where_asked(pglore, beir):
    (beir / "qrels" / "dev.tsv").write_text("q1\tvacuum\t1\n")
    assert json.loads(pglore("eval", beir, "--split", "dev", "--json").stdout)["queries"] == 1
    (beir / "qrels" / "test.tsv").rename(beir / "qrels" / "train.tsv")
    result = pglore("eval", beir)
    assert result.exit_code == 1 and "there is no test.tsv" in result.stderr and "dev, train" in result.stderr


WRITTEN = {
    "BEIR": "query-id\tcorpus-id\tscore\nq1\tvacuum\t2.0\nq1\troles\t0.0\nq2\tbackup\t1.\nq2\tgone\t+1\n",
    "TREC": "q1 0 vacuum 2\nq1 0 roles -2\nq2 0 backup 1\nq2 0 gone 1\n",
    "TREC on Windows": "q1\tQ0\tvacuum\t2.00\r\nq2\tQ0\tbackup\t1\r\n\r\nq2  Q0  gone  1 \r\n",
}


@pytest.mark.parametrize("form", WRITTEN)
def test_judgements_are_read_as_beir_and_as_trec_write_them(pglore, beir, form):
    expected = json.loads(pglore("eval", beir, "--json").stdout)["variants"][0]
    (beir / "qrels" / "test.tsv").write_text(WRITTEN[form], newline="")
    result = pglore("eval", beir, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)["variants"][0]
    assert [found[name] for name in ("judged", "ndcg", "missing")] == [
        expected[name] for name in ("judged", "ndcg", "missing")
    ]


MALFORMED = {
    "corpus.jsonl": {
        None: "no such file",
        "": "there is no document in it",
        '{"_id": "a", "text": "b"}\n{"_id": "c"': "corpus.jsonl, line 2: not JSON",
        '["a"]': 'not an object with "_id" and "text"',
        '{"_id": "a", "text": 3}': 'not an object with "_id" and "text"',
        '{"text": "a"}': 'it has no "_id"',
        '{"_id": "a", "text": "b"}\n{"_id": "a", "text": "b"}': '"_id" a is there twice',
        b"\xff\xfe": "it is not UTF-8",
        '{"_id": "a", "text": "b", "c": ' + "[" * 100_000: "corpus.jsonl, line 1: not JSON",
    },
    "queries.jsonl": {None: "no such file", '{"_id": "q1"}': 'not an object with "_id" and "text"'},
    "qrels/test.tsv": {
        None: "there is no file NAME.tsv in it",
        "": "no query has a relevant document",
        "q1\tvacuum\t0\n": "no query has a relevant document",
        "q1 vacuum 1\n": "test.tsv, line 1: neither query, document and grade with tabs between, nor the four columns",
        "q1 0 vacuum 1\nq1 0 roles\n": "test.tsv, line 2: neither query, document and grade",
        "q1\tvacuum\t1\nq1\troles\thigh\n": "line 2: the grade 'high' is no such number",
        "q1\tvacuum\thigh\nq2\tbackup\t1\n": "line 1: the grade 'high' is no such number",
        "q1\tvacuum\t1\nq1\troles\t0.5\n": "line 2: the grade '0.5' is no such number",
        "q1\tvacuum\t1\nq1\troles\tnan\n": "line 2: the grade 'nan' is no such number",
        "q1\tvacuum\t1000001\n": "line 1: the grade '1000001' is no such number",
        f"q1\tvacuum\t{'9' * 5000}\n": "line 1: the grade '99999",
        "q1\tvacuum\t1\nq1\tvacuum\t1.0\nq1\tvacuum\t2\n": 'line 3: document "vacuum" has two grades for query "q1"',
        b"q1\tvacuum\t1\nq2\tb\xe9\t1\n": "test.tsv, line 2: it is not UTF-8",
        "q1\tvacuum\t1\nq9\troles\t1\n": 'line 2: query "q9" is not in queries.jsonl',
    },
}


def test_a_blank_line_before_the_line_of_names_is_passed_over(pglore, beir):
    (beir / "qrels" / "test.tsv").write_text("\n" + QRELS)
    assert pglore("eval", beir).exit_code == 0


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_folder_is_told_by_file_and_line(pglore, beir, name, db):
    for text, message in MALFORMED[name].items():
        if text is None:
            (beir / name).unlink()
        else:
            (beir / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        result = pglore("eval", beir)
        assert result.exit_code == 1 and message in " ".join(result.stderr.split()), text
        assert "Hint:" in result.stderr
    assert db.execute("SELECT count(*) FROM lore.collections").fetchone() == (0,)


def test_wrong_options_are_usage_errors(pglore, beir):
    assert pglore("eval", beir / "absent").exit_code == 2
    for variant in ("vector", "={}", "a=[1]", "a={"):
        assert pglore("eval", beir, "--variant", variant).exit_code == 2
    assert pglore("eval", beir, "--variant", "a=", "--variant", "a=").exit_code == 2
    for name in ("Nonsense@3", "nDCG@0", "P@99999999999999999999", "AP@1001"):
        assert "is no measure" in pglore("eval", beir, "--measure", name).stderr
    for name in ("P", "BPM(T=5)@3"):
        result = pglore("eval", beir, "--measure", name)
        assert result.exit_code == 1 and "cannot work" in result.stderr and "Hint:" in result.stderr


def test_a_collection_that_was_made_otherwise_is_not_taken_for_another(pglore, beir):
    assert pglore("eval", beir, "--keep").exit_code == 0
    for wanted in (["--language", "german"], ["--model", "another"], ["--language", "german", "--as-is"]):
        result = pglore("eval", beir, *wanted)
        assert result.exit_code == 1 and "is there, and its" in result.stderr and "Hint:" in result.stderr
    assert pglore("eval", beir, "--language", "english").exit_code == 0


def test_what_cannot_be_evaluated_fails_before_the_load(pglore, beir, db):
    wrong = {
        '{"k": 3}': "LO103",
        '{"rerank": "absent"}': "LO201",
        '{"mode": 5}': "LO103",
        '{"expand": "queries"}': "LO206",
    }
    for kept in (False, True):
        for variant, code in wrong.items():
            result = pglore("eval", beir, "--variant", f"a={variant}")
            assert result.exit_code == 1 and f"({code})" in result.stderr and "stays" not in result.stderr
        good = (beir / "queries.jsonl").read_text()
        (beir / "queries.jsonl").write_text(good.replace(QUERIES["q2"], " "))
        result = pglore("eval", beir)
        (beir / "queries.jsonl").write_text(good)
        assert result.exit_code == 1 and '"q2" is empty' in result.stderr
        assert db.execute("SELECT name, documents FROM lore.collections").fetchall() == [("eval_tiny_set", 0)] * kept
        db.execute("SELECT lore.create_collection('eval_tiny_set', if_not_exists => true)")
    assert db.execute("SELECT count(*) FROM lore.evaluations").fetchone() == (0,)


def test_where_the_evaluation_fails_behind_the_load_the_collection_stays(pglore, beir):
    texts = {"q1": "reclaim storage", "q2": "a_" * 15000}  # too many words for the model, which only its search finds
    (beir / "queries.jsonl").write_text(jsonl({"_id": key, "text": text} for key, text in texts.items()))
    result = pglore("eval", beir)
    assert result.exit_code == 1 and "(LO102)" in result.stderr
    assert 'Collection "eval_tiny_set" stays' in result.stderr
    result = pglore("eval", beir)  # now it was there before
    assert result.exit_code == 1 and "stays" not in result.stderr


def test_a_stopped_load_stays_and_goes_on(start, beir, db):
    rows = ({"_id": f"d{n}", "text": f"Page {n}: " + "Water runs down the hill. " * 40} for n in range(3000))
    with (beir / "corpus.jsonl").open("a") as corpus:
        corpus.write(jsonl(rows))
    process = start("eval", beir)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        made = db.execute("SELECT to_regclass('lore_data.eval_tiny_set_documents') IS NOT NULL").fetchone()[0]
        if made and db.execute("SELECT count(*) FROM lore_data.eval_tiny_set_documents").fetchone()[0]:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "goes on from here" in errors
    assert db.execute("SELECT documents > 0 FROM lore.collections").fetchone() == (True,)


def test_explaining_a_search_prints_its_stages(loaded):
    head, *rows = (line.split("\t") for line in loaded("search", "reclaim storage", "--explain").stdout.splitlines())
    assert head == ["stage", "ms", "rows", "index", "detail"]
    assert [row[0] for row in rows] == ["plan", "embed", "vector", "keyword", "fusion", "documents", "total"]
    stages = json.loads(loaded("search", "reclaim storage", "--explain", "--mode", "vector", "--json").stdout)
    assert {"stage", "ms", "rows", "index", "detail"} == set(stages[0])
    assert loaded("search", "x", "--explain", "--sql").exit_code == 2


def explained(dsn, columns):
    """The lines that `pglore search --explain` shows on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PGLORE_DSN": dsn, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(columns)}
    command = [sys.executable, "-m", "pglore_cli", "search", "reclaim storage", "--explain"]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    process.wait(timeout=60)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()


STAGES = ["plan", "embed", "vector", "keyword", "fusion", "documents", "total"]


def test_on_a_terminal_the_longest_stage_has_the_longest_bar(loaded, dsn):
    bars = {line.split()[0]: line.count("█") for line in explained(dsn, 160)[1:]}
    assert list(bars) == STAGES
    assert max(bars.values()) == 24 and list(bars.values())[-1] == 0


def test_a_narrow_terminal_shows_each_stage_with_its_time_whole_and_a_bar(loaded, dsn):
    for columns in (80, 60, 40):
        head, *lines = explained(dsn, columns)
        assert head.split()[:3] == ["stage", "ms", "rows"]
        assert [line.split()[0] for line in lines] == STAGES
        assert all(re.match(r"[a-z]+ +\d+\.\d\d ", line) and len(line) <= columns for line in lines)
        assert "█" in max(lines[:-1], key=lambda line: float(line.split()[1]))
    head, *lines = explained(dsn, 25)
    assert head.split() == ["stage", "ms", "rows"] and [line.split()[0] for line in lines] == STAGES
