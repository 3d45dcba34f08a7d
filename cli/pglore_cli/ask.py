"""`pglore ask`: an answer with numbered sources."""

from __future__ import annotations

from typing import Any

import click

import pglore

from . import options
from .output import clean, line, print_block, print_json, stdout

STAGES = ("embed", "search", "generate", "total")


@click.command("ask")
@click.argument("question")
@options.collection
@options.retrieval
@click.option("-k", default=8, show_default=True, help="Passages that the generator reads.")
@click.option("--model", metavar="ALIAS", help="The generator; default the default one.")
@click.option("--max-tokens", default=2000, show_default=True, help="Tokens that the generator reads.")
@options.database
def command(question: str, collection: str, dsn: str | None, as_json: bool, **given: Any) -> None:
    """Answer a question from a collection, citing its sources.

    \b
    Example:
      pglore ask "How do I reclaim disk space without locking a table?" -c manual
    """
    with pglore.connect(dsn, application_name="pglore ask") as client:
        answer = client.collection(collection).ask(question, **given)
    print_json(answer) if as_json else show(answer)


def show(answer: pglore.Answer) -> None:
    """The answer, then each source: number, key, heading, quoted words."""
    from rich.text import Text

    console = stdout()
    console.print(Text(clean(answer.answer)))
    if answer.sources:
        console.print()
    for source in answer.sources:
        head = Text.assemble((f"[{source.n}] ", "bold"), (line(source.key), "bold cyan"))
        if source.heading:
            head.append(f"  {line(source.heading)}", "italic")
        console.print(head)
        print_block(f"“{line(source.quote)}”", "dim")
    if console.is_terminal:
        stages = ", ".join(f"{name} {answer.timings[name]:.0f} ms" for name in STAGES if name in answer.timings)
        console.print(Text(f"\n{stages}", "dim"))
