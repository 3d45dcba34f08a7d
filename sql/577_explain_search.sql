-- 577_explain_search.sql: where the time of a search goes, measured on the very statement. Needs 520_search, 575_stages.

CREATE FUNCTION lore._index_scans(
    collection lore._collection
) RETURNS jsonb
LANGUAGE sql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(jsonb_object_agg(c.relname, pg_stat_get_xact_numscans(c.oid)), '{}')
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = (collection).chunks::regclass
$$;

COMMENT ON FUNCTION lore._index_scans(lore._collection) IS
    'How often this transaction has scanned each index of a collection''s chunks.';

CREATE FUNCTION lore.explain_search(
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
) RETURNS TABLE (stage text, ms double precision, rows bigint, index text, detail text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 8
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c         lore._collection := lore._open($1);
    started   timestamptz := clock_timestamp();
    statement text;
    planned   double precision;             -- ms until the statement runs
    before    jsonb;
    plan      jsonb;
    scanned   text;
BEGIN
    IF $2 IS NULL AND $9 IS NULL THEN
        RETURN;
    END IF;
    statement := lore.search_sql($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);
    planned := extract(epoch FROM clock_timestamp() - started) * 1000;
    before := lore._index_scans(c);
    EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || statement INTO plan;
    plan := plan -> 0;
    planned := planned + (plan ->> 'Planning Time')::double precision;
    -- The keyword arm is a function, which a plan does not look into: the server's counters tell which index it scanned.
    SELECT string_agg(n.key, ', ') INTO scanned FROM jsonb_each_text(lore._index_scans(c)) AS n
    WHERE n.value::bigint > coalesce((before ->> n.key)::bigint, 0) AND n.key ~ '^keyword_';
    RETURN QUERY
        SELECT 'plan', round(planned::numeric, 3)::double precision, NULL::bigint, NULL, NULL
        UNION ALL
        SELECT * FROM (SELECT s.stage, s.ms, s.rows, CASE s.stage WHEN 'keyword' THEN coalesce(scanned, s.index) ELSE s.index END, s.detail
                       FROM lore._stages(plan) AS s ORDER BY s.place) AS stages
        UNION ALL
        SELECT 'total', round(planned::numeric + (plan ->> 'Execution Time')::numeric, 3)::double precision,
               (plan #>> '{Plan,Actual Rows}')::numeric::bigint, NULL, NULL;
END
$$;

COMMENT ON FUNCTION lore.explain_search(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer) IS
    'Runs the statement of lore.search with the same arguments, and tells where its time went, stage by stage: ms without the stages before it, rows that it hands on, indexes that it scanned, and its plan from the last step to the first. NULL query without a vector gives no rows. Raises what lore.search raises.';

REVOKE ALL ON FUNCTION lore._index_scans(lore._collection),
    lore.explain_search(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._index_scans(lore._collection),
    lore.explain_search(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer) TO lore_reader;
