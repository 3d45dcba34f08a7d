"""Options that several commands take."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

MODES = ["hybrid", "vector", "keyword"]
FUSIONS = ["score", "rrf"]
MATCHES = ["any", "all", "phrase", "prefix", "fuzzy"]
KEYWORDS = ["bm25", "tsvector", "pg_search", "vchord_bm25"]
EXPANSIONS = ["queries", "hypothetical"]
INDEX_KINDS = ["auto", "exact", "hnsw", "hnsw_bit", "ivfflat", "diskann", "vchordrq"]


def database(command: Callable[..., Any]) -> Callable[..., Any]:
    """--dsn and --json, which every command takes."""
    command = click.option("--json", "as_json", is_flag=True, callback=note_json, help="Print JSON.")(command)
    return click.option(
        "--dsn",
        metavar="DSN",
        callback=inherit,
        help="Connection string or URL; default PGLORE_DSN, then libpq's environment.",
    )(command)


def inherit(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """An option of a group, such as `pglore models`, holds for its commands too."""
    return value or (ctx.parent.params.get(param.name or "") if ctx.parent else None) or value


def note_json(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    """Tell what prints errors that they are to be JSON."""
    value = ctx.meta["pglore.json"] = inherit(ctx, param, value)
    return value


class JsonObject(click.ParamType):
    """A JSON object given as text."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        try:
            found = json.loads(value)
        except ValueError as error:
            self.fail(f"not JSON: {error}", param, ctx)
        if not isinstance(found, dict):
            self.fail('not a JSON object such as {"section": "maintenance"}', param, ctx)
        return found


class Names(click.ParamType):
    """Names with commas between; nothing is an empty list."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        return value if isinstance(value, list) else [name.strip() for name in value.split(",") if name.strip()]


class Limit(click.ParamType):
    """A number from 1, or "all" for no limit."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        return None if value == "all" else click.IntRange(1).convert(value, param, ctx)


class Vector(click.ParamType):
    """A JSON list of numbers, or @FILE that holds one."""

    name = "vector"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[float]:
        if isinstance(value, list):
            return value
        try:
            found = json.loads(Path(value[1:]).read_text() if value.startswith("@") else value)
            if isinstance(found, list):
                return [float(number) for number in found]
        except (OSError, ValueError, TypeError) as error:
            self.fail(f"not a vector: {error}", param, ctx)
        self.fail("not a JSON list such as [0.1, 0.2]", param, ctx)


def retrieval(command: Callable[..., Any]) -> Callable[..., Any]:
    """What search and ask have in common: --mode, --filter, --rerank."""
    for option in (
        click.option("--rerank", metavar="MODEL", help="Rerank with this model; 'default' for the default reranker."),
        click.option(
            "--filter", metavar="JSON", type=JsonObject(), help='On the metadata: \'{"year": {"$gte": 2020}}\'.'
        ),
        click.option("--mode", type=click.Choice(MODES), default="hybrid", show_default=True, help="How to find."),
    ):
        command = option(command)
    return command


def reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """What search and ask have in common beyond that: how candidates are fused and chosen from."""
    for option in (
        click.option(
            "--match", type=click.Choice(MATCHES), default="any", show_default=True, help="Words that must be there."
        ),
        click.option("--generator", metavar="MODEL", help="Language model that expands."),
        click.option(
            "--expand", type=click.Choice(EXPANSIONS), help="Have a language model write other wordings, or an answer."
        ),
        click.option(
            "--weights", metavar="JSON", type=JsonObject(), help="Of the stages: '{\"vector\": 1, \"keyword\": 0.5}'."
        ),
        click.option(
            "--diversity", type=click.FloatRange(0, 1), help="What a chunk loses for its likeness to those before."
        ),
        click.option(
            "--fusion", type=click.Choice(FUSIONS), default="score", show_default=True, help="By scores or by ranks."
        ),
    ):
        command = option(command)
    return command


def ranking(command: Callable[..., Any]) -> Callable[..., Any]:
    """What of lore.search only search takes."""
    for option in (
        click.option(
            "--vector", metavar="JSON", type=Vector(), help="Of the query: a list or @FILE, instead of QUERY."
        ),
        click.option(
            "--neighbours", type=click.IntRange(0, 100), default=0, show_default=True,
            help="Chunks before and behind each whose text is given with it.",
        ),
        click.option(
            "--per-document", type=Limit(), default=1, show_default=True, help='Most hits of one document, or "all".'
        ),
        click.option("--candidates", type=click.IntRange(1, 10_000), help="Chunks that each arm offers to the fusion."),
    ):  # fmt: skip
        command = option(command)
    return command


def collection(command: Callable[..., Any]) -> Callable[..., Any]:
    """--collection, by default the one that `pglore ingest` makes."""
    return click.option(
        "-c", "--collection", metavar="NAME", default="documents", show_default=True, help="The collection."
    )(command)
