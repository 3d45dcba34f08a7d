-- 420_collections.sql: collections made. Needs 405_defaults, 410_keyword_index, 411_keyword_engines, 415_collection_settings, 474_index_sql.

CREATE FUNCTION lore.create_collection(
    collection     text,
    model          text DEFAULT NULL,       -- alias; NULL is the default embedder
    language       text DEFAULT 'english',  -- text search configuration of the keyword index
    chunk_strategy text DEFAULT 'auto',     -- or 'markdown', 'text'
    chunk_size     integer DEFAULT NULL,    -- tokens; NULL leaves room in the model's window for title and heading
    chunk_overlap  integer DEFAULT 0,       -- tokens that a chunk repeats of the one before
    if_not_exists  boolean DEFAULT false,
    keyword        text DEFAULT NULL,       -- 'bm25', 'tsvector', 'pg_search', 'vchord_bm25'; NULL is bm25 where pg_textsearch is installed
    index_kind     text DEFAULT 'auto',     -- of vector index, which lore.maintain builds: exact, hnsw, hnsw_bit, ivfflat, diskann, vchordrq
    metric         text DEFAULT 'cosine',   -- or 'ip', 'l2'
    filterable     text[] DEFAULT '{}'      -- fields of the metadata that get indexes for filters
) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c        lore._collection;
    embedder record;
    words    text;
    kind     text := coalesce($8, CASE WHEN lore._schema_of('pg_textsearch') IS NULL THEN 'tsvector' ELSE 'bm25' END);
BEGIN
    PERFORM lore._require_catalog();
    PERFORM lore._require_name($1);
    IF EXISTS (SELECT FROM lore_data.collections WHERE name = $1) THEN
        IF $7 THEN
            RETURN false;
        END IF;
        PERFORM lore._raise('LO103', format('collection "%s" is there already', $1), 'Pass if_not_exists => true, or choose another name.');
    END IF;
    PERFORM lore._require_keyword(kind), lore._require_settings($9, $10);
    words := lore._language($3);
    SELECT m.alias, m.window_tokens INTO embedder FROM lore.models AS m
    WHERE m.task = 'embed' AND CASE WHEN $2 IS NULL THEN m.is_default ELSE m.alias = $2 END;
    IF NOT FOUND THEN
        PERFORM lore._raise('LO201', format('no embedder has the alias "%s"', left($2, 60)), 'SELECT alias, task FROM lore.models lists the models.');
    END IF;
    c.name := $1;
    c.model := embedder.alias;
    c.chunk_size := coalesce($5, lore._chunk_size(embedder.window_tokens));
    PERFORM lore._require_chunking(c.model, $4, c.chunk_size, $6);
    PERFORM lore.embed('one word', c.model);  -- loads the model: its fingerprint is known for certain then
    SELECT m.fingerprint, m.dimensions INTO c.fingerprint, c.dimensions FROM lore.models AS m WHERE m.alias = c.model;
    PERFORM lore._require_wanted(c, $9);

    INSERT INTO lore_data.collections (name, model, fingerprint, dimensions, language, chunk_strategy, chunk_size, chunk_overlap, keyword, index_kind, metric)
    VALUES (c.name, c.model, c.fingerprint, c.dimensions, words, $4, c.chunk_size, $6, kind, $9, $10)
    ON CONFLICT (name) DO NOTHING;
    IF NOT FOUND THEN  -- another session was quicker
        RETURN lore.create_collection($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);
    END IF;
    c := lore._open($1);
    PERFORM lore._make_tables(c);
    PERFORM lore._make_keyword_index(c);
    INSERT INTO lore_data.keyword_indexes (collection_id, server_start) VALUES (c.id, pg_postmaster_start_time());
    PERFORM lore._set_filterable(c, $11);
    RETURN true;
END
$$;

COMMENT ON FUNCTION lore.create_collection(text, text, text, text, integer, integer, boolean, text, text, text, text[]) IS
    'Makes a collection; false if it was there and if_not_exists is true. Its documents and chunks lie in the schema lore_data. Raises LO103 bad name or setting, LO201 unknown model, LO202 no catalog, LO206 missing keyword engine or extension of the index kind.';

CREATE FUNCTION lore._make_tables(
    collection lore._collection
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tables text := (collection).documents || ', ' || (collection).chunks;
BEGIN
    EXECUTE format($sql$
        CREATE TABLE %s (
            id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            key          text COLLATE "C" NOT NULL UNIQUE,
            content      text NOT NULL,
            metadata     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
            content_hash bytea NOT NULL,
            added_at     timestamptz NOT NULL DEFAULT now(),
            updated_at   timestamptz NOT NULL DEFAULT now()
        )$sql$, (collection).documents);
    EXECUTE format($sql$
        CREATE TABLE %s (
            id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            document_id bigint NOT NULL REFERENCES %s ON DELETE CASCADE,
            ordinal     integer NOT NULL,
            span        int4range NOT NULL,
            heading     text,
            content     text NOT NULL,
            tokens      integer NOT NULL,
            embedding   %s.vector(%s) NOT NULL,
            fingerprint text NOT NULL,
            search      %s NOT NULL,
            UNIQUE (document_id, ordinal)
        ) WITH (toast_tuple_target = 4080)$sql$, (collection).chunks, (collection).documents, (collection).vector_schema, (collection).dimensions,
        (lore._keyword_engine((collection).keyword, (collection).language, '', '')).column_type);
    -- A row of up to half a page stays whole: a search reads the texts of 200 candidates, and each that lies elsewhere costs as much as
    -- the row. In larger rows the text is moved out before the vector, which an exact search reads for every chunk.
    EXECUTE format('ALTER TABLE %s ALTER COLUMN embedding SET STORAGE MAIN', (collection).chunks);
    IF (collection).keyword = 'tsvector' THEN  -- nor the words, which are read of each chunk that is ranked
        EXECUTE format('ALTER TABLE %s ALTER COLUMN search SET STORAGE MAIN', (collection).chunks);
    END IF;
    EXECUTE format('GRANT SELECT ON %s TO lore_reader', tables);
    EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %s TO lore_writer', tables);
    EXECUTE format('ALTER TABLE %s OWNER TO lore_admin', (collection).documents);
    EXECUTE format('ALTER TABLE %s OWNER TO lore_admin', (collection).chunks);
END
$$;

COMMENT ON FUNCTION lore._make_tables(lore._collection) IS 'Makes the two tables of a collection: its documents and their chunks.';

REVOKE ALL ON FUNCTION lore.create_collection(text, text, text, text, integer, integer, boolean, text, text, text, text[]), lore._make_tables(lore._collection) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.create_collection(text, text, text, text, integer, integer, boolean, text, text, text, text[]), lore._make_tables(lore._collection) TO lore_admin;
