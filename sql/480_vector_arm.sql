-- 480_vector_arm.sql: the nearest chunks of a query's vector, by the index or exactly. Needs 471_index_effort.
-- The vector stands in a MATERIALIZED CTE and is read by scalar subselects: it is made once, and an index can be used. What an index
-- finds comes in its own order: where it gives more than is wanted, the best by the true distance are taken, ordered by `distance + 0`,
-- which no index order can stand for. The arm itself has no order.

CREATE FUNCTION lore._vector_arm(
    collection lore._collection,            -- searched and effort say how
    embedding  text,                        -- SQL expression of the query's vector
    passing    text,                        -- SQL condition on a document d, or NULL for none
    wide       integer,                     -- chunks to find
    carried    text DEFAULT ''              -- further columns of the chunks c: ', c.content'
) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c        lore._collection := collection;
    kind     lore._index_kind := lore._index_kind(c.searched, c.metric);
    distance text := format('c.embedding OPERATOR(%s.%s) (SELECT embedding FROM query)', c.vector_schema, lore._operator(c.metric));
    effort   integer := lore._effort(c, wide);
    fetched  integer := lore._fetched(kind.kind, effort, wide, passing IS NOT NULL);
    settings text;
    given    text := format(E'%s AS c%s\n    ORDER BY %s OPERATOR(%s.%s) (SELECT %s FROM query)', c.chunks, E'\n    WHERE ' || c.sought, lore._index_key(kind, 'c.embedding', c.vector_schema, c.dimensions),
        c.vector_schema, kind.operator, lore._index_key(kind, 'embedding', c.vector_schema, c.dimensions));
    allowed  text := format(E'allowed AS MATERIALIZED (\n    SELECT d.id FROM %s AS d WHERE %s\n)', c.documents, lore._allowed(c, passing));
    -- OFFSET 0 keeps the distance from being computed twice for each chunk, to sort by and to give.
    exact    text := format(E'SELECT *\n    FROM (\n        SELECT c.id, %s AS distance%s\n        FROM %s AS c%%s\n        OFFSET 0\n    ) AS c\n    ORDER BY distance, id\n    LIMIT %s', distance, carried, c.chunks, wide);
    -- An array takes one pass of the index, also where all documents pass; a join would descend for each.
    among    constant text := E'\n        WHERE c.document_id = ANY (ARRAY(SELECT id FROM allowed))';
BEGIN
    IF kind.kind IS NULL THEN
        RETURN ARRAY[format(E'query AS MATERIALIZED (\n    SELECT %s AS embedding\n)', embedding)]
            || CASE WHEN passing IS NOT NULL THEN allowed END
            || format(E'vector_arm AS MATERIALIZED (\n    %s\n)', format(exact, CASE WHEN passing IS NOT NULL THEN among ELSE '' END));
    END IF;
    SELECT string_agg(format(E',\n           set_config(%L, %L, true)', s.key, s.value), '' ORDER BY s.key) INTO settings
    FROM jsonb_each_text(lore._index_settings(kind.kind, effort, fetched, passing IS NOT NULL)) AS s;
    RETURN ARRAY[format(E'query AS MATERIALIZED (\n    SELECT %s AS embedding%s\n)', embedding, settings),
        format(E'%s AS MATERIALIZED (\n    SELECT c.id, %s AS distance%s\n    FROM %s\n    LIMIT %s\n)', CASE WHEN passing IS NULL AND fetched = wide THEN 'vector_arm' ELSE 'near' END, distance, carried,
            -- What the index gives is bounded: after hnsw.max_scan_tuples it would go on with what it happens to have seen. A subselect is
            -- a lookup for each row that it gives; as a join the condition would be tested on all documents.
            CASE WHEN passing IS NULL THEN given ELSE format(E'(SELECT * FROM %s LIMIT %s) AS c\n    WHERE (SELECT %s FROM %s AS d WHERE d.id = c.document_id)',
                given, coalesce(c.scanned, 20000), passing, c.documents) END, fetched)]
        || CASE WHEN passing IS NULL AND fetched > wide THEN format(E'vector_arm AS MATERIALIZED (\n    SELECT * FROM near ORDER BY distance + 0, id LIMIT %s\n)', wide) END
        -- An index may stop before enough have passed. What it found is then not all that is near, and all that pass are compared.
        || CASE WHEN passing IS NOT NULL THEN ARRAY[allowed, format($sql$vector_arm AS MATERIALIZED (
    (SELECT * FROM near WHERE (SELECT count(*) FROM near) >= %1$s ORDER BY distance + 0, id LIMIT %2$s)
    UNION ALL
    (%3$s)
)$sql$, fetched, wide, format(exact, format(E'%s AND (SELECT count(*) FROM near) < %s', among, fetched)))] END;
END
$$;

COMMENT ON FUNCTION lore._vector_arm(lore._collection, text, text, integer, text) IS
    'The CTEs query, which holds the vector and sets what the index needs for the transaction, and vector_arm, the nearest chunks with their distances.';

CREATE FUNCTION lore._effort(
    collection lore._collection,
    wide       integer
) RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce((collection).effort, lore._default_effort((collection).searched, (collection).lists, wide))
$$;

COMMENT ON FUNCTION lore._effort(lore._collection, integer) IS 'Effort of a search in the vector index.';

REVOKE ALL ON FUNCTION lore._vector_arm(lore._collection, text, text, integer, text), lore._effort(lore._collection, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._vector_arm(lore._collection, text, text, integer, text), lore._effort(lore._collection, integer) TO lore_reader;
