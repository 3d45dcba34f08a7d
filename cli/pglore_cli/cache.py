"""`pglore cache`: the result cache of a database."""

from __future__ import annotations

from datetime import timedelta

import click

import pglore

from .models import tell
from .options import database
from .output import print_json, print_table, size


def connection(dsn: str | None) -> pglore.Client:
    """A client that says who it is."""
    return pglore.connect(dsn, application_name="pglore cache")


@click.group("cache", invoke_without_command=True)
@database
@click.pass_context
def command(ctx: click.Context, dsn: str | None, as_json: bool) -> None:
    """Show what the result cache holds by role and model, clear it, or bound it.

    \b
    Example:
      pglore cache
      pglore cache clear --unused-for-days 30
    """
    if ctx.invoked_subcommand is not None:
        return
    with connection(dsn) as client:
        found = client.cached_results()
    if as_json:
        return print_json(found)
    groups: dict[tuple[str, str, str], list[pglore.CachedResult]] = {}
    for one in found:
        groups.setdefault((one.role, one.model, one.operation), []).append(one)
    rows = [
        [*key, len(all_), size(sum(one.bytes for one in all_)), max(one.used_at for one in all_).astimezone()]
        for key, all_ in sorted(groups.items())
    ]
    print_table(["role", "model", "operation", "results", "size", "last used"], rows, styles=(None, "bold cyan"))


@command.command("clear")
@click.option("-m", "--model", help="Only results of this model.")
@click.option("--role", help="Whose results; default one's own, public for all roles'.")
@click.option("--unused-for-days", type=click.FloatRange(0), help="Only what was not used for so long.")
@database
def clear(model: str | None, role: str | None, unused_for_days: float | None, dsn: str | None, as_json: bool) -> None:
    """Take results out of the cache."""
    unused_for = None if unused_for_days is None else timedelta(days=unused_for_days)
    with connection(dsn) as client:
        count = client.cache_clear(model, role=role, unused_for=unused_for)
    tell(as_json, f"Removed {count:,} results.", removed=count)


@command.command("size")
@click.argument("megabytes", type=click.FloatRange(0))
@database
def bound(megabytes: float, dsn: str | None, as_json: bool) -> None:
    """Bound the cache of this database; what was not used for longest goes first."""
    with connection(dsn) as client:
        client.set_cache_size(megabytes)
    tell(as_json, f"The result cache holds {megabytes:g} MB at most.", megabytes=megabytes)
