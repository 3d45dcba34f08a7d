"""Alembic's environment: runs the revisions on the connection that `pglore_migrations` hands over."""

from alembic import context

SCHEMA = "lore_data"


def run() -> None:
    """Run what was asked for; the schema stands before the version table and goes after it."""
    bind = context.config.attributes["connection"]
    if bind.exec_driver_sql("SELECT FROM pg_extension WHERE extname = 'pglore'").first() is None:
        raise RuntimeError("the extension is not in this database: run CREATE EXTENSION pglore CASCADE first")
    if bind.exec_driver_sql(f"SELECT to_regnamespace('{SCHEMA}')").scalar() is None:
        bind.exec_driver_sql(f"CREATE SCHEMA {SCHEMA} AUTHORIZATION lore_admin")
    context.configure(connection=bind, version_table_schema=SCHEMA, transaction_per_migration=False)
    with context.begin_transaction():
        context.run_migrations()
    if not context.get_context().get_current_heads():
        bind.exec_driver_sql(f"DROP TABLE IF EXISTS {SCHEMA}.alembic_version")
        bind.exec_driver_sql(f"DROP SCHEMA {SCHEMA}")


run()
