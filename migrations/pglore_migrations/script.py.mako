"""${message}."""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say what is made."""
    ${upgrades if upgrades else "op.execute('')"}


def downgrade() -> None:
    """Say what is removed."""
    ${downgrades if downgrades else "op.execute('')"}
