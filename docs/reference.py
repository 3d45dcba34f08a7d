"""Write docs/reference/ from its sources: `python docs/reference.py [--dsn DSN]`.

sql.md     the catalog's comments, and the signatures in sql/ with their remarks on each argument (needs a server)
errors.md  sql/errcodes.txt
cli.md     the help of each command
python.md  signatures and docstrings of the client
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path

import click
import psycopg

import pglore
from pglore.client import default_dsn
from pglore_cli.main import main as cli

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
CHAPTERS = {"2": "The model host", "3": "Models and text", "4": "Collections", "5": "Search and answers", "6": "Care"}
NOTE = "Written by `python docs/reference.py`; change the source instead."
FUNCTION = re.compile(r"^CREATE (?:OR REPLACE )?FUNCTION (lore\.[a-z]\w*)(\(.*?)\nLANGUAGE", re.DOTALL | re.MULTILINE)
AGGREGATE = re.compile(r"^CREATE AGGREGATE (lore\.[a-z]\w*)(\(.*?\)) \(\n", re.MULTILINE)
VIEW = re.compile(r"^CREATE (?:OR REPLACE )?VIEW (lore\.[a-z]\w*)", re.MULTILINE)


def sql_reference(connection: psycopg.Connection) -> str:
    """Every function and view that users call, in the order of the files of sql/."""
    functions = catalog_functions(connection)
    parts = ["# SQL reference", NOTE]
    parts.append(
        "Arguments may be passed by name (`k => 5`), and names and defaults are a promise."
        " NULL input gives NULL, or no rows."
        " The roles `lore_reader`, `lore_writer` and `lore_admin` each include the one before."
        " Errors are listed in [errors](errors.md)."
    )
    chapter = None
    for path in sorted((ROOT / "sql").glob("[0-9]*.sql")):
        text = path.read_text()
        entries = [(match.start(), function(match, functions)) for match in FUNCTION.finditer(text)]
        entries += [(match.start(), function(match, functions)) for match in AGGREGATE.finditer(text)]
        entries += [(match.start(), view(connection, match[1])) for match in VIEW.finditer(text)]
        if entries and chapter != (chapter := CHAPTERS[path.name[0]]):
            parts.append(f"## {chapter}")
        parts += [entry for _, entry in sorted(entries)]
    missing = [name for name, rows in functions.items() if rows]
    if missing:
        raise LookupError(f"not found in sql/: {missing}")
    return "\n\n".join(parts) + "\n"


def catalog_functions(connection: psycopg.Connection) -> dict[str, list[tuple[str, str | None]]]:
    """(comment, role) of each public function by name, overloads in the order they were made."""
    found: dict[str, list[tuple[str, str | None]]] = {}
    rows = connection.execute("""
        SELECT 'lore.' || p.proname, pg_catalog.obj_description(p.oid, 'pg_proc'),
               (SELECT r FROM unnest(ARRAY['lore_reader', 'lore_writer', 'lore_admin']) WITH ORDINALITY AS roles(r, n)
                WHERE pg_catalog.has_function_privilege(r, p.oid, 'EXECUTE') ORDER BY n LIMIT 1)
        FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'lore'::regnamespace AND p.proname NOT LIKE '\\_%' ORDER BY p.oid""")
    for name, comment, role in rows:
        found.setdefault(name, []).append((comment, role))
    return found


def function(match: re.Match, functions: dict[str, list[tuple[str, str | None]]]) -> str:
    """One function: its signature as the source writes it, its comment, who may call it."""
    name = match[1]
    comment, role = functions[name].pop(0)
    signature = re.sub(r"^--.*\n?", "", f"{name}{match[2]}", flags=re.MULTILINE).rstrip()
    return f"### {name}\n\n```\n{signature}\n```\n\n{linked(comment)}\n\nFor `{role}`."


def view(connection: psycopg.Connection, name: str) -> str:
    """One view: its comment and its columns."""
    comment = connection.execute("SELECT obj_description(%s::regclass, 'pg_class')", [name]).fetchone()[0]
    columns = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod), coalesce(col_description(attrelid, attnum), '')"
        " FROM pg_catalog.pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
        [name],
    )
    rows = [f"| `{column}` | {kind} | {what} |" for column, kind, what in columns]
    return "\n".join([f"### {name}", "", f"View. {linked(comment)}", "", "| column | type | |", "|---|---|---|", *rows])


def linked(comment: str) -> str:
    """A comment as Markdown, whose error codes lead to the list of errors."""
    return re.sub(r"\b(LO\d{3})\b", r"[\1](errors.md)", comment.replace("<", "&lt;"))


def errors_reference() -> str:
    """The list of errors."""
    rows = []
    for code, name, again, what, hint in errors():
        exception = "".join(word.capitalize() for word in name.split("_"))
        rows.append(f"| {code} | `{exception}` | {what} | {hint} | {75 if again == 'yes' else 1} |")
    head = "| SQLSTATE | exception of the client | what happened | what to do | exit code |\n|---|---|---|---|---|"
    intro = (
        "Every error that pglore raises. The same code is the SQLSTATE in SQL, the class in `pglore.errors`, and in the"
        " frames of the model host. `LO1` is about the call, `LO2` about the set-up, `LO3` says that the same call may"
        " succeed later, `LO9` is a fault of pglore. Errors that are PostgreSQL's own, such as 57014 for a cancelled"
        " statement or 42501 for a missing privilege, keep their codes and stay psycopg's exceptions."
    )
    return "\n\n".join(["# Errors", NOTE, intro, head + "\n" + "\n".join(rows)]) + "\n"


def errors() -> list[list[str]]:
    """The rows of sql/errcodes.txt: code, name, again, what, hint."""
    lines = (ROOT / "sql" / "errcodes.txt").read_text().splitlines()
    return [[cell.strip() for cell in line.split("|", 4)] for line in lines if line.startswith("LO")]


def cli_reference() -> str:
    """The help of `pglore` and of each command."""
    parts = ["# Command line", NOTE]
    root = click.Context(cli, info_name="pglore", terminal_width=100, help_option_names=["-h", "--help"])
    parts.append(f"```\n{cli.get_help(root)}\n```")
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        context = click.Context(command, info_name=name, parent=root, terminal_width=100)
        parts.append(f"## pglore {name}\n\n```\n{command.get_help(context)}\n```")
        for inner, sub in sorted(getattr(command, "commands", {}).items()):
            below = click.Context(sub, info_name=inner, parent=context, terminal_width=100)
            parts.append(f"### pglore {name} {inner}\n\n```\n{sub.get_help(below)}\n```")
    return "\n\n".join(parts) + "\n"


def python_reference() -> str:
    """What the client's classes do and what they give back."""
    parts = ["# Python client", NOTE]
    parts.append(
        "`pglore.connect()` gives a `Client`, `await pglore.aconnect()` an `AsyncClient` with the same methods to"
        " await; `pglore.Client(connection)` wraps a psycopg connection of yours. What is raised: [errors](errors.md)."
    )
    for kind in (pglore.Client, pglore.Collection):
        parts.append(f"## {kind.__name__}\n\n{inspect.getdoc(kind)}")
        methods = ((name, getattr(kind, name)) for name in dir(kind) if not name.startswith("_"))
        parts += [f"### {name}\n\n```\n{method(name, value)}\n```" for name, value in methods if callable(value)]
    parts.append("## Results\n\nFrozen dataclasses.")
    results = (getattr(pglore, name) for name in pglore.__all__)
    for kind in results:
        if dataclasses.is_dataclass(kind):
            fields = "\n".join(f"{field.name}: {field.type}" for field in dataclasses.fields(kind))
            parts.append(f"### {kind.__name__}\n\n{inspect.getdoc(kind)}\n\n```\n{fields}\n```")
    return "\n\n".join(parts) + "\n"


def method(name: str, value: Callable) -> str:
    """A method as it is called, with its docstring."""
    signature = re.sub(r"^\((self|cls)(, )?", "(", str(inspect.signature(value)))
    signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", signature)
    return f"{name}{signature}\n\n{inspect.getdoc(value)}"


def main() -> None:
    """Write the four pages."""
    dsn = sys.argv[2] if sys.argv[1:2] == ["--dsn"] else None
    FOLDER.mkdir(exist_ok=True)
    with psycopg.connect(default_dsn(dsn)) as connection:
        (FOLDER / "sql.md").write_text(sql_reference(connection))
    (FOLDER / "errors.md").write_text(errors_reference())
    (FOLDER / "cli.md").write_text(cli_reference())
    (FOLDER / "python.md").write_text(python_reference())
    print(f"written for pglore {pglore.__version__}: {FOLDER}")


if __name__ == "__main__":
    main()
