"""Indexes: which kind of vector index a collection has, what it was built on, and how it was tuned."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UPGRADE = """
ALTER TABLE lore_data.collections
    ADD COLUMN index_kind text NOT NULL DEFAULT 'auto'
        CHECK (index_kind IN ('auto', 'exact', 'hnsw', 'hnsw_bit', 'ivfflat', 'diskann', 'vchordrq')),
    ADD COLUMN metric text NOT NULL DEFAULT 'cosine' CHECK (metric IN ('cosine', 'ip', 'l2')),
    ADD COLUMN filterable text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN lore_data.collections.index_kind IS
    'Kind of vector index that is wanted; auto leaves the choice to lore.maintain.';
COMMENT ON COLUMN lore_data.collections.metric IS 'Distance of its vectors: cosine, ip (inner product) or l2.';
COMMENT ON COLUMN lore_data.collections.filterable IS 'Fields of the metadata that have indexes for filters.';

CREATE TABLE lore_data.vector_indexes (
    collection_id bigint PRIMARY KEY REFERENCES lore_data.collections ON DELETE CASCADE,
    number        integer NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('hnsw', 'hnsw_bit', 'ivfflat', 'diskann', 'vchordrq')),
    options       jsonb NOT NULL,
    built_rows    bigint NOT NULL,
    built_to      bigint NOT NULL,
    built_at      timestamptz NOT NULL DEFAULT now(),
    tuning        jsonb
);
COMMENT ON TABLE lore_data.vector_indexes IS
    'The vector index of each collection that has one; its name is vector_ID_NUMBER, in this schema.';
COMMENT ON COLUMN lore_data.vector_indexes.options IS 'What it was built with: {"m": 16}.';
COMMENT ON COLUMN lore_data.vector_indexes.built_rows IS 'Chunks when it was built.';
COMMENT ON COLUMN lore_data.vector_indexes.built_to IS 'Highest id of a chunk when it was built.';
COMMENT ON COLUMN lore_data.vector_indexes.tuning IS
    'What lore.tune found: k, target, and for each share of rows that passes a filter the effort that reaches it.';

ALTER TABLE lore_data.vector_indexes OWNER TO lore_admin;
GRANT SELECT ON lore_data.vector_indexes TO lore_reader;
"""

DOWNGRADE = """
DO $do$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT format('lore_data.vector_%s_%s', v.collection_id, v.number)
                FROM lore_data.vector_indexes AS v LOOP
        EXECUTE format('DROP INDEX IF EXISTS %s', name);
    END LOOP;
    FOR name IN SELECT c.oid::regclass FROM pg_class AS c
                WHERE c.relnamespace = 'lore_data'::regnamespace AND c.relkind = 'i'
                  AND c.relname ~ '^filter_[0-9]+_[0-9]+$' LOOP
        EXECUTE format('DROP INDEX %s', name);
    END LOOP;
END
$do$;
DROP TABLE lore_data.vector_indexes;
ALTER TABLE lore_data.collections DROP COLUMN index_kind, DROP COLUMN metric, DROP COLUMN filterable;
"""


def upgrade() -> None:
    """Add the columns and the table of indexes."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the vector indexes, the indexes of filters and what is known of them."""
    op.execute(DOWNGRADE)
