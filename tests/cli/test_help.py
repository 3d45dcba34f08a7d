"""Every command explains itself."""

import click
import pytest

from pglore_cli.main import COMMANDS, main


def command(name: str) -> click.Command:
    return main.get_command(click.Context(main), name)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example_of_it(pglore, name):
    result = pglore(name, "--help")
    assert result.exit_code == 0
    example = result.stdout.split("Example:")[1].split("Options:")[0]
    assert f"pglore {name}" in example


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_the_name_it_is_found_by(name):
    assert command(name).name == name


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_dsn_and_json_and_explains_every_option(name):
    options = {option.name: option for option in command(name).params if isinstance(option, click.Option)}
    assert {"dsn", "as_json"} <= set(options)
    assert [option.name for option in options.values() if not option.help] == []


def test_the_help_of_all_lists_every_command(pglore):
    text = pglore("--help").stdout
    assert [name for name in COMMANDS if f"\n  {name} " not in text] == []


def test_an_unknown_command_is_a_usage_error(pglore):
    assert pglore("nonsense").exit_code == 2
