-- 489_probes.sql: queries with their true neighbours, by exact search. Needs 472_index_estimate, 485_search_plan.

CREATE TYPE lore._probe AS (
    embedding vector,                       -- of the query
    own       bigint,                       -- chunk that it is the vector of, which is not looked for; NULL: of none
    near      bigint[],                     -- chunks by exact search, nearest first
    documents bigint[]                      -- their documents
);

COMMENT ON TYPE lore._probe IS 'A query with its true neighbours.';

CREATE FUNCTION lore._probes(
    collection lore._collection,
    sample     integer,
    queries    vector[],                    -- NULL: vectors of chunks, spread over the collection
    depth      integer,
    passing    text,                        -- SQL condition on a document d, or NULL; $3 is the path
    path       jsonpath
) RETURNS lore._probe[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    c      lore._collection := collection;
    -- Exact search reads every chunk once for many queries. What is near enough to a query to count is known beforehand, by a few chunks.
    part   double precision := least(1, greatest(100, least(2000, 1000000 / c.dimensions)) / lore._estimated_rows(c.chunks)::float8);
    bound  integer := ceil(depth * part + 3 * sqrt(depth * part) + 2);  -- place among these of a chunk that hardly any query has too few before
    most   integer := greatest(1, least(500000 / c.dimensions, 1000000 / greatest(1, depth)));  -- queries at a time, in memory
    probes lore._probe[];
    found  lore._probe[];
    short  integer[];                       -- places among them of those that had too few before it
    place  integer;
    one    lore._probe[];
    result lore._probe[] := '{}';
    near   text := format($sql$
WITH allowed AS MATERIALIZED (
    SELECT d.id FROM %1$s AS d WHERE %2$s
), asked AS MATERIALIZED (
    SELECT * FROM unnest($1) WITH ORDINALITY AS u(embedding, own, near, documents, place)
), few AS MATERIALIZED (
    SELECT c.embedding FROM %3$s AS c TABLESAMPLE BERNOULLI (%4$s) REPEATABLE (1)%5$s
), bounded AS MATERIALIZED (
    SELECT a.*, coalesce((SELECT f.embedding %6$s a.embedding AS distance FROM few AS f ORDER BY 1 OFFSET $2 LIMIT 1), 'NaN') AS bound FROM asked AS a
), within AS MATERIALIZED (
    SELECT b.place, c.id, c.document_id, c.embedding %6$s b.embedding AS distance
    FROM (SELECT * FROM %3$s AS c%5$s) AS c, bounded AS b
    WHERE (c.embedding %6$s b.embedding < b.bound OR b.bound = 'NaN') AND c.id IS DISTINCT FROM b.own
), found AS (
    SELECT w.place, (array_agg(w.id ORDER BY w.distance, w.id))[:%7$s] AS near, (array_agg(w.document_id ORDER BY w.distance, w.id))[:%7$s] AS documents FROM within AS w GROUP BY w.place
)
SELECT array_agg(ROW(b.embedding, b.own, f.near, f.documents)::lore._probe ORDER BY b.place),
       array_agg(b.place::integer) FILTER (WHERE b.bound <> 'NaN' AND coalesce(cardinality(f.near), 0) < %7$s)
FROM bounded AS b LEFT JOIN found AS f USING (place)$sql$, c.documents, coalesce(passing, 'false'), c.chunks, 100 * part,
        CASE WHEN passing IS NOT NULL THEN ' WHERE c.document_id IN (SELECT id FROM allowed)' ELSE '' END,
        format('OPERATOR(%s.%s)', c.vector_schema, lore._operator(c.metric)), depth);
BEGIN
    IF queries IS NOT NULL THEN
        SELECT array_agg(ROW(q.embedding, NULL, NULL, NULL)::lore._probe) INTO probes FROM unnest(queries[1:sample]) AS q(embedding);
    ELSE
        EXECUTE format('SELECT array_agg(ROW(s.embedding, s.id, NULL, NULL)::lore._probe ORDER BY hashint8extended(s.id, 7), s.id) FROM (
            SELECT c.id, c.embedding FROM %1$s AS c WHERE c.id IN (SELECT n.id FROM %1$s AS n ORDER BY hashint8extended(n.id, 7), n.id LIMIT $1)) AS s', c.chunks) INTO probes USING sample;
    END IF;
    FOR low IN 1 .. coalesce(cardinality(probes), 0) BY most LOOP
        EXECUTE near INTO found, short USING probes[low:low + most - 1], bound, path;
        FOREACH place IN ARRAY coalesce(short, '{}') LOOP
            EXECUTE near INTO one, short USING probes[low + place - 1:low + place - 1], 2147483647, path;
            found[place] := one[1];
        END LOOP;
        result := result || found;
    END LOOP;
    RETURN result;
END
$$;

COMMENT ON FUNCTION lore._probes(lore._collection, integer, vector[], integer, text, jsonpath) IS 'A sample of queries with their true neighbours.';

REVOKE ALL ON TYPE lore._probe FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._probes(lore._collection, integer, vector[], integer, text, jsonpath) FROM PUBLIC;
GRANT USAGE ON TYPE lore._probe TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._probes(lore._collection, integer, vector[], integer, text, jsonpath) TO lore_reader;
