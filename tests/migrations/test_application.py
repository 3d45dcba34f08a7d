"""The catalog as one revision of an application's own Alembic chain."""

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from pglore_migrations import check

ENV = """
from alembic import context
from pglore_migrations import include_name
from sqlalchemy import Column, Integer, MetaData, Table

metadata = MetaData()
Table("app", metadata, Column("id", Integer, primary_key=True))
bind = context.config.attributes["connection"]
context.configure(
    connection=bind, target_metadata=metadata, include_schemas=True, include_name=include_name,
    version_table="app_version",
)
with context.begin_transaction():
    context.run_migrations()
"""

REVISION = """
import pglore_migrations
from alembic import op
from sqlalchemy import Column, Integer

revision = "app1"
down_revision = None


def upgrade():
    op.execute("CREATE TABLE before_it (id integer)")
    pglore_migrations.upgrade(op.get_bind())
    op.drop_table("before_it")
    op.create_table("app", Column("id", Integer, primary_key=True))


def downgrade():
    op.drop_table("app")
    pglore_migrations.downgrade(op.get_bind())
    op.execute("SELECT 1")
"""


@pytest.fixture
def application(db, dsn, tmp_path):
    """Alembic's configuration of an application, and its connection. The catalog is not there yet."""
    from pglore_migrations import downgrade

    downgrade(db)
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(ENV)
    (tmp_path / "script.py.mako").write_text('"""${message}"""\nrevision = ${repr(up_revision)}\n')
    (tmp_path / "versions" / "app1.py").write_text(REVISION)
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    info = db.info
    engine = create_engine(
        "postgresql+psycopg://",
        connect_args={"host": info.host, "port": info.port, "user": info.user, "dbname": info.dbname},
    )
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        yield config, connection
    engine.dispose()


def test_an_applications_revision_makes_and_removes_the_catalog(db, application):
    config, connection = application
    command.upgrade(config, "head")
    connection.commit()
    assert check(db)
    assert db.execute("SELECT to_regclass('app'), to_regclass('before_it')").fetchone() == ("app", None)
    command.downgrade(config, "base")
    connection.commit()
    assert not check(db)


def test_a_revision_that_fails_leaves_nothing_of_the_catalog(db, application):
    config, connection = application
    db.execute("CREATE TABLE app (id integer)")  # in the revision's way
    with pytest.raises(Exception, match="already exists"):
        command.upgrade(config, "head")
    connection.rollback()
    assert not check(db)


def test_autogenerate_of_the_application_leaves_the_catalog_alone(application):
    config, connection = application
    command.upgrade(config, "head")
    connection.commit()
    command.check(config)  # raises where it would generate something
