-- 520_search.sql: search, and the statement it runs. Needs 410_keyword_index, 435_filter_path, 510_statement.

CREATE TYPE lore._hit AS (
    rank integer, key text, chunk_id bigint, ordinal integer, heading text, content text, span int4range, metadata jsonb,
    score double precision, vector_score double precision, keyword_score double precision, fusion_score double precision, rerank_score double precision
);

COMMENT ON TYPE lore._hit IS 'A row of lore.search.';

CREATE FUNCTION lore._require_search(
    query text, k integer, mode text, candidates integer, per_document integer
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lore._require_query(query);
    IF k IS NULL OR k NOT BETWEEN 1 AND 1000 THEN
        PERFORM lore._raise('LO103', format('k is %s', coalesce(k::text, 'NULL')), 'k is 1 to 1000.');
    ELSIF mode IS NULL OR mode NOT IN ('hybrid', 'vector', 'keyword') THEN
        PERFORM lore._raise('LO103', format('mode is "%s"', left(mode, 60)), 'mode is hybrid, vector or keyword.');
    ELSIF candidates IS NULL OR candidates NOT BETWEEN 1 AND 10000 THEN
        PERFORM lore._raise('LO103', format('candidates is %s', coalesce(candidates::text, 'NULL')), 'candidates is 1 to 10,000.');
    ELSIF per_document < 1 THEN
        PERFORM lore._raise('LO103', format('per_document is %s', per_document), 'per_document is 1 or more, or NULL for no limit.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_search(text, integer, text, integer, integer) IS
    'Raises LO101 empty query, LO102 query too long, LO103 argument out of range.';

CREATE FUNCTION lore._search(
    collection lore._collection, query text, embedding vector, k integer, mode text, filter jsonb, rerank text, candidates integer, per_document integer
) RETURNS lore._hit[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c       lore._collection := collection;
    path    jsonpath := lore._filter(filter);
    most    integer := coalesce(per_document, 1000000000);
    chunks  bigint;
    hits    lore._hit[];
BEGIN
    PERFORM lore._require_search(query, k, mode, candidates, per_document);
    IF mode <> 'vector' THEN
        PERFORM lore._ready_keyword_index(c);  -- before the statement: an index in use cannot be built
    END IF;
    LOOP
        EXECUTE format('SELECT coalesce(array_agg(ROW(s.*)::lore._hit ORDER BY s.rank), ''{}'') FROM (%s) AS s',
            lore._search_statement(c, '$1', CASE WHEN embedding IS NULL THEN format('lore.embed($1, %L, ''query'')', c.model) ELSE '$3' END,
                CASE WHEN path IS NOT NULL THEN '$2' END, '$4', k, mode, rerank, candidates, most))
            INTO hits USING query, filter, embedding, path;
        -- Where a few documents hold most candidates, per_document leaves too little: look wider.
        EXIT WHEN cardinality(hits) >= k OR NOT EXISTS (SELECT FROM unnest(hits) AS h GROUP BY h.key HAVING count(*) >= most);
        IF chunks IS NULL THEN
            EXECUTE format('SELECT count(*) FROM %s', c.chunks) INTO chunks;
        END IF;
        EXIT WHEN greatest(candidates, k) >= chunks;
        candidates := least(greatest(candidates, k)::bigint * 100, chunks);
    END LOOP;
    RETURN hits;
END
$$;

COMMENT ON FUNCTION lore._search(lore._collection, text, vector, integer, text, jsonb, text, integer, integer) IS
    'The rows of a search; the query''s vector is made where it is NULL.';

CREATE FUNCTION lore.search(
    collection   text,
    query        text,
    k            integer DEFAULT 10,        -- rows, 1 to 1000
    mode         text DEFAULT 'hybrid',     -- or 'vector', 'keyword'
    filter       jsonb DEFAULT NULL,        -- on the metadata: {"year": {"$gte": 2020}}
    rerank       text DEFAULT NULL,         -- alias of a reranker, or 'default'
    candidates   integer DEFAULT 100,       -- chunks that each arm offers to the fusion
    per_document integer DEFAULT 1          -- most rows of one document; NULL is no limit
) RETURNS TABLE (
    rank integer, key text, chunk_id bigint, ordinal integer, heading text, content text, span int4range, metadata jsonb,
    score double precision, vector_score double precision, keyword_score double precision, fusion_score double precision, rerank_score double precision
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF $2 IS NOT NULL THEN
        RETURN QUERY SELECT h.* FROM unnest(lore._search(lore._open($1), $2, NULL, $3, $4, $5, $6, $7, $8)) AS h;
    END IF;
END
$$;

COMMENT ON FUNCTION lore.search(text, text, integer, text, jsonb, text, integer, integer) IS
    'The k best chunks of a collection for a query, best first, with every stage''s score; NULL query gives no rows. Raises LO101 empty query, LO102 query too long, LO103 bad argument, LO104 bad filter, LO201 unknown reranker, LO203 unknown collection.';

CREATE FUNCTION lore.search_sql(
    collection   text,
    query        text,
    k            integer DEFAULT 10,
    mode         text DEFAULT 'hybrid',
    filter       jsonb DEFAULT NULL,
    rerank       text DEFAULT NULL,
    candidates   integer DEFAULT 100,
    per_document integer DEFAULT 1
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c    lore._collection := lore._open($1);
    path jsonpath := lore._filter($5);
BEGIN
    PERFORM lore._require_search($2, $3, $4, $7, $8);
    IF $4 <> 'vector' THEN
        PERFORM lore._ready_keyword_index(c);
    END IF;
    RETURN lore._search_statement(c, quote_literal($2), format('lore.embed(%L, %L, ''query'')', $2, c.model),
        CASE WHEN path IS NOT NULL THEN quote_literal($5::text) || '::jsonb' END, quote_literal(path::text) || '::jsonpath', $3, $4, $6, $7, coalesce($8, 1000000000));
END
$$;

COMMENT ON FUNCTION lore.search_sql(text, text, integer, text, jsonb, text, integer, integer) IS
    'The statement that lore.search runs with the same arguments, to read, run and change. Raises what lore.search raises.';

REVOKE ALL ON TYPE lore._hit FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._require_search(text, integer, text, integer, integer),
    lore._search(lore._collection, text, vector, integer, text, jsonb, text, integer, integer),
    lore.search(text, text, integer, text, jsonb, text, integer, integer),
    lore.search_sql(text, text, integer, text, jsonb, text, integer, integer) FROM PUBLIC;
GRANT USAGE ON TYPE lore._hit TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._require_search(text, integer, text, integer, integer),
    lore._search(lore._collection, text, vector, integer, text, jsonb, text, integer, integer),
    lore.search(text, text, integer, text, jsonb, text, integer, integer),
    lore.search_sql(text, text, integer, text, jsonb, text, integer, integer) TO lore_reader;
