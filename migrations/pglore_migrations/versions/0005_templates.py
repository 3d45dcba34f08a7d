"""Templates: what is said to a generator before and behind the sources, in versions, for all or for one collection."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE lore_data.templates (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_id bigint REFERENCES lore_data.collections ON DELETE CASCADE,
    name          text COLLATE "C" NOT NULL,
    version       integer NOT NULL CHECK (version > 0),
    system        text NOT NULL,
    prompt        text NOT NULL,
    created_by    text NOT NULL DEFAULT current_user,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT templates_version_key UNIQUE NULLS NOT DISTINCT (collection_id, name, version)
);
COMMENT ON TABLE lore_data.templates IS 'Prompt templates of lore.ask, all their versions.';
COMMENT ON COLUMN lore_data.templates.collection_id IS 'The collection that it belongs to; NULL is all.';
COMMENT ON COLUMN lore_data.templates.version IS 'Counted from 1; the highest is used unless another is named.';
COMMENT ON COLUMN lore_data.templates.system IS 'The instruction, which may hold {language}.';
COMMENT ON COLUMN lore_data.templates.prompt IS
    'The text with {sources} and {question}, perhaps {history} and {language}.';
ALTER TABLE lore_data.templates OWNER TO lore_admin;
GRANT SELECT ON lore_data.templates TO lore_reader;
GRANT INSERT, DELETE ON lore_data.templates TO lore_writer;
"""

DOWNGRADE = "DROP TABLE lore_data.templates;"


def upgrade() -> None:
    """Make the table of templates."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the templates."""
    op.execute(DOWNGRADE)
