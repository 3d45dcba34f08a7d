"""Showing where the time of a search goes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pglore

from .output import line, print_table, stdout

COLUMNS = ("stage", "ms", "rows", "index", "detail")
BAR = 24  # characters of the longest bar
INDEX = 30  # characters of the indexes' names that are shown
EIGHTHS = " ▏▎▍▌▋▊▉█"


def show_stages(stages: Sequence[pglore.Stage]) -> None:
    """A row for each stage: with a bar where its time lies within the whole on a terminal, tab-separated in a pipe."""
    if not sys.stdout.isatty():
        rows = [(stage.stage, f"{stage.ms:.3f}", stage.rows, stage.index, stage.detail) for stage in stages]
        return print_table(COLUMNS, rows)
    from rich.table import Table
    from rich.text import Text

    console = stdout()
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("stage", "ms", "", "rows", "index", "detail"):
        table.add_column(name, justify="right" if name in ("ms", "rows") else "left", no_wrap=True)
    longest = max((stage.ms for stage in stages if stage.stage != "total"), default=0)
    indexes = max(len(line(stage.index or "", INDEX)) for stage in stages)
    room = max(console.width - BAR - indexes - 36, 16)  # what the other columns leave for the detail
    for stage in stages:
        total = stage.stage == "total"
        drawn = "" if total or not longest else bar(stage.ms / longest)
        counted = "" if stage.rows is None else f"{stage.rows:,}"
        cells = (stage.stage, f"{stage.ms:.2f}", Text(drawn, "cyan"), counted, Text(line(stage.index or "", INDEX)))
        table.add_row(*cells, Text(line(stage.detail or "", room), "dim"), style="bold" if total else None)
    console.print(table)


def bar(share: float) -> str:
    """A bar of at most BAR characters; a stage that took any time has at least the thinnest."""
    eighths = max(round(share * BAR * 8), 1 if share > 0 else 0)
    full, rest = divmod(eighths, 8)
    return "█" * full + (EIGHTHS[rest] if rest else "")
