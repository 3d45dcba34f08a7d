"""The catalog of pglore: made, changed and removed by Alembic revisions.

    upgrade(connection)    make the catalog, or bring it to the newest revision
    downgrade(connection)  remove it with every collection
    check(connection)      whether it is at the newest revision

`connection` is a DSN, a psycopg connection, or a SQLAlchemy connection such as `op.get_bind()` of an application's own
revision. Each is one transaction, and part of the caller's where the caller has one open.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command, context, op
from alembic.config import Config
from alembic.script import ScriptDirectory

from .bind import bound

__all__ = ["SCHEMA", "check", "downgrade", "include_name", "upgrade"]

SCHEMA = "lore_data"


def upgrade(connection: Any, revision: str = "head") -> None:
    """Bring the catalog to a revision; at the newest one nothing is done. raises RuntimeError without the extension"""
    with bound(connection) as bind, _own_proxies():
        bind.exec_driver_sql("SET LOCAL client_min_messages = warning")
        command.upgrade(_config(bind), revision)


def downgrade(connection: Any, revision: str = "base") -> list[str]:
    """Bring the catalog back to a revision; `base` removes it and every collection. Returns the collections removed."""
    with bound(connection) as bind, _own_proxies():
        before = _collections(bind)
        command.downgrade(_config(bind), revision)
        after = _collections(bind)
    return sorted(before - after)


def check(connection: Any) -> bool:
    """Whether the catalog is at the newest revision. Changes nothing."""
    with bound(connection) as bind:
        table = f"{SCHEMA}.alembic_version"
        if bind.exec_driver_sql(f"SELECT to_regclass('{table}')").scalar() is None:
            return False
        found = {row[0] for row in bind.exec_driver_sql(f"SELECT version_num FROM {table}")}
    return found == set(ScriptDirectory.from_config(_config()).get_heads())


def include_name(name: str | None, kind: str, parent_names: Any) -> bool:
    """For `context.configure(include_name=...)` of an application: its autogenerate leaves pglore's schemas alone."""
    return kind != "schema" or name not in (SCHEMA, "lore")


def _config(bind: Any = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = bind
    return config


def _collections(bind: Any) -> set[str]:
    if bind.exec_driver_sql(f"SELECT to_regclass('{SCHEMA}.collections')").scalar() is None:
        return set()
    return {row[0] for row in bind.exec_driver_sql(f"SELECT name FROM {SCHEMA}.collections")}


@contextmanager
def _own_proxies() -> Iterator[None]:
    """Let a run inside another Alembic run leave that one's `alembic.op` and `alembic.context` as they were."""
    outer = {module: dict(vars(module)) for module in (op, context)}
    try:
        yield
    finally:
        for module, names in outer.items():
            for name in vars(module).keys() - names.keys():
                delattr(module, name)
            vars(module).update(names)
