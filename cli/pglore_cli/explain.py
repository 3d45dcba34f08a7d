"""Showing where the time of a search goes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pglore

from .output import line, print_table, stdout

COLUMNS = ("stage", "ms", "rows", "index", "detail")
BAR = 24  # characters of the longest bar
EIGHTHS = " ▏▎▍▌▋▊▉█"


def show_stages(stages: Sequence[pglore.Stage]) -> None:
    """A row for each stage: with a bar where its time lies within the whole on a terminal, tab-separated in a pipe."""
    if not sys.stdout.isatty():
        rows = [(stage.stage, f"{stage.ms:.3f}", stage.rows, stage.index, stage.detail) for stage in stages]
        return print_table(COLUMNS, rows)
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name, width in (("stage", 9), ("ms", 8), ("", BAR), ("rows", 4), ("index", None), ("detail", None)):
        right = name in ("ms", "rows")  # the widest cells give way first, by an ellipsis
        table.add_column(name, justify="right" if right else "left", no_wrap=True, min_width=width)
    longest = max((stage.ms for stage in stages if stage.stage != "total"), default=0)
    for stage in stages:
        total = stage.stage == "total"
        drawn = "" if total or not longest else bar(stage.ms / longest)
        counted = "" if stage.rows is None else f"{stage.rows:,}"
        cells = (stage.stage, f"{stage.ms:.2f}", Text(drawn, "cyan"), counted, Text(line(stage.index or "")))
        table.add_row(*cells, Text(line(stage.detail or ""), "dim"), style="bold" if total else None)
    stdout().print(table)


def bar(share: float) -> str:
    """A bar of at most BAR characters; a stage that took any time has at least the thinnest."""
    eighths = max(round(share * BAR * 8), 1 if share > 0 else 0)
    full, rest = divmod(eighths, 8)
    return "█" * full + (EIGHTHS[rest] if rest else "")
