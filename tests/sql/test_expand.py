"""A query told in other words before it is searched: what a language model writes, and what it may not do."""

import numpy as np
import psycopg
import pytest
from psycopg import sql

from .conftest import use_textsearch

QUERY = "reclaim space"
WORDINGS = ["storage of dead tuples", "crash recovery", "sleeping cats"]
CALLS = ("search('manual'", "search_sql('manual'", "explain_search('manual'", "search_all('{manual}'")


@pytest.fixture
def keyword(request, db):
    """One kind of keyword index is enough, but where a test asks for another."""
    kind = getattr(request, "param", "tsvector")
    if kind == "bm25":
        use_textsearch(db)
    return kind


both = pytest.mark.parametrize("keyword", ["tsvector", "bm25"], indirect=True)


@pytest.fixture
def says(db):
    """A function that sets what the generator writes: any text, which no model would write when asked."""

    def set_text(text):
        db.execute(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION lore._generate(prompt text, model text DEFAULT NULL,"
                " system text DEFAULT NULL, max_tokens integer DEFAULT NULL) RETURNS jsonb LANGUAGE sql VOLATILE AS"
                " $$ SELECT jsonb_build_object('text', {}::text, 'finish_reason', 'stop') $$;"
                "CREATE OR REPLACE FUNCTION lore._writer(generator text) RETURNS text LANGUAGE sql STABLE AS"
                " $$ SELECT 'scripted' $$"
            ).format(sql.Literal(text))
        )

    return set_text


@pytest.fixture
def language_model(request):
    """The alias of a real language model, tiny and untrained."""
    try:
        return request.getfixturevalue("writer")
    except pytest.FixtureLookupError:
        pytest.skip("there are no language models here yet")


def search(db, query=QUERY, **arguments):
    named = "".join(f", {name} => %({name})s" for name in arguments)
    return db.execute(
        "SELECT key, score, vector_score, keyword_score, rerank_score, rank "
        f"FROM lore.search('manual', %(query)s{named})",
        {"query": query, **arguments},
    ).fetchall()


@both
def test_other_wordings_are_searched_and_the_lists_joined_by_their_ranks(db, manual, says):
    says("\n".join(WORDINGS))
    hits = search(db, expand="queries", k=6)
    expected: dict[str, float] = {}
    for wording in [QUERY, *WORDINGS]:
        for key, *_, rank in search(db, wording, k=50):
            expected[key] = expected.get(key, 0) + 1 / (60 + rank)
    assert {hit[0]: pytest.approx(hit[1]) for hit in hits} == expected
    assert [hit[1] for hit in hits] == sorted(expected.values(), reverse=True)
    plain = {hit[0]: hit[2:4] for hit in search(db, k=50)}
    assert {hit[0]: hit[2:4] for hit in hits} == plain  # the query itself has found them first


def test_a_passage_that_would_answer_stands_beside_the_query(db, manual, says):
    passage = "VACUUM gives the space of dead rows back."
    says(passage)
    vectors = db.execute(
        "SELECT lore.embed(%s, input_type => 'query')::real[], lore.embed(%s)::real[]", [QUERY, passage]
    ).fetchone()
    mean = np.mean(vectors, axis=0)
    vector = str((mean / np.linalg.norm(mean)).tolist())
    for mode in ("hybrid", "vector"):
        hits = search(db, expand="hypothetical", mode=mode)
        expected = search(db, vector=vector, mode=mode)
        assert [hit[0] for hit in hits] == [hit[0] for hit in expected]
        np.testing.assert_allclose([hit[2] for hit in hits], [hit[2] for hit in expected], atol=1e-4)
        assert [hit[3] for hit in hits] == [hit[3] for hit in expected]


@both
@pytest.mark.parametrize("expand", ["queries", "hypothetical"])
def test_every_other_option_goes_with_it(db, manual, says, expand):
    says("\n".join(WORDINGS))
    options = {"filter": '{"n": {"$ne": 1}}', "rerank": "default", "diversity": 0.2, "neighbours": 1, "per_document": 2}
    for mode in ("hybrid", "vector"):
        hits = search(db, expand=expand, mode=mode, k=3, fusion="rrf", weights='{"vector": 2}', **options)
        assert len(hits) == 3 and "vacuum" not in {hit[0] for hit in hits}
        assert all(hit[4] is not None for hit in hits)
    with_vector = "SELECT lore.embed('cats', input_type => 'query')::text"
    assert search(db, expand=expand, vector=db.execute(with_vector).fetchone()[0])
    if expand == "queries":
        assert search(db, expand=expand, mode="keyword")


@pytest.mark.parametrize("expand", ["queries", "hypothetical"])
def test_the_printed_statement_gives_the_same_rows_to_a_reader(db, manual, says, connect, role, expand):
    says("\n".join(['it\'s 100 % \\ $1 %s "storage" {x}', "'; DROP TABLE lore_data.manual_chunks; --", "$sql$ cats"]))
    for options in ("", ", rerank => 'default', diversity => 0.1, neighbours => 1", ", mode => 'vector', k => 2"):
        call = f"'manual', 'what''s dead', expand => '{expand}'{options}"
        statement = db.execute(f"SELECT lore.search_sql({call})".encode()).fetchone()[0]
        expected = db.execute(f"SELECT key, score FROM lore.search({call})".encode()).fetchall()
        rows = connect(user=role("lore_reader")).execute(statement.encode()).fetchall()
        assert [(row[1], pytest.approx(row[8], abs=1e-4)) for row in rows] == expected
    assert db.execute("SELECT documents FROM lore.collections").fetchone() == (6,)


USELESS = ("", " \n\t ", "...\n!!!\n- ?", "</think>", None)  # as wordings and as a passage


@pytest.mark.parametrize(
    ("expand", "text"),
    [("queries", text) for text in (*USELESS, "1.\n2.\n3.", "Here they are:\n")]
    + [("hypothetical", text) for text in USELESS],
)
def test_where_the_generator_writes_nothing_of_use_the_query_is_searched_and_a_notice_tells(
    db, manual, says, expand, text
):
    notices = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    says(text)
    assert search(db, expand=expand) == search(db)
    assert ["wrote nothing to search with" in notice for notice in notices] == [True]


def test_lines_are_cleaned_and_what_is_no_wording_is_left_out(db):
    texts = {
        'Here are three:\n1. "Ways to X"\n- How to X?\n2) Methods for X\n\n3. ...\n* steps for X\n5. ways to x\nmore': [
            "Ways to X", "Methods for X", "steps for X",
        ],
        "<think>hm\nfirst</think>\nonly one": ["<think>hm", "first</think>", "only one"],
        "x" * 1001 + "\nshort": ["short"],
        "1980s music\r\n12 monkeys\r\n": ["1980s music", "12 monkeys"],
        "如何回收空间\n»Ä«": ["如何回收空间", "»Ä«"],
        "how to x?": None,
    }  # fmt: skip
    for text, expected in texts.items():
        assert db.execute("SELECT lore._wordings('how to X?', %s)", [text]).fetchone()[0] == expected


def test_what_a_model_thinks_aloud_is_not_searched(db, manual, says):
    says("<think>The user wants cats purring.\nHm.</think>\n\nstorage of dead tuples")
    statement = db.execute("SELECT lore.search_sql('manual', %s, expand => 'queries')", [QUERY]).fetchone()[0]
    assert "storage of dead tuples" in statement and "think" not in statement and "purring" not in statement


def test_a_flood_of_text_is_cut(db, manual, says):
    says("\n".join(f"wording number {n} of very many" for n in range(100_000)))
    assert len(search(db, expand="queries")) == 6
    says("storage " * 200_000)
    assert search(db, expand="hypothetical")[0][0] == "vacuum"


def test_it_is_explained_with_its_own_stage(db, manual, says):
    says("\n".join(WORDINGS))
    stages = db.execute("SELECT * FROM lore.explain_search('manual', %s, expand => 'queries')", [QUERY]).fetchall()
    assert stages[0][0] == "expand" and stages[0][2] == 4 and stages[0][4] == "; ".join(WORDINGS)
    names = [stage[0] for stage in stages]
    assert "wordings" in names and names[-1] == "total"
    assert sum(stage[1] for stage in stages[:-1]) == pytest.approx(stages[-1][1], rel=0.2, abs=1)
    stages = db.execute("SELECT * FROM lore.explain_search('manual', %s, expand => 'hypothetical')", [QUERY]).fetchall()
    assert stages[0][0] == "expand" and "fusion" in [stage[0] for stage in stages]


def test_several_collections_are_searched_with_one_expansion(db, manual, says):
    db.execute("SELECT lore.create_collection('other'), lore.add('other', 'kitten', 'A kitten sleeps.')")
    says("sleeping cats")
    for expand in ("queries", "hypothetical"):
        rows = db.execute(
            "SELECT collection, key FROM lore.search_all('{manual,other}', 'animals', expand => %s)", [expand]
        ).fetchall()
        assert set(rows[:2]) == {("other", "kitten"), ("manual", "cats")}
    assert db.execute("SELECT count(*) FROM lore.search_all('{}', 'x', expand => 'queries')").fetchone() == (0,)


def test_an_evaluation_compares_searches_with_and_without(db, manual, says):
    says("sleeping cats")
    variants = (
        '{"plain": {}, "queries": {"expand": "queries"}, "passage": {"expand": "hypothetical", "generator": "x"}}'
    )
    rows = db.execute(
        "SELECT variant, recall FROM lore.evaluate('manual', %s, %s, variants => %s)",
        ['{"q": "animals"}', '{"q": {"cats": 1}}', variants],
    ).fetchall()
    assert rows == [("plain", 1.0), ("queries", 1.0), ("passage", 1.0)]


@pytest.mark.parametrize("call", CALLS)
def test_without_a_language_model_it_is_an_error_that_names_the_remedy(db, manual, call):
    for options in (
        "expand => 'queries'",
        "expand => 'hypothetical'",
        "expand => 'queries', generator => 'extractive'",
    ):
        with pytest.raises(psycopg.Error) as caught:
            db.execute(f"SELECT * FROM lore.{call}, 'q', {options})".encode())
        assert caught.value.sqlstate == "LO206" and "lore.add_model" in caught.value.diag.message_hint


@pytest.mark.parametrize("call", CALLS)
def test_what_cannot_be_is_refused(db, manual, fails, call):
    refused = {
        "'q', expand => 'magic'": "LO103",
        "'q', expand => ''": "LO103",
        "'q', expand => 'Queries'": "LO103",
        "'q', expand => 'hypothetical', mode => 'keyword'": "LO103",
        "' ', expand => 'queries'": "LO101",
        "'q', expand => 'queries', generator => 'absent'": "LO201",
        "'q', expand => 'queries', generator => ''": "LO201",
        "'q', expand => 'queries', generator => 'all-minilm-l6-v2'": "LO201",
        "'q', expand => 'hypothetical', generator => 'late-interaction'": "LO201",
    }
    assert {given: fails(f"SELECT * FROM lore.{call}, {given})".encode()) for given in refused} == refused
    if "all" not in call:
        vector = "vector => lore.embed('q')"
        assert fails(f"SELECT * FROM lore.{call}, NULL, {vector}, expand => 'queries')".encode()) == "LO103"
    assert db.execute(f"SELECT * FROM lore.{call}, 'q', generator => 'unused')".encode()).fetchall()


@pytest.mark.parametrize("expand", ["queries", "hypothetical"])
def test_a_real_language_model_writes_and_the_same_search_gives_the_same_rows(db, manual, language_model, expand):
    first = search(db, expand=expand, generator=language_model)
    assert len(first) == 6
    assert search(db, expand=expand, generator=language_model) == first
    db.execute("SELECT lore.set_default(%s)", [language_model])
    try:
        assert search(db, expand=expand) == first
    finally:
        db.execute("SELECT lore.set_default('extractive')")
