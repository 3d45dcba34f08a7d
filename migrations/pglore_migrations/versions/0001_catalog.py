"""The catalog: which collections there are."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UPGRADE = """
COMMENT ON SCHEMA lore_data IS 'What pglore stores: the catalog and the collections. Made by pglore init.';
GRANT USAGE ON SCHEMA lore_data TO lore_reader;

CREATE TABLE lore_data.collections (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text COLLATE "C" NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,47}$'),
    model          text NOT NULL,
    fingerprint    text NOT NULL,
    dimensions     integer NOT NULL CHECK (dimensions > 0),
    language       text NOT NULL,
    chunk_strategy text NOT NULL,
    chunk_size     integer NOT NULL CHECK (chunk_size > 0),
    chunk_overlap  integer NOT NULL CHECK (chunk_overlap >= 0),
    keyword        text NOT NULL CHECK (keyword IN ('bm25', 'tsvector')),
    created_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE lore_data.collections IS
    'One row a collection. Its documents and chunks lie in two tables of its own, NAME_documents and NAME_chunks.';
COMMENT ON COLUMN lore_data.collections.model IS 'Alias of its embedder.';
COMMENT ON COLUMN lore_data.collections.fingerprint IS 'Fingerprint of the embedder when the collection was made.';
COMMENT ON COLUMN lore_data.collections.language IS 'Text search configuration of its keyword index.';
COMMENT ON COLUMN lore_data.collections.chunk_size IS 'Most tokens of a chunk, without title and heading.';
COMMENT ON COLUMN lore_data.collections.keyword IS
    'What its keyword index is: bm25 (extension pg_textsearch) or tsvector.';

-- Unlogged on purpose: a crash empties it, and BM25 indexes, which do not survive one, are then known to be unsound.
CREATE UNLOGGED TABLE lore_data.keyword_indexes (
    collection_id bigint PRIMARY KEY REFERENCES lore_data.collections ON DELETE CASCADE,
    server_start  timestamptz NOT NULL
);
COMMENT ON TABLE lore_data.keyword_indexes IS 'Since which start of the server a BM25 index has been in order.';

ALTER TABLE lore_data.collections OWNER TO lore_admin;
ALTER TABLE lore_data.keyword_indexes OWNER TO lore_admin;
ALTER TABLE lore_data.alembic_version OWNER TO lore_admin;
GRANT SELECT ON lore_data.collections, lore_data.keyword_indexes, lore_data.alembic_version TO lore_reader;
"""

DOWNGRADE = """
DO $do$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT c.name FROM lore_data.collections AS c LOOP
        EXECUTE format('DROP TABLE lore_data.%I, lore_data.%I', name || '_chunks', name || '_documents');
    END LOOP;
END
$do$;
DROP TABLE lore_data.keyword_indexes;
DROP TABLE lore_data.collections;
"""


def upgrade() -> None:
    """Make the catalog's tables."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Remove every collection and the catalog's tables."""
    op.execute(DOWNGRADE)
