"""Results: the result cache, whose rows belong to the role that made them."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE lore_data.results (
    role        text COLLATE "C" NOT NULL DEFAULT current_user,
    role_id     oid NOT NULL DEFAULT quote_ident(current_user)::regrole::oid,
    key         bytea NOT NULL,
    operation   text NOT NULL,
    model       text NOT NULL,
    fingerprint text NOT NULL,
    result      jsonb NOT NULL,
    bytes       integer NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT now(),
    used_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE lore_data.results IS
    'The result cache: what models answered to roles that asked for it with lore.result_cache.';
COMMENT ON COLUMN lore_data.results.role IS 'The role that made the row, and alone may have it back.';
COMMENT ON COLUMN lore_data.results.role_id IS 'Its oid: another role of the same name is another.';
COMMENT ON COLUMN lore_data.results.key IS 'SHA-256 of fingerprint, operation, arguments and input.';
COMMENT ON COLUMN lore_data.results.fingerprint IS 'Hash of the models that made it, and of how they run.';
COMMENT ON COLUMN lore_data.results.bytes IS 'Size of the row.';
COMMENT ON COLUMN lore_data.results.used_at IS 'When it was last given out, to about ten minutes.';
-- Not unique: whoever computes the same at the same time waits for nobody.
CREATE INDEX ON lore_data.results (role_id, key);
CREATE INDEX ON lore_data.results (used_at);
ALTER TABLE lore_data.results ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON lore_data.results
    USING (role = current_user AND role_id = quote_ident(current_user)::regrole::oid);

CREATE TABLE lore_data.result_limit (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    bytes bigint NOT NULL CHECK (bytes >= 0)
);
COMMENT ON TABLE lore_data.result_limit IS 'How large the result cache of this database may grow, in one row.';
INSERT INTO lore_data.result_limit (bytes) VALUES (256 * 1024 * 1024);

ALTER TABLE lore_data.results OWNER TO lore_admin;
ALTER TABLE lore_data.result_limit OWNER TO lore_admin;
GRANT SELECT, DELETE ON lore_data.results TO lore_reader;
-- Not whose, nor when it was made.
GRANT INSERT (key, operation, model, fingerprint, result, bytes), UPDATE (used_at) ON lore_data.results TO lore_reader;
GRANT SELECT ON lore_data.result_limit TO lore_reader;
"""

DOWNGRADE = """
DROP TABLE lore_data.results, lore_data.result_limit;
"""


def upgrade() -> None:
    """Make the tables of the result cache."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the result cache."""
    op.execute(DOWNGRADE)
