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
    neighbours   integer DEFAULT 0,
    weights      jsonb DEFAULT NULL,
    expand       text DEFAULT NULL,
    generator    text DEFAULT NULL,
    match        text DEFAULT 'any'
) RETURNS TABLE (stage text, ms double precision, rows bigint, index text, detail text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 8
SET search_path = pg_catalog, pg_temp
-- As in lore._search, whose statement this is.
SET hnsw.ef_search = 40
SET hnsw.iterative_scan = off
SET ivfflat.probes = 1
SET ivfflat.iterative_scan = off
SET diskann.query_search_list_size = 100
SET diskann.query_rescore = 50
SET vchordrq.probes = ''
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    c         lore._collection := lore._open_to_read($1);
    started   timestamptz := clock_timestamp();
    e         lore._expansion := ROW($9, ROW($3, CASE WHEN $2 IS NULL THEN 'vector' ELSE $4 END, $5, $6, $7, $8, $10, $11, $12, $13, $14, $15, $16, NULL)::lore._search_options);
    expanded  double precision;             -- ms of the language model
    wordings  text[];
    statement text;
    planned   double precision;             -- ms until the statement runs
    before    jsonb;
    plan      jsonb;
    scanned   text;
BEGIN
    IF $2 IS NULL AND $9 IS NULL THEN
        RETURN;
    END IF;
    PERFORM lore._require_search($2, e.wanted);
    PERFORM lore._require_vector(c, $9);
    IF $14 IS NOT NULL THEN
        e := lore._expand(c, $2, $9, e.wanted);
        wordings := (e.wanted).wordings;
        expanded := extract(epoch FROM clock_timestamp() - started) * 1000;
        started := clock_timestamp();
    END IF;
    statement := lore._search_sql(c, $2, e.embedding, e.wanted);
    planned := extract(epoch FROM clock_timestamp() - started) * 1000;
    before := lore._index_scans(c);
    EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || statement INTO plan;
    plan := plan -> 0;
    planned := planned + (plan ->> 'Planning Time')::double precision  -- and what the executor takes to start and to end
        + (plan ->> 'Execution Time')::double precision - (plan #>> '{Plan,Actual Total Time}')::double precision;
    -- The keyword arm is a function, which a plan does not look into: the server's counters tell which index it scanned.
    SELECT string_agg(n.key, ', ') INTO scanned FROM jsonb_each_text(lore._index_scans(c)) AS n
    WHERE n.value::bigint > coalesce((before ->> n.key)::bigint, 0) AND n.key ~ '^keyword_';
    RETURN QUERY
        SELECT 'expand', round(expanded::numeric, 3)::double precision, 1::bigint + coalesce(cardinality(wordings), 0), NULL, array_to_string(wordings, '; ')
        WHERE expanded IS NOT NULL
        UNION ALL
        SELECT 'plan', round(planned::numeric, 3)::double precision, NULL::bigint, NULL, NULL
        UNION ALL
        SELECT * FROM (SELECT s.stage, s.ms, s.rows, CASE s.stage WHEN 'keyword' THEN coalesce(scanned, s.index) ELSE s.index END, s.detail
                       FROM lore._stages(plan) AS s ORDER BY s.place) AS stages
        UNION ALL
        SELECT 'total', round((coalesce(expanded, 0) + planned)::numeric + (plan #>> '{Plan,Actual Total Time}')::numeric, 3)::double precision,
               (plan #>> '{Plan,Actual Rows}')::numeric::bigint, NULL, NULL;
END
$$;

COMMENT ON FUNCTION lore.explain_search(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer, jsonb, text, text, text) IS
    'Runs the statement of lore.search with the same arguments, once even where lore.search would look wider for missing rows, and tells where its time went, stage by stage: ms without the stages before it, rows that it hands on, indexes that it scanned, and its plan from the last step to the first. NULL query without a vector gives no rows. Raises what lore.search raises.';

REVOKE ALL ON FUNCTION lore._index_scans(lore._collection),
    lore.explain_search(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer, jsonb, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._index_scans(lore._collection),
    lore.explain_search(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer, jsonb, text, text, text) TO lore_reader;
