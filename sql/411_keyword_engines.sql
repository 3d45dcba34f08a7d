-- 411_keyword_engines.sql: what differs between the engines of the keyword index, each in one row. Needs 400_catalog.
-- pg_search (ParadeDB, 0.20 or later) and vchord_bm25 (VectorChord, 0.2 or later) stand here as their documentation says: neither was
-- seen running. Both, and pg_textsearch, call their access method bm25, so a database can have one of the three.

CREATE TYPE lore._keyword_engine AS (
    extension   text,                       -- that it needs; NULL is none
    column_type text,                       -- of chunks.search
    value       text,                       -- SQL of what is stored of a text, which stands for %
    index       text,                       -- SQL behind CREATE INDEX ... ON chunks
    scores      text,                       -- SQL of the scored chunks n of query $1, $3 of them; a further condition stands for %; NULL: has its own function
    matches     text[]                      -- ways to match that it has
);

COMMENT ON TYPE lore._keyword_engine IS 'An engine of the keyword index, for one collection.';

CREATE FUNCTION lore._keyword_engine(
    kind       text,
    language   text,
    index      text,                        -- name of the index
    chunks     text,                        -- table of chunks
    match      text DEFAULT 'any'
) RETURNS lore._keyword_engine
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT e.extension, e.column_type, e.value, e.index, e.scores, e.matches
    FROM (VALUES
        ('tsvector', NULL, 'tsvector', format('to_tsvector(%L::regconfig, %%)', language), 'USING gin (search)', NULL, '{any,all,phrase,prefix,fuzzy}'::text[]),
        ('bm25', 'pg_textsearch', 'text', '%', format('USING bm25 (search) WITH (text_config = %L)', language), NULL, '{any,all,phrase,prefix,fuzzy}'),
        ('pg_search', 'pg_search', 'text', '%',
            -- Its stemmers have the names of PostgreSQL's configurations; simple and those that it lacks stay unstemmed.
            format('USING bm25 (id, (search::pdb.simple%s)) WITH (key_field = ''id'')', CASE WHEN language IN ('arabic', 'danish', 'dutch', 'english', 'finnish',
                'french', 'german', 'greek', 'hungarian', 'italian', 'norwegian', 'portuguese', 'romanian', 'russian', 'spanish', 'swedish', 'tamil', 'turkish')
                THEN format('(''stemmer=%s'')', language) ELSE '' END),
            format('SELECT n.id, pdb.score(n.id)::double precision AS score FROM %s AS n WHERE n.search OPERATOR(pg_catalog.%s) $1%% ORDER BY score DESC, n.id LIMIT $3',
                chunks, CASE match WHEN 'all' THEN '&&&' WHEN 'phrase' THEN '###' ELSE '|||' END), '{any,all,phrase,fuzzy}'),
        ('vchord_bm25', 'vchord_bm25', 'bm25_catalog.bm25vector', 'tokenizer_catalog.tokenize(%, ''lore'')::bm25_catalog.bm25vector',
            'USING bm25 (search bm25_catalog.bm25_ops)',
            format('SELECT s.id, -s.distance::double precision AS score FROM (SELECT n.id, n.search OPERATOR(bm25_catalog.<&>) bm25_catalog.to_bm25query(%L::regclass, tokenizer_catalog.tokenize($1, ''lore'')::bm25_catalog.bm25vector) AS distance FROM %s AS n WHERE true%% ORDER BY distance LIMIT $3) AS s',
                index, chunks), '{any,fuzzy}')
    ) AS e(kind, extension, column_type, value, index, scores, matches)
    WHERE e.kind = $1
$$;

COMMENT ON FUNCTION lore._keyword_engine(text, text, text, text, text) IS
    'What a kind of keyword index needs, stores and runs; all NULL for an unknown one. pg_search and vchord_bm25 were not seen running.';

CREATE FUNCTION lore._require_keyword(
    kind text
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    engine lore._keyword_engine := lore._keyword_engine(kind, '', '', '');
BEGIN
    IF engine.column_type IS NULL THEN
        PERFORM lore._raise('LO103', format('keyword is "%s"', left(kind, 60)), 'keyword is bm25, tsvector, pg_search or vchord_bm25; leave it out to take what is installed.');
    ELSIF lore._schema_of(engine.extension) IS NULL AND engine.extension IS NOT NULL THEN
        PERFORM lore._raise('LO206', format('keyword => ''%s'' needs the extension %s', kind, engine.extension), CASE kind
            WHEN 'vchord_bm25' THEN 'CREATE EXTENSION vchord_bm25 CASCADE; SELECT tokenizer_catalog.create_tokenizer(''lore'', ''model = "bert_base_uncased"''). Or leave keyword out.'
            ELSE format('CREATE EXTENSION %s, or leave keyword out.', engine.extension) END);
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_keyword(text) IS 'Raises LO103 for an unknown kind of keyword index, LO206 for one whose extension is not installed.';

CREATE FUNCTION lore._engine_scores(
    collection lore._collection,
    query      text,
    path       jsonpath,
    k          integer,
    match      text
) RETURNS TABLE (chunk_id bigint, score double precision)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c      lore._collection := collection;
    engine lore._keyword_engine := lore._keyword_engine(c.keyword, c.language, c.keyword_index, c.chunks, match);
BEGIN
    PERFORM lore._require_keyword(c.keyword);
    IF match <> ALL (engine.matches) THEN
        PERFORM lore._raise('LO206', format('%s cannot match by %s', c.keyword, match), format('It has: %s.', array_to_string(engine.matches, ', ')));
    END IF;
    IF c.keyword = 'vchord_bm25' THEN  -- its index gives no more rows than this, whatever a filter leaves of them; -1 compares all
        PERFORM set_config('bm25_catalog.bm25_limit', CASE WHEN path IS NULL THEN least(k, 65535) ELSE -1 END::text, true);
    END IF;
    RETURN QUERY EXECUTE replace(engine.scores, '%', CASE WHEN path IS NOT NULL THEN format(' AND n.document_id IN (SELECT d.id FROM %s AS d WHERE d.metadata @@ $2)', c.documents) ELSE '' END)
        USING query, path, k;
END
$$;

COMMENT ON FUNCTION lore._engine_scores(lore._collection, text, jsonpath, integer, text) IS
    'The chunks that match a query best, by pg_search or vchord_bm25. Raises LO206 missing extension, or a way to match that it has not.';

REVOKE ALL ON TYPE lore._keyword_engine FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._keyword_engine(text, text, text, text, text), lore._require_keyword(text), lore._engine_scores(lore._collection, text, jsonpath, integer, text) FROM PUBLIC;
GRANT USAGE ON TYPE lore._keyword_engine TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._keyword_engine(text, text, text, text, text), lore._require_keyword(text), lore._engine_scores(lore._collection, text, jsonpath, integer, text) TO lore_reader;
