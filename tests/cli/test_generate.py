"""`pglore generate`."""

import json
import signal


def test_a_text_is_written(pglore, writer):
    result = pglore("generate", "hello", "--model", writer, "--max-tokens", 9)
    assert result.exit_code == 0 and len(result.stdout.strip()) > 1
    assert "cut at its bound" in result.stderr


def test_the_prompt_may_come_from_standard_input(pglore, writer):
    given = pglore("generate", "hello", "--model", writer, "--max-tokens", 9).stdout
    assert pglore("generate", "-", "--model", writer, "--max-tokens", 9, input="hello").stdout == given


def test_json_tells_of_the_whole(pglore, writer):
    result = pglore("generate", "hello", "--model", writer, "--max-tokens", 3, "--json")
    found = json.loads(result.stdout)
    assert (found["finish_reason"], found["completion_tokens"], found["model"]) == ("length", 3, writer)


def test_a_schema_may_lie_in_a_file_and_is_looked_at(pglore, writer, tmp_path):
    path = tmp_path / "schema.json"
    path.write_text('{"type": "nonsense"}')
    result = pglore("generate", "hello", "--model", writer, "--schema", f"@{path}")
    assert result.exit_code == 1 and "JSON schema" in result.stderr
    path.write_text("no JSON")
    assert pglore("generate", "hello", "--schema", f"@{path}").exit_code == 2


def test_an_error_has_its_hint(pglore, db):
    result = pglore("generate", "Yes?", "--choice", "yes", "--choice", "no")
    assert result.exit_code == 1 and "lore.add_model" in result.stderr


def test_pieces_come_before_the_end_and_ctrl_c_stops_the_model(start, writer, idle):
    process = start("generate", "hello", "--model", writer, "--max-tokens", 100000)
    assert process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    idle()
