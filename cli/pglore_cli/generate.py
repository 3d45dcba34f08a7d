"""`pglore generate`: a text from a prompt, shown as it is written."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import click

import pglore

from .options import database
from .output import clean, print_json


class Schema(click.ParamType):
    """A JSON schema given as text, or as @FILE."""

    name = "schema"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(Path(value[1:]).read_text(encoding="utf-8") if value.startswith("@") else value)
        except (OSError, ValueError) as error:
            self.fail(f"no JSON schema: {error}", param, ctx)


@click.command("generate")
@click.argument("prompt")
@click.option("--model", metavar="ALIAS", help="The generator; default the default one.")
@click.option("--system", metavar="TEXT", help="An instruction that stands above the prompt.")
@click.option("--schema", metavar="JSON|@FILE", type=Schema(), help="JSON schema that the text follows.")
@click.option("--choice", "choices", metavar="TEXT", multiple=True, help="The text is one of these; several times.")
@click.option("--regex", metavar="PATTERN", help="The text matches this as a whole.")
@click.option("--grammar", metavar="@FILE|TEXT", help="The text follows this grammar.")
@click.option("--max-tokens", metavar="N", type=int, help="Bound of the text.")
@click.option("--temperature", metavar="T", type=float, default=0, show_default=True, help="0 is the likeliest text.")
@click.option("--top-p", metavar="P", type=float, help="Take from the likeliest tokens that make up this share.")
@click.option("--stop", metavar="TEXT", multiple=True, help="The text ends before this; several times.")
@click.option("--seed", metavar="N", type=int, help="The same seed gives the same text.")
@database
def command(prompt: str, dsn: str | None, as_json: bool, **options: Any) -> None:
    """Write a text from a prompt; "-" reads the prompt from standard input.

    \b
    Example:
      pglore generate "Three names for a cat." --model qwen
      pglore generate - --model qwen --schema @invoice.json < letter.txt
    """
    if prompt == "-":
        prompt = sys.stdin.read()
    if (grammar := options["grammar"]) and grammar.startswith("@"):
        options["grammar"] = Path(grammar[1:]).read_text(encoding="utf-8")
    found = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    given: Any = {name: value for name, value in found.items() if value not in (None, [])}
    with pglore.connect(dsn, application_name="pglore generate") as client:
        if as_json:
            print_json(client.generate_result(prompt, **given))
        else:
            with closing(client.generate_stream(prompt, **given)) as pieces:
                show(pieces)


def show(pieces: Any) -> None:
    """The pieces as they come; what they lack is said on standard error."""
    last = None
    for last in pieces:
        sys.stdout.write(clean(last.text))
        sys.stdout.flush()
    click.echo()
    if last is not None and last.finish_reason == "length":
        click.echo("The text was cut at its bound of tokens: raise --max-tokens.", err=True)
    for call in (last and last.tool_calls) or []:
        print_json(call)
