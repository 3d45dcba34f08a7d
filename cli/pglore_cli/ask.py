"""`pglore ask`: an answer with numbered sources, at once or as it is written."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from typing import Any

import click

import pglore

from . import options
from .output import clean, line, print_block, print_json, stdout, to_json

STAGES = ("standalone", "embed", "search", "generate", "total")


@click.command("ask")
@click.argument("question")
@options.collection
@options.retrieval
@options.reading
@click.option("-k", default=8, show_default=True, help="Passages that the generator reads.")
@click.option("--model", metavar="ALIAS", help="The generator; default the default one.")
@click.option(
    "--max-tokens", type=options.Limit(), default=2000, show_default=True,
    help='Tokens of the passages that the generator reads; "all" is what its window leaves.',
)
@click.option("--answer-tokens", metavar="N", type=click.IntRange(1), help="Tokens of the answer, at most.")
@click.option("--language", metavar="NAME", help="Language of the answer, such as German or de.")
@click.option("--template", metavar="NAME[@VERSION]", help="The prompt template; default the one called default.")
@click.option("--stream", is_flag=True, help="Show the answer as it is written; with --json a line for each piece.")
@options.database
def command(question: str, collection: str, dsn: str | None, as_json: bool, stream: bool, **given: Any) -> None:
    """Answer a question from a collection, citing its sources.

    \b
    Example:
      pglore ask "How do I reclaim disk space without locking a table?" -c manual
      pglore ask "How do I reclaim disk space?" -c manual --model qwen --stream
    """
    with pglore.connect(dsn, application_name="pglore ask") as client:
        if stream:
            with closing(client.collection(collection).ask_stream(question, **given)) as pieces:
                print_lines(pieces) if as_json else show_pieces(pieces)
            return
        answer = client.collection(collection).ask(question, **given)
    print_json(answer) if as_json else show(answer)


def show(answer: pglore.Answer) -> None:
    """The answer, then each source: number, key, heading, quoted words."""
    from rich.text import Text

    stdout().print(Text(clean(answer.answer)))
    show_sources(answer)


def show_pieces(pieces: Any) -> pglore.AnswerPiece | None:
    """The pieces as they come, then the sources; the last piece, None where there is none."""
    last = None
    for last in pieces:
        sys.stdout.write(clean(last.answer))
        sys.stdout.flush()
    click.echo()
    if last is not None:
        show_sources(last)
    return last


def print_lines(pieces: Any) -> None:
    """A JSON object on a line of its own for each piece, as it comes."""
    for piece in pieces:
        click.echo(json.dumps(to_json(piece), ensure_ascii=False, default=str))
        sys.stdout.flush()


def show_sources(answer: pglore.Answer | pglore.AnswerPiece) -> None:
    """What stands behind the citations; what the answer lacks is said on standard error."""
    from rich.text import Text

    console = stdout()
    if answer.sources:
        console.print()
    for source in answer.sources or []:
        head = Text.assemble((f"[{source.n}] ", "bold"), (line(source.key), "bold cyan"))
        if source.heading:
            head.append(f"  {line(source.heading)}", "italic")
        console.print(head)
        print_block(f"“{line(source.quote)}”", "dim")
    if answer.finish_reason == "length":
        click.echo("The answer was cut at its bound of tokens.", err=True)
    if removed := (answer.usage or {}).get("foreign_citations"):
        click.echo(f"Citations of sources that were not given were taken out: {removed}.", err=True)
    if console.is_terminal and (timings := answer.timings):
        stages = ", ".join(f"{name} {timings[name]:.0f} ms" for name in STAGES if name in timings)
        console.print(Text(f"\n{stages}", "dim"))
