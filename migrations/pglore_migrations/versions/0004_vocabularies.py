"""Vocabularies: which collections have a table of their words, and what else the keyword index may be."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE lore_data.vocabularies (
    collection_id bigint PRIMARY KEY REFERENCES lore_data.collections ON DELETE CASCADE,
    built_rows    bigint NOT NULL,
    built_to      bigint NOT NULL,
    complete      boolean NOT NULL,
    built_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE lore_data.vocabularies IS
    'The collections whose words lore.maintain has counted; they lie in a table of each, NAME_words.';
COMMENT ON COLUMN lore_data.vocabularies.built_rows IS 'Chunks when the words were counted.';
COMMENT ON COLUMN lore_data.vocabularies.built_to IS 'Highest id of a chunk when the words were counted.';
COMMENT ON COLUMN lore_data.vocabularies.complete IS 'Whether all words were kept, or the commonest million.';
ALTER TABLE lore_data.vocabularies OWNER TO lore_admin;
GRANT SELECT ON lore_data.vocabularies TO lore_reader;

ALTER TABLE lore_data.collections DROP CONSTRAINT collections_keyword_check,
    ADD CONSTRAINT collections_keyword_check
        CHECK (keyword IN ('bm25', 'tsvector', 'pg_search', 'vchord_bm25'));
COMMENT ON COLUMN lore_data.collections.keyword IS
    'What its keyword index is: bm25 (extension pg_textsearch), tsvector, pg_search or vchord_bm25.';
"""

DOWNGRADE = """
DO $do$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT c.name FROM lore_data.collections AS c JOIN lore_data.vocabularies AS v ON v.collection_id = c.id
    LOOP
        EXECUTE format('DROP TABLE IF EXISTS lore_data.%I', name || '_words');
    END LOOP;
    FOR name IN SELECT c.name FROM lore_data.collections AS c WHERE c.keyword IN ('pg_search', 'vchord_bm25') LOOP
        RAISE EXCEPTION 'collection "%" has a keyword index that the catalog before this revision does not know', name
            USING HINT = 'Drop the collection first.';
    END LOOP;
END
$do$;
DROP TABLE lore_data.vocabularies;
ALTER TABLE lore_data.collections DROP CONSTRAINT collections_keyword_check,
    ADD CONSTRAINT collections_keyword_check CHECK (keyword IN ('bm25', 'tsvector'));
COMMENT ON COLUMN lore_data.collections.keyword IS
    'What its keyword index is: bm25 (extension pg_textsearch) or tsvector.';
"""


def upgrade() -> None:
    """Make the table of vocabularies, and let a keyword index be of another engine."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the vocabularies."""
    op.execute(DOWNGRADE)
