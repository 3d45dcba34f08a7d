-- 575_stages.sql: the plan of a search, as the server measured it, told by stages. Needs 100_schema. Reads no table.

CREATE FUNCTION lore._stage(
    part text                               -- name of a common table expression in lore._search_statement; NULL is the rest
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN part IS NULL OR part = 'best' THEN 'documents'
        WHEN part = 'query' THEN 'embed'
        WHEN part = 'allowed' THEN 'filter'
        WHEN part IN ('near', 'vector_arm') THEN 'vector'
        WHEN part = 'keyword_arm' THEN 'keyword'
        WHEN part IN ('scored', 'worded', 'fused', 'joined', 'gained', 'supported') THEN 'fusion'
        WHEN part IN ('pool', 'reranked', 'final') THEN 'rerank'
        ELSE part END
$$;

COMMENT ON FUNCTION lore._stage(text) IS 'The stage of a search that a part of its statement belongs to; a part that is not known is a stage of its own.';

CREATE FUNCTION lore._stages(
    plan jsonb                              -- the object that EXPLAIN (ANALYZE, FORMAT JSON) gives
) RETURNS TABLE (place bigint, stage text, ms double precision, rows bigint, index text, detail text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE node AS (
        SELECT plan -> 'Plan' AS node, NULL::text AS part, ARRAY[]::bigint[] AS path, true AS root
        UNION ALL
        -- The statement's own common table expressions are its parts; what lies inside one belongs to it. But diversity and neighbours
        -- stand around the statement of a search, which is then one of their own, with its parts inside.
        SELECT c.child, CASE WHEN i.part IS NULL THEN n.part ELSE i.part END, n.path || c.number, i.part IS NOT NULL
        FROM node AS n, jsonb_array_elements(n.node -> 'Plans') WITH ORDINALITY AS c(child, number),
             LATERAL (SELECT CASE WHEN coalesce(n.part IN ('likely', 'found'), true) THEN substring(c.child ->> 'Subplan Name' FROM '^CTE (.*)') END AS part) AS i
    ), around AS (
        SELECT bool_or(n.part = 'likely') AS likely, bool_or(n.part = 'found') AS found FROM node AS n
    ), timed AS (
        SELECT n.*, (n.node ->> 'Actual Total Time')::double precision * (n.node ->> 'Actual Loops')::double precision AS ms,
               CASE WHEN n.part IS NULL AND a.found THEN 'neighbours' WHEN (n.part IS NULL OR n.part = 'found') AND a.likely THEN 'diversity'
                    WHEN n.part IN ('likely', 'found') THEN 'documents' ELSE lore._stage(n.part) END AS stage
        FROM node AS n, around AS a
    ), part AS (
        SELECT t.part, t.stage, t.path, t.ms, (t.node ->> 'Actual Rows')::numeric::bigint AS rows FROM timed AS t WHERE t.root
    ), puller AS (
        -- What is computed on demand counts within the scan that asks first, which takes the longest.
        SELECT DISTINCT ON (t.node ->> 'CTE Name') t.node ->> 'CTE Name' AS pulled, t.part AS by
        FROM timed AS t WHERE t.node ->> 'Node Type' = 'CTE Scan' AND t.node ->> 'CTE Name' IN (SELECT p.part FROM part AS p)
            AND t.part IS DISTINCT FROM 'wordings'  -- which holds whole searches, whose parts have the same names
        ORDER BY t.node ->> 'CTE Name', t.ms DESC
    ), own AS (
        SELECT p.stage, coalesce(p.part IN ('likely', 'found'), true) AS last, p.path, p.rows, p.ms - coalesce((SELECT sum(c.ms) FROM puller AS u JOIN part AS c ON c.part = u.pulled
            WHERE u.by IS NOT DISTINCT FROM p.part), 0) AS ms FROM part AS p
    ), told AS (
        SELECT t.stage, t.path, t.node ->> 'Index Name' AS index, concat(t.node ->> 'Node Type', ' using ' || (t.node ->> 'Index Name'),
                   ' on ' || coalesce(t.node ->> 'Relation Name', t.node ->> 'Function Name'), ': ', round((t.node ->> 'Actual Rows')::numeric * (t.node ->> 'Actual Loops')::numeric), ' rows',
                   CASE WHEN t.node ->> 'Index Cond' LIKE '(labels %' THEN ', by labels' END, ', ' || ((t.node ->> 'Rows Removed by Filter')::numeric * (t.node ->> 'Actual Loops')::numeric)::bigint || ' filtered out') AS line
        FROM timed AS t
        WHERE t.node ->> 'Node Type' NOT IN ('CTE Scan', 'Result', 'Subquery Scan', 'WindowAgg', 'Materialize')
            AND t.node ->> 'Actual Loops' <> '0'  -- what never ran has scanned no index
    )
    SELECT row_number() OVER (ORDER BY array_position(ARRAY['documents', 'diversity', 'neighbours'], o.stage) NULLS FIRST, min(o.path)), o.stage, round(greatest(sum(o.ms), 0)::numeric, 3)::double precision, (array_agg(o.rows ORDER BY o.last DESC, o.path DESC))[1],
           (SELECT string_agg(DISTINCT t.index, ', ') FROM told AS t WHERE t.stage = o.stage),
           (SELECT string_agg(t.line, '; ' ORDER BY t.path) FROM told AS t WHERE t.stage = o.stage)
    FROM own AS o GROUP BY o.stage
$$;

COMMENT ON FUNCTION lore._stages(jsonb) IS 'Time without the stages that it waits for, rows, indexes and plan of each stage, in their order.';

REVOKE ALL ON FUNCTION lore._stage(text), lore._stages(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._stage(text), lore._stages(jsonb) TO lore_reader;
