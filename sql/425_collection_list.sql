-- 425_collection_list.sql: collections dropped and listed. Needs 400_catalog.

CREATE FUNCTION lore.drop_collection(
    collection text,
    if_exists  boolean DEFAULT false
) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    c lore._collection;
BEGIN
    PERFORM lore._require_catalog();
    PERFORM lore._require_name(collection);
    PERFORM lore._lock_collection(collection), lore._lock_tables(collection);  -- who reads, writes or indexes it ends first, and nobody waits crosswise
    IF if_exists AND NOT EXISTS (SELECT FROM lore_data.collections AS n WHERE n.name = collection) THEN
        RETURN false;
    END IF;
    c := lore._open(collection);
    DELETE FROM lore_data.collections AS n WHERE n.id = c.id;
    EXECUTE format('DROP TABLE IF EXISTS %s, %s, %s', lore._words_table(c), c.chunks, c.documents);
    RETURN true;
END
$$;

COMMENT ON FUNCTION lore.drop_collection(text, boolean) IS
    'Deletes a collection with all its documents; false if there was none and if_exists is true. Raises LO202 no catalog, LO203 unknown collection.';

CREATE FUNCTION lore._collections() RETURNS TABLE (
    name text, model text, dimensions integer, documents bigint, chunks bigint, language text, chunk_strategy text,
    chunk_size integer, chunk_overlap integer, keyword text, fingerprint text, created_at timestamptz,
    index_kind text, metric text, filterable text[]
)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c record;
    o lore._collection;
BEGIN
    PERFORM lore._require_catalog();
    FOR c IN SELECT n.* FROM lore_data.collections AS n ORDER BY n.name LOOP
        o := lore._open(c.name);
        documents := NULL;
        chunks := NULL;
        IF lore._may_read(o) THEN
            EXECUTE format('SELECT (SELECT count(*) FROM %s), (SELECT count(*) FROM %s)', o.documents, o.chunks) INTO documents, chunks;
        END IF;
        name := c.name;
        model := c.model;
        dimensions := c.dimensions;
        language := c.language;
        chunk_strategy := c.chunk_strategy;
        chunk_size := c.chunk_size;
        chunk_overlap := c.chunk_overlap;
        keyword := c.keyword;
        fingerprint := c.fingerprint;
        created_at := c.created_at;
        index_kind := CASE WHEN c.index_kind = 'auto' THEN format('auto: %s', o.searched) ELSE c.index_kind END;
        metric := c.metric;
        filterable := c.filterable;
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION lore._collections() IS 'The rows of lore.collections, counted. Raises LO202 no catalog.';

CREATE VIEW lore.collections AS SELECT * FROM lore._collections();

COMMENT ON VIEW lore.collections IS 'The collections, one a row, with their sizes and settings. Raises LO202 before `pglore init`.';
COMMENT ON COLUMN lore.collections.name IS 'Name of the collection.';
COMMENT ON COLUMN lore.collections.model IS 'Alias of its embedder.';
COMMENT ON COLUMN lore.collections.dimensions IS 'Length of its vectors.';
COMMENT ON COLUMN lore.collections.documents IS 'Number of documents; NULL where the caller may not read them.';
COMMENT ON COLUMN lore.collections.chunks IS 'Number of chunks; NULL where the caller may not read them.';
COMMENT ON COLUMN lore.collections.language IS 'Text search configuration of its keyword index.';
COMMENT ON COLUMN lore.collections.chunk_strategy IS 'How documents are cut: auto, markdown or text.';
COMMENT ON COLUMN lore.collections.chunk_size IS 'Most tokens of a chunk, without title and heading.';
COMMENT ON COLUMN lore.collections.chunk_overlap IS 'Tokens that a chunk repeats of the one before.';
COMMENT ON COLUMN lore.collections.keyword IS 'What its keyword index is: bm25 or tsvector.';
COMMENT ON COLUMN lore.collections.fingerprint IS 'Fingerprint of the embedder when the collection was made.';
COMMENT ON COLUMN lore.collections.created_at IS 'When it was made.';
COMMENT ON COLUMN lore.collections.index_kind IS 'Kind of vector index that is wanted; for auto with the kind in use.';
COMMENT ON COLUMN lore.collections.metric IS 'Distance of its vectors: cosine, ip or l2.';
COMMENT ON COLUMN lore.collections.filterable IS 'Fields of the metadata that have indexes for filters.';

REVOKE ALL ON lore.collections FROM PUBLIC;
REVOKE ALL ON FUNCTION lore.drop_collection(text, boolean), lore._collections() FROM PUBLIC;
GRANT SELECT ON lore.collections TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._collections() TO lore_reader;
GRANT EXECUTE ON FUNCTION lore.drop_collection(text, boolean) TO lore_admin;
