"""`pglore estimate`: what a call over a column of texts would cost."""

from __future__ import annotations

import click

import pglore

from .options import database
from .output import print_json
from .status import show


@click.command("estimate")
@click.argument("operation")
@click.argument("table")
@click.argument("column")
@click.option("-m", "--model", help="Alias; default the operation's default model.")
@click.option("--max-tokens", type=click.IntRange(1), help="Bound of each text that is written.")
@database
def command(
    operation: str, table: str, column: str, model: str | None, max_tokens: int | None, dsn: str | None, as_json: bool
) -> None:
    """Tell tokens and seconds of embed, rerank, generate or an operator over a column, before it is run.

    \b
    Example:
      pglore estimate embed articles body
      pglore estimate summarize public.articles body -m qwen
    """
    with pglore.connect(dsn, application_name="pglore estimate") as client:
        found = client.estimate_column(operation, table, column, model=model, max_tokens=max_tokens)
    if as_json:
        return print_json(found)
    guessed = "" if found.exact else ", guessed from their characters"
    facts = {
        "model": found.model_used,
        "texts": f"{found.texts:,}, of which {found.sampled:,} were looked at",
        "tokens read": f"{found.input_tokens:,}{guessed}",
        "tokens written": f"about {found.output_tokens:,}, at most {found.most_output_tokens:,}",
        "seconds": f"unknown: {found.basis}" if found.seconds is None else f"{found.seconds:,.1f}, by {found.basis}",
    }
    show(facts)
