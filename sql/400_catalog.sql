-- 400_catalog.sql: from a collection's name to what is known of it. Needs 110_errors; reads lore_data, which `pglore init` makes.

CREATE FUNCTION lore._catalog_revision() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT '0006'::text $$;

COMMENT ON FUNCTION lore._catalog_revision() IS 'Revision of the catalog that this version of the extension works on.';

CREATE TYPE lore._collection AS (
    id             bigint,
    name           text,
    model          text,
    fingerprint    text,
    dimensions     integer,
    language       text,
    chunk_strategy text,
    chunk_size     integer,
    chunk_overlap  integer,
    keyword        text,                    -- bm25 or tsvector
    documents      text,                    -- table of documents, quoted and with its schema
    chunks         text,                    -- table of chunks, likewise
    keyword_index  text,                    -- with its schema, never in need of quotes
    vector_schema  text,                    -- schema of the vector type's operators, quoted
    keyword_schema text,                    -- schema of the BM25 operators, quoted; NULL where they are not installed
    index_kind     text,                    -- kind that is wanted
    metric         text,                    -- cosine, ip or l2
    filterable     text[],                  -- fields of the metadata that have indexes
    vector_index   text,                    -- with its schema; NULL where there is none
    searched       text,                    -- kind of the vector index that a search can use; exact where none is valid
    built_rows     bigint,                  -- chunks when it was built
    lists          integer,                 -- of an inverted-file index
    tuning         jsonb,                   -- what lore.tune found
    guarded        boolean,                 -- row-level security hides documents from some
    labelled       text[],                  -- fields whose labels the vector index holds
    effort         integer,                 -- of the vector index in this search; NULL is the tuned or the default one
    narrowed       text,                    -- SQL condition on a document d that this search's filter implies and an index serves; %1$s is the filter
    scanned        integer,                 -- most rows that the index gives for this search's filter, before exact search is quicker
    sought         text,                    -- SQL condition on a chunk c by its labels, which this search's filter implies; %s is the filter
    indexed        boolean,                 -- an index of the metadata finds what passes this search's filter
    share          double precision         -- of the documents, that pass this search's filter, by a sample; NULL where they are few
);

COMMENT ON TYPE lore._collection IS 'A collection: its row in the catalog and the names of its tables.';

-- What each search calls is plpgsql, however short: a function of SQL that pins its search_path is planned anew in every transaction.
CREATE FUNCTION lore._schema_of(
    extension text
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT e.extnamespace::regnamespace FROM pg_extension AS e WHERE e.extname = extension);
END
$$;

COMMENT ON FUNCTION lore._schema_of(text) IS 'Schema that an extension is installed in, quoted; NULL where it is not installed.';

CREATE FUNCTION lore._require_catalog() RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('lore_data.collections') IS NULL THEN
        PERFORM lore._raise('LO202', 'the catalog has not been made in this database', 'Run pglore init against this database.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_catalog() IS 'Raises LO202 where `pglore init` has not been run.';

CREATE FUNCTION lore._require_name(
    collection text
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF collection IS NULL THEN
        PERFORM lore._raise('LO103', 'the name of the collection is NULL', 'Pass the name of a collection.');
    ELSIF collection !~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,47}$' THEN
        PERFORM lore._raise('LO103', format('"%s" cannot be the name of a collection', left(collection, 60)),
            'A name has 1 to 48 letters of a-z and A-Z, digits, "_", "-" and ".", and starts with a letter, a digit or "_".');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_name(text) IS 'Raises LO103 for a text that cannot be the name of a collection.';

CREATE FUNCTION lore._open(
    collection text
) RETURNS lore._collection
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    opened lore._collection;
BEGIN
    PERFORM lore._require_catalog();
    PERFORM lore._require_name(collection);
    SELECT c.id, c.name, c.model, c.fingerprint, c.dimensions, c.language, c.chunk_strategy, c.chunk_size, c.chunk_overlap, c.keyword,
           format('lore_data.%I', c.name || '_documents'), format('lore_data.%I', c.name || '_chunks'),
           format('lore_data.keyword_%s', c.id), (SELECT e.extnamespace::regnamespace FROM pg_extension AS e WHERE e.extname = 'vector'),
           (SELECT e.extnamespace::regnamespace FROM pg_extension AS e WHERE e.extname = 'pg_textsearch'), c.index_kind, c.metric, c.filterable,
           'lore_data.vector_' || v.collection_id || '_' || v.number,
           -- An index of another sketch than this version's is as good as none.
           CASE WHEN i.indisvalid AND (v.kind <> 'hnsw_bit' OR (SELECT a.atttypmod FROM pg_attribute AS a WHERE a.attrelid = i.indexrelid AND a.attnum = 1) = 2 * c.dimensions)
                THEN v.kind ELSE 'exact' END, v.built_rows, CASE WHEN v.kind IN ('ivfflat', 'vchordrq') THEN coalesce((v.options ->> 'lists')::integer, lore._lists(v.built_rows)) END, v.tuning,
           (SELECT d.relrowsecurity FROM pg_class AS d WHERE d.oid = to_regclass(format('lore_data.%I', c.name || '_documents'))),
           CASE WHEN i.indisvalid AND i.indnatts = 2 THEN ARRAY(SELECT jsonb_array_elements_text(v.options -> 'labelled')) ELSE '{}' END, NULL, NULL, NULL, NULL, NULL, NULL
    INTO opened
    FROM lore_data.collections AS c
    LEFT JOIN lore_data.vector_indexes AS v ON v.collection_id = c.id
    LEFT JOIN pg_index AS i ON i.indexrelid = to_regclass(format('lore_data.vector_%s_%s', v.collection_id, v.number))
    WHERE c.name = collection;
    IF NOT FOUND THEN
        PERFORM lore._raise('LO203', format('there is no collection "%s"', collection),
            'SELECT name FROM lore.collections lists them; lore.create_collection makes one.');
    END IF;
    RETURN opened;
END
$$;

COMMENT ON FUNCTION lore._open(text) IS
    'What is known of a collection. Raises LO103 impossible name, LO202 no catalog, LO203 no such collection.';

CREATE FUNCTION lore._may_read(
    collection lore._collection
) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT has_table_privilege((collection).documents, 'SELECT') AND has_table_privilege((collection).chunks, 'SELECT') $$;

COMMENT ON FUNCTION lore._may_read(lore._collection) IS 'Whether the caller may read a collection: what is told of all leaves the others out.';

REVOKE ALL ON TYPE lore._collection FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._catalog_revision(), lore._schema_of(text), lore._require_catalog(), lore._require_name(text), lore._open(text), lore._may_read(lore._collection) FROM PUBLIC;
GRANT USAGE ON TYPE lore._collection TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._catalog_revision(), lore._schema_of(text), lore._require_catalog(), lore._require_name(text), lore._open(text), lore._may_read(lore._collection) TO lore_reader;
