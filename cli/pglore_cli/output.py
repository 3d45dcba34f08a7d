"""Printing: pleasing on a terminal, plain and one record a line when piped, JSON when asked for."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def stdout() -> Console:
    """Standard output: styled and wrapped on a terminal, neither in a pipe."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def stderr() -> Console:
    """Standard error, likewise."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def clean(text: Any) -> str:
    """Text without control characters: a document must not be able to steer the terminal."""
    return CONTROL.sub(" ", str(text))


def line(text: str, width: int | None = None) -> str:
    """Text on one line, cut at a word border to at most width characters."""
    text = " ".join(clean(text).split())
    if width is None or len(text) <= width:
        return text
    return text[: width - 1].rsplit(" ", 1)[0] + "…"


def print_block(text: str, style: str = "") -> None:
    """A paragraph set in by four characters: wrapped on a terminal, one line in a pipe."""
    from rich.padding import Padding
    from rich.text import Text

    console = stdout()
    block = Padding(Text(text, style), (0, 0, 0, 4))
    console.print(block) if console.is_terminal else click.echo(f"    {text}")


def print_json(value: Any) -> None:
    """A result as one JSON document on standard output."""
    click.echo(json.dumps(to_json(value), ensure_ascii=False, indent=2, default=str))


def to_json(value: Any) -> Any:
    """A result, or a list of them, in plain mappings; times in ISO form, durations in seconds."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.isoformat() if hasattr(value, "isoformat") else value


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], styles: Sequence[str | None] = ()) -> None:
    """Rows under their columns' names: a table on a terminal, tab-separated lines in a pipe."""
    cells = [["" if value is None else line(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [columns, *cells]:
            click.echo("\t".join(row))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        table.add_column(name, style=styles[number] if number < len(styles) else None, no_wrap=True)
    for row in cells:
        table.add_row(*(Text(value) for value in row))
    stdout().print(table)


def size(count: int | None) -> str | None:
    """Bytes as people read them."""
    if count is None:
        return None
    value, units = float(count), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while value >= 1000 and unit != "TB":
        value, unit = value / 1000, next(units)
    return f"{value:.0f} {unit}" if unit in ("B", "kB") else f"{value:.1f} {unit}"
