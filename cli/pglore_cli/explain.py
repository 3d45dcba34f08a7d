"""Showing where the time of a search goes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pglore

from .output import line, print_table, stdout

COLUMNS = ("stage", "ms", "rows", "index", "detail")
BAR = 24  # characters of the longest bar
INDEX = 30  # characters of the indexes' names that are shown
LEAST = 5  # characters of a column that is worth its place; "index" has as many
GAP = 2  # spaces between columns
EIGHTHS = " ▏▎▍▌▋▊▉█"


def show_stages(stages: Sequence[pglore.Stage]) -> None:
    """A row for each stage: with a bar where its time lies within the whole on a terminal, tab-separated in a pipe."""
    if not sys.stdout.isatty():
        rows = [(stage.stage, f"{stage.ms:.3f}", stage.rows, stage.index, stage.detail) for stage in stages]
        return print_table(COLUMNS, rows)
    from rich.table import Table
    from rich.text import Text

    console = stdout()
    longest = max((stage.ms for stage in stages if stage.stage != "total"), default=0)
    counted = ["" if stage.rows is None else f"{stage.rows:,}" for stage in stages]
    whole = [("stage", [stage.stage for stage in stages]), ("ms", [f"{stage.ms:.2f}" for stage in stages])]
    whole.append(("rows", counted))
    room = console.width - sum(max(map(len, [name, *cells])) + GAP for name, cells in whole)
    drawn, indexes, detail = share(room, max(len(stage.index or "") for stage in stages))
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    columns: dict[str, tuple[list[str], str | None]] = {name: (cells, None) for name, cells in whole[:2]}
    if drawn:
        shares = [0 if stage.stage == "total" or not longest else stage.ms / longest for stage in stages]
        columns[""] = ([bar(part, drawn) for part in shares], "cyan")
    columns["rows"] = (counted, None)
    if indexes:
        columns["index"] = ([line(stage.index or "", indexes) for stage in stages], None)
    if detail:
        columns["detail"] = ([line(stage.detail or "", detail) for stage in stages], "dim")
    for name, (_, style) in columns.items():
        table.add_column(name, justify="right" if name in ("ms", "rows") else "left", style=style, no_wrap=True)
    for stage, *row in zip(stages, *(cells for cells, _ in columns.values()), strict=True):
        table.add_row(*map(Text, row), style="bold" if stage.stage == "total" else None)
    console.print(table)


def share(room: int, index: int) -> tuple[int, int, int]:
    """Characters of the bars, the indexes' names and the detail in what stage, ms and rows leave; 0 leaves it out."""
    drawn = min(BAR, max(room // 3, min(room, LEAST + GAP)) - GAP)
    indexes = min(INDEX, index, (room - drawn) // 2 - 2 * GAP)
    detail = room - drawn - indexes - 2 * GAP
    return tuple(width if width >= LEAST else 0 for width in (drawn, indexes, detail))  # type: ignore[return-value]


def bar(share: float, width: int = BAR) -> str:
    """A bar of at most width characters; a stage that took any time has at least the thinnest."""
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    full, rest = divmod(eighths, 8)
    return "█" * full + (EIGHTHS[rest] if rest else "")
