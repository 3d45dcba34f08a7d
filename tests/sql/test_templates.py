"""Prompt templates: versions, whose they are, what is checked when one is written."""

import pytest

PROMPT = "{sources}\n\n{question}"
ROWS = "SELECT name, collection, version, is_current FROM lore.templates"


def chosen(db, collection, template=None):
    """Name, version and prompt of the template that an answer takes."""
    statement = "SELECT name, version, prompt FROM lore._template(lore._open(%s), %s)"
    return db.execute(statement, [collection, template]).fetchone()


@pytest.fixture
def collections(db):
    db.execute("SELECT lore.create_collection('a'), lore.create_collection('b')")


def test_a_template_has_versions_and_the_newest_is_taken_unless_another_is_named(db, collections):
    for number in (1, 2):
        made = db.execute("SELECT lore.set_template('brief', %s)", [f"{number} {PROMPT}"]).fetchone()[0]
        assert made == number
    assert db.execute(ROWS).fetchall() == [
        ("brief", None, 1, False), ("brief", None, 2, True), ("default", None, 0, True),
    ]  # fmt: skip
    assert chosen(db, "a", "brief") == ("brief", 2, f"2 {PROMPT}")
    assert chosen(db, "a", "brief@1") == ("brief", 1, f"1 {PROMPT}")
    assert chosen(db, "a")[:2] == ("default", 0)


def test_a_collections_own_template_goes_before_the_one_for_all(db, collections):
    db.execute("SELECT lore.set_template('default', %s)", [f"all {PROMPT}"])
    db.execute("SELECT lore.set_template('default', %s, collection => 'a')", [f"a {PROMPT}"])
    assert chosen(db, "a")[2] == f"a {PROMPT}" and chosen(db, "b")[2] == f"all {PROMPT}"
    assert chosen(db, "a", "default@0")[1] == 0
    db.execute("SELECT lore.drop_collection('a')")
    assert [row[1] for row in db.execute(ROWS).fetchall()] == [None, None]


def test_a_template_is_dropped_whole_or_by_its_version(db, collections, fails):
    for _ in range(3):
        db.execute("SELECT lore.set_template('brief', %s)", [PROMPT])
    assert db.execute("SELECT lore.drop_template('brief', version => 3)").fetchone() == (1,)
    assert chosen(db, "a", "brief")[1] == 2
    assert db.execute("SELECT lore.drop_template('brief')").fetchone() == (2,)
    assert fails("SELECT lore.drop_template('brief')") == "LO103"
    assert db.execute("SELECT lore.drop_template('brief', if_exists => true)").fetchone() == (0,)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("'n', NULL", "LO101"),
        ("'n', ' \n '", "LO101"),
        ("'n', '{sources}'", "LO103"),
        ("'n', '{question}'", "LO103"),
        ("'n', '{sources} {question} {sources}'", "LO103"),
        ("'n', '{sources} {question} {sorces}'", "LO103"),
        ("'n', '{sources} {question}', 'obey {sources}'", "LO103"),
        ("'n', '{sources} {question}', 'obey {question}'", "LO103"),
        ("'n', '{sources} {question}', 'speak {tongue}'", "LO103"),
        ("'', '{sources} {question}'", "LO103"),
        ("NULL, '{sources} {question}'", "LO103"),
        ("'a b', '{sources} {question}'", "LO103"),
        ("'n', '{sources} {question}', collection => 'absent'", "LO203"),
        ("'n', '{sources} {question}' || repeat('x', 100000)", "LO102"),
    ],
)
def test_a_template_that_cannot_be_is_refused(db, fails, arguments, code):
    assert fails(f"SELECT lore.set_template({arguments})") == code


def test_other_braces_are_text(db, collections):
    prompt = 'Such as {"a": {}} and {0} and {question!r} and {{ x }} and %s: {sources} {history} {language} {question}'
    db.execute("SELECT lore.set_template('odd', %s, 'Speak {language}. {}')", [prompt])
    assert chosen(db, "a", "odd")[2] == prompt


def test_readers_see_templates_and_only_writers_write_them(db, collections, role, connect, fails):
    reader, writer = connect(user=role("lore_reader")), connect(user=role("lore_writer"))
    assert fails("SELECT lore.set_template('n', '{sources} {question}')", on=reader) == "42501"
    writer.execute("SELECT lore.set_template('n', '{sources} {question}', collection => 'a')")
    assert reader.execute("SELECT created_by FROM lore.templates WHERE name = 'n'").fetchone() == (writer.info.user,)
    assert fails("SELECT lore.drop_template('n', 'a')", on=reader) == "42501"
    assert writer.execute("SELECT lore.drop_template('n', 'a')").fetchone() == (1,)
