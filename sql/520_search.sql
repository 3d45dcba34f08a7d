-- 520_search.sql: search, and the statement it runs. Needs 410_keyword_index, 435_filter_path, 485_search_plan, 518_search_arguments.

CREATE TYPE lore._hit AS (
    rank integer, key text, chunk_id bigint, ordinal integer, heading text, content text, span int4range, metadata jsonb,
    score double precision, vector_score double precision, keyword_score double precision, fusion_score double precision, rerank_score double precision
);

COMMENT ON TYPE lore._hit IS 'A row of lore.search.';

CREATE FUNCTION lore._search(
    collection lore._collection, query text, embedding vector, k integer, mode text, filter jsonb, rerank text, candidates integer, per_document integer,
    fusion text DEFAULT 'score', diversity double precision DEFAULT NULL, neighbours integer DEFAULT 0
) RETURNS lore._hit[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
-- What the statement sets for its index is undone when the function returns.
SET hnsw.ef_search = 40
SET hnsw.iterative_scan = off
SET ivfflat.probes = 1
SET ivfflat.iterative_scan = off
SET diskann.query_search_list_size = 100
SET diskann.query_rescore = 50
SET vchordrq.probes = ''
SET jit = off
AS $$
DECLARE
    path    jsonpath := lore._filter(filter);
    most    integer := coalesce(per_document, 1000000000);
    deep    integer := CASE WHEN diversity > 0 THEN least(1000, greatest(50, 5 * k)) ELSE k END;  -- to choose k from
    wide    integer;
    c       lore._collection;
    chunks  bigint;
    hits    lore._hit[];
BEGIN
    PERFORM lore._require_search(query, k, mode, candidates, per_document, fusion, diversity, neighbours);
    IF mode <> 'vector' THEN
        PERFORM lore._ready_keyword_index(collection);  -- before the statement: an index in use cannot be built
    END IF;
    IF mode <> 'keyword' AND embedding IS NULL THEN
        embedding := lore.embed(query, (collection).model, 'query');
    END IF;
    PERFORM lore._require_vector(collection, embedding);
    wide := lore._wide(collection, candidates, deep, mode, most, rerank);
    c := CASE WHEN mode <> 'keyword' THEN lore._planned(collection, filter, path, wide) ELSE collection END;
    LOOP
        EXECUTE format('SELECT coalesce(array_agg(ROW(s.*)::lore._hit ORDER BY s.rank), ''{}'') FROM (%s) AS s',
            lore._finished(c, lore._search_statement(c, '$1', '$3', CASE WHEN path IS NOT NULL THEN '$2' END, '$4', deep, mode, rerank, wide, most, fusion), k, diversity, neighbours))
            INTO hits USING query, filter, embedding, path;
        EXIT WHEN cardinality(hits) >= k;
        IF c.searched <> 'exact' THEN  -- an index can stop before k chunks have passed the filter
            c.searched := 'exact';
            wide := greatest(wide, 100);
            CONTINUE;
        END IF;
        -- Where a few documents hold most candidates, per_document leaves too little: look wider.
        EXIT WHEN NOT EXISTS (SELECT FROM unnest(hits) AS h GROUP BY h.key HAVING count(*) >= most);
        IF chunks IS NULL THEN
            chunks := lore._chunk_count(c);
        END IF;
        EXIT WHEN wide >= chunks;
        wide := least(wide::bigint * 100, chunks);
    END LOOP;
    RETURN hits;
END
$$;

COMMENT ON FUNCTION lore._search(lore._collection, text, vector, integer, text, jsonb, text, integer, integer, text, double precision, integer) IS
    'The rows of a search; the query''s vector is made where it is NULL.';

CREATE FUNCTION lore.search(
    collection   text,
    query        text,
    k            integer DEFAULT 10,        -- rows, 1 to 1000
    mode         text DEFAULT 'hybrid',     -- or 'vector', 'keyword'
    filter       jsonb DEFAULT NULL,        -- on the metadata: {"year": {"$gte": 2020}}
    rerank       text DEFAULT NULL,         -- alias of a reranker, or 'default'
    candidates   integer DEFAULT NULL,      -- chunks that each arm offers to the fusion; NULL is 100, and what k takes where only vectors count
    per_document integer DEFAULT 1,         -- most rows of one document; NULL is no limit
    vector       vector DEFAULT NULL,       -- of the query, where the caller has it; without a query text only vectors count
    fusion       text DEFAULT 'score',      -- or 'rrf': reciprocal ranks of the two arms
    diversity    double precision DEFAULT NULL,  -- 0 to 1: how much a chunk loses for its likeness to those before it
    neighbours   integer DEFAULT 0          -- chunks before and behind each whose text is given with it
) RETURNS TABLE (
    rank integer, key text, chunk_id bigint, ordinal integer, heading text, content text, span int4range, metadata jsonb,
    score double precision, vector_score double precision, keyword_score double precision, fusion_score double precision, rerank_score double precision
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF $2 IS NOT NULL OR $9 IS NOT NULL THEN
        RETURN QUERY SELECT h.* FROM unnest(lore._search(lore._open($1), $2, $9, $3, CASE WHEN $2 IS NULL THEN 'vector' ELSE $4 END, $5, $6, $7, $8, $10, $11, $12)) AS h;
    END IF;
END
$$;

COMMENT ON FUNCTION lore.search(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer) IS
    'The k best chunks of a collection for a query, best first, with every stage''s score; NULL query without a vector gives no rows. Raises LO101 empty query, LO102 query too long, LO103 bad argument, LO104 bad filter, LO201 unknown reranker, LO203 unknown collection, LO205 vector of another size.';

CREATE FUNCTION lore.search_sql(
    collection   text,
    query        text,
    k            integer DEFAULT 10,
    mode         text DEFAULT 'hybrid',
    filter       jsonb DEFAULT NULL,
    rerank       text DEFAULT NULL,
    candidates   integer DEFAULT NULL,
    per_document integer DEFAULT 1,
    vector       vector DEFAULT NULL,
    fusion       text DEFAULT 'score',
    diversity    double precision DEFAULT NULL,
    neighbours   integer DEFAULT 0
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c    lore._collection := lore._open($1);
    path jsonpath := lore._filter($5);
    mode text := CASE WHEN $2 IS NULL THEN 'vector' ELSE $4 END;
    deep integer := CASE WHEN $11 > 0 THEN least(1000, greatest(50, 5 * $3)) ELSE $3 END;
    wide integer;
BEGIN
    PERFORM lore._require_search($2, $3, mode, $7, $8, $10, $11, $12);
    PERFORM lore._require_vector(c, $9);
    IF mode <> 'vector' THEN
        PERFORM lore._ready_keyword_index(c);
    END IF;
    wide := lore._wide(c, $7, deep, mode, coalesce($8, 1000000000), $6);
    RETURN lore._finished(c, lore._search_statement(lore._planned(c, $5, path, wide), quote_literal($2),
        CASE WHEN $9 IS NULL THEN format('lore.embed(%L, %L, ''query'')', $2, c.model) ELSE format('%L::%s.vector', $9, c.vector_schema) END,
        CASE WHEN path IS NOT NULL THEN quote_literal($5::text) || '::jsonb' END, quote_literal(path::text) || '::jsonpath', deep, mode, $6, wide, coalesce($8, 1000000000), $10), $3, $11, $12);
END
$$;

COMMENT ON FUNCTION lore.search_sql(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer) IS
    'The statement that lore.search runs with the same arguments, to read, run and change. Raises what lore.search raises.';

REVOKE ALL ON TYPE lore._hit FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._search(lore._collection, text, vector, integer, text, jsonb, text, integer, integer, text, double precision, integer),
    lore.search(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer),
    lore.search_sql(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer) FROM PUBLIC;
GRANT USAGE ON TYPE lore._hit TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._search(lore._collection, text, vector, integer, text, jsonb, text, integer, integer, text, double precision, integer),
    lore.search(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer),
    lore.search_sql(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer) TO lore_reader;
