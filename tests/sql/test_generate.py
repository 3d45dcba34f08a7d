"""Text from SQL: at once, under a schema, in a conversation; a real server of a tiny language model stands for all."""

import json
import statistics
import threading

import psycopg
import pytest

TALK = json.dumps([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}])
LONG = "SELECT lore.generate('hello', model => 'writer', max_tokens => 100000)"


def one(db, statement, *parameters):
    return db.execute(statement, parameters).fetchone()[0]


def test_a_language_model_writes_from_sql_and_the_same_again(db, writer):
    first = one(db, "SELECT lore.generate('hello', model => 'writer', max_tokens => 12)")
    assert first and first == one(db, "SELECT lore.generate('hello', model => 'writer', max_tokens => 12)")
    assert first != one(db, "SELECT lore.generate('goodbye', model => 'writer', max_tokens => 12)")


def test_a_result_tells_how_it_ended_and_what_it_took(db, writer):
    row = db.execute(
        "SELECT * FROM lore.generate_result('hello', model => 'writer', system => 'Be brief.', max_tokens => 7)"
    ).fetchone()
    text, parsed, calls, reason, prompt_tokens, completion_tokens, timings, model = row
    assert text and parsed is None and calls is None and reason == "length" and model == "writer"
    assert prompt_tokens > len("hello") and completion_tokens == 7 and timings["total_ms"] > 0


def test_many_prompts_give_the_texts_that_each_gives_alone(db, writer):
    prompts = ["hello", None, "goodbye", "hello"]
    many = one(db, "SELECT lore.generate(%s::text[], model => 'writer', max_tokens => 9)", prompts)
    alone = [
        one(db, "SELECT lore.generate(%s::text, model => 'writer', max_tokens => 9)", prompt) for prompt in prompts
    ]
    assert many == alone and many[1] is None and many[0]
    assert one(db, "SELECT lore.generate('{}'::text[])") == []
    assert one(db, "SELECT lore.generate(NULL::text[])") is None


def test_one_of_many_prompts_that_fails_is_raised_and_told_apart_inside(db, fails, writer):
    assert fails("SELECT lore.generate(ARRAY['a', ' '], model => 'writer', max_tokens => 3)") == "LO101"
    found = one(
        db,
        "SELECT lore._generated_many(%s)",
        json.dumps({"prompts": ["a", " ", "b"], "model": "writer", "max_tokens": 3}),
    )
    assert [sorted(entry)[0] for entry in found] == ["complete", "error", "complete"]
    assert found[1]["error"]["code"] == "LO101" and found[0]["text"] and found[2]["text"]


def test_a_conversation_goes_on(db, writer):
    row = db.execute("SELECT text, prompt_tokens FROM lore.chat(%s, model => 'writer', max_tokens => 5)", [TALK])
    text, tokens = row.fetchone()
    longer = json.dumps([*json.loads(TALK), {"role": "assistant", "content": text}, {"role": "user", "content": "on"}])
    more = db.execute(
        "SELECT prompt_tokens FROM lore.chat(%s, model => 'writer', max_tokens => 5)", [longer]
    ).fetchone()
    assert more[0] > tokens


def test_null_gives_null(db):
    assert one(db, "SELECT lore.generate(NULL)") is None
    assert db.execute("SELECT * FROM lore.generate_result(NULL)").fetchone() == (None,) * 8
    assert db.execute("SELECT * FROM lore.chat(NULL)").fetchone() == (None,) * 8
    assert db.execute("SELECT lore.generate_stream(NULL)").fetchall() == []


def test_the_extractive_generator_answers_through_all_functions(db):
    prompt = one(db, "SELECT lore.prompt('What reclaims space?', ARRAY['VACUUM reclaims space.', 'Cats purr.'])")
    talk = json.dumps([{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}])
    text = one(db, "SELECT lore.generate(%s)", prompt)
    assert text.startswith("VACUUM reclaims space. [1]")
    assert one(db, "SELECT text FROM lore.chat(%s)", talk) == text
    assert one(db, "SELECT text FROM lore.generate_stream(%s)", prompt) == text
    assert one(db, "SELECT finish_reason FROM lore.chat_stream(%s)", talk) == "stop"


@pytest.mark.parametrize(
    "arguments",
    ["choices => '{yes,no}'", 'schema => \'{"type": "object"}\'', "regex => '[a-z]+'", "stop => '{x}'"],
)
def test_what_takes_a_language_model_says_so_without_one(db, arguments):
    with pytest.raises(psycopg.Error) as caught:
        db.execute(f"SELECT lore.generate('Is it? Yes.', {arguments})")
    assert caught.value.sqlstate == "LO206" and "lore.add_model" in caught.value.diag.message_hint


@pytest.mark.parametrize(
    "arguments, code",
    [
        ("''", "LO101"),
        ("'  '", "LO101"),
        ("repeat('x', 1000001)", "LO102"),
        ("'a', max_tokens => 0", "LO103"),
        ("'a', max_tokens => 1000000000", "LO103"),
        ("'a', temperature => -1", "LO103"),
        ("'a', temperature => 'NaN'", "LO103"),
        ("'a', top_p => 2", "LO103"),
        ("'a', seed => -1", "LO103"),
        ("'a', regex => '(a'", "LO103"),
        ("'a', regex => '(?=a)b'", "LO103"),
        ("'a', grammar => 'nonsense'", "LO103"),
        ("'a', choices => '{}'", "LO103"),
        ("'a', choices => '{a,\"\"}'", "LO103"),
        ("'a', stop => array_fill('x'::text, ARRAY[17])", "LO103"),
        ("'a', regex => 'a', choices => '{a}'", "LO103"),
        ("'a', choices => '{a}', stop => '{a}'", "LO103"),
        ("'a', schema => '[]'", "LO105"),
        ("'a', schema => '{\"type\": \"nonsense\"}'", "LO105"),
        ("'a', schema => '{\"$ref\": \"http://127.0.0.1/x\"}'", "LO105"),
        (
            "'a', schema => jsonb_build_object('enum', (SELECT jsonb_agg(i) FROM generate_series(1, 90000) AS i))",
            "LO105",
        ),
        ("'a', model => 'none'", "LO201"),
        ("'a', model => 'all-minilm-l6-v2'", "LO201"),
    ],
)
def test_what_cannot_be_is_an_error_of_the_list(fails, writer, arguments, code):
    model = "" if "model" in arguments else ", model => 'writer'"
    assert fails(f"SELECT lore.generate({arguments}{model})") == code
    assert fails(f"SELECT lore.generate_stream({arguments}{model})") == code


@pytest.mark.parametrize(
    "messages, code",
    [
        ("{}", "LO103"),
        ("[]", "LO101"),
        ("[7]", "LO103"),
        ('[{"role": "user"}]', "LO103"),
        ('[{"role": "robot", "content": "a"}]', "LO103"),
        ('[{"role": "user", "content": " "}]', "LO101"),
        ('[{"role": "user", "content": ["a"]}]', "LO103"),
        ('[{"role": "assistant", "content": null, "tool_calls": 7}]', "LO103"),
        ('[{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [{"name": 7}]}]', "LO103"),
    ],
)
def test_a_conversation_that_is_none_is_an_error_of_the_list(fails, writer, messages, code):
    assert fails("SELECT lore.chat(%s, model => 'writer')", [messages]) == code


def test_a_text_in_parts_is_read_as_a_text(db, writer):
    def tokens(content):
        talk = json.dumps([{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}])
        return one(db, "SELECT prompt_tokens FROM lore.chat(%s, model => 'writer', max_tokens => 1)", talk)

    assert tokens([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]) == tokens("one\ntwo")


def test_the_role_developer_is_the_systems(db):
    asking = {"role": "user", "content": "The sky is blue. What colour is the sky?"}
    talks = [json.dumps([{"role": role, "content": "Be brief."}, asking]) for role in ("system", "developer")]
    told = [db.execute("SELECT text, prompt_tokens FROM lore.chat(%s)", [talk]).fetchone() for talk in talks]
    assert told[0] == told[1]


@pytest.mark.parametrize("kind, said", [("image_url", "an image"), ("input_audio", "a sound"), ("odd", "no text")])
@pytest.mark.parametrize("model", ["writer", "extractive"])
def test_what_is_no_text_in_a_message_is_refused_by_name(db, writer, model, kind, said):
    talk = json.dumps([{"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": kind}]}])
    for function in ("chat", "chat_stream"):
        with pytest.raises(psycopg.Error) as caught:
            db.execute(f"SELECT lore.{function}(%s, model => %s)", [talk, model])
        assert caught.value.sqlstate == "LO103"
        assert "message 1" in caught.value.diag.message_primary and said in caught.value.diag.message_primary


def test_a_tool_without_a_name_is_refused(fails, writer):
    assert fails("SELECT lore.chat(%s, model => 'writer', tools => '[{}]')", [TALK]) == "LO103"
    assert fails("SELECT lore.chat(%s, model => 'writer', tools => '{}')", [TALK]) == "LO103"


def test_what_does_not_keep_a_schema_is_an_error_or_told_to_be_cut(db, fails, writer):
    """The tiny model writes nonsense, and its server enforces nothing: what comes is checked all the same."""
    notices = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    row = db.execute(
        "SELECT parsed, finish_reason "
        "FROM lore.generate_result('a', model => 'writer', schema => 'true', max_tokens => 5)"
    ).fetchone()
    assert row == (None, "length") and "bound of tokens" in notices[0]


def test_a_cancel_in_mid_generation_is_heard_at_once_and_frees_the_place(db, writer, connect, cancel, idle):
    other = connect()
    took = [cancel(other, LONG, after_s=0.03 * round) for round in range(10)]
    assert statistics.median(took) < 5  # of minutes; bench/cancel.py measures it
    idle()
    assert one(db, "SELECT lore.generate('hello', model => 'writer', max_tokens => 3)")


def test_requests_of_many_connections_do_not_disturb_each_other(db, writer, connect):
    alone = one(db, "SELECT lore.generate('hello', model => 'writer', max_tokens => 20)")
    found = []

    def ask(statement):
        connection = connect()
        try:
            found.append(one(connection, statement))
        except psycopg.Error as error:
            found.append(error.sqlstate)

    good = "SELECT lore.generate('hello', model => 'writer', max_tokens => 20)"
    bad = "SELECT lore.generate('hello', model => 'writer', regex => '(')"
    threads = [threading.Thread(target=ask, args=[bad if number % 3 == 2 else good]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(["LO103"] * 4 + [alone] * 8)


def test_the_numbers_of_a_language_model_are_counted(db, writer):
    db.execute("SELECT lore.generate('hello', model => 'writer', max_tokens => 3)")
    row = db.execute("SELECT to_jsonb(m) FROM lore.host_metrics() AS m WHERE alias = 'writer'").fetchone()[0]
    assert row["requests"] >= 1 and row["tokens"] > 3


def test_a_role_without_the_right_cannot_generate(db, role, connect):
    reader, stranger = role("lore_reader"), role()
    statement = "SELECT lore.generate(lore.prompt('What?', ARRAY['It is so.']))"
    assert one(connect(user=reader), statement)
    for call in (statement, "SELECT lore.chat('[]')", "SELECT lore.generate_stream('a')"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connect(user=stranger).execute(call)
