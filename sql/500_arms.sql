-- 500_arms.sql: the two arms of a search, as common table expressions. Needs 400_catalog.
-- Expressions come in as SQL text: parameters ($1) where the statement is run, literals where it is printed.

CREATE FUNCTION lore._vector_arm(
    collection lore._collection,
    narrowed   boolean,                     -- whether a filter has made the list "allowed"
    candidates integer
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format($sql$vector_arm AS MATERIALIZED (
    SELECT c.id
    FROM %s AS c%s
    ORDER BY c.embedding OPERATOR(%s.<=>) (SELECT embedding FROM query), c.id
    LIMIT %s
)$sql$, (collection).chunks, CASE WHEN narrowed THEN E'\n    WHERE c.document_id IN (SELECT id FROM allowed)' ELSE '' END,
        (collection).vector_schema, candidates)
$$;

COMMENT ON FUNCTION lore._vector_arm(lore._collection, boolean, integer) IS
    'The nearest chunks by cosine distance, by an exact scan.';

CREATE FUNCTION lore._bm25_arm(
    collection lore._collection,
    query      text,                        -- SQL expression
    narrowed   boolean,
    depth      integer                      -- chunks whose score is kept
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- "IS TRUE" keeps the filter a lookup on the scan, which goes on until enough chunks have passed it. Without it the planner
    -- may join first and score every chunk that passes. The index is in the order of its own approximation: hence the sort.
    SELECT format($sql$keyword_arm AS MATERIALIZED (
    SELECT id, score, row_number() OVER (ORDER BY score DESC, id) AS place
    FROM (
        SELECT c.id, -(c.search OPERATOR(%1$s.<@>) %1$s.to_bm25query(%2$s, %3$L)) AS score
        FROM %4$s AS c%5$s
        ORDER BY c.search OPERATOR(%1$s.<@>) %1$s.to_bm25query(%2$s, %3$L)
        LIMIT %6$s
    ) AS found
    WHERE score > 0
)$sql$, (collection).keyword_schema, query, (collection).keyword_index, (collection).chunks,
        CASE WHEN narrowed THEN E'\n        WHERE (c.document_id IN (SELECT id FROM allowed)) IS TRUE' ELSE '' END, depth)
$$;

COMMENT ON FUNCTION lore._bm25_arm(lore._collection, text, boolean, integer) IS
    'The chunks that match a query best by BM25, with pg_textsearch.';

CREATE FUNCTION lore._tsvector_arm(
    collection lore._collection,
    query      text,
    narrowed   boolean,
    candidates integer,
    depth      integer
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- BM25 (k1 1.2, b 0.75) of core PostgreSQL's parts. A word's frequency is counted up to 10,000 chunks. Words are taken from the
    -- rarest on while they bring in no more than that, but until the candidates are complete; the words left out count in the
    -- scores. ts_rank of a single word found n times is sum(1/i^2, i = 1..n) / (pi^2 / 6), which gives n back.
    SELECT format($sql$word AS MATERIALIZED (
    SELECT w.query, f.chunks, ln(1 + (a.chunks - f.chunks + 0.5) / (f.chunks + 0.5)) AS weight,
           sum(f.chunks) OVER (ORDER BY f.chunks, w.query::text ROWS UNBOUNDED PRECEDING) AS running
    FROM (
        SELECT ('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''')::tsquery AS query
        FROM unnest(to_tsvector(%1$L::regconfig, %2$s)) ORDER BY positions[1] LIMIT 100
    ) AS w, (
        SELECT count(*) AS chunks FROM %3$s
    ) AS a, LATERAL (
        SELECT count(*) AS chunks FROM (SELECT FROM %3$s AS c WHERE c.search @@ w.query%4$s LIMIT 10000) AS matching
    ) AS f
    WHERE f.chunks > 0
), wanted AS MATERIALIZED (
    SELECT string_agg(query::text, ' | ')::tsquery AS query FROM word WHERE running <= 10000 OR running - chunks < %5$s
), keyword_arm AS MATERIALIZED (
    SELECT m.id, s.score, row_number() OVER (ORDER BY s.score DESC, m.id) AS place
    FROM (
        SELECT c.id, c.search, c.tokens / avg(c.tokens) OVER () AS length
        FROM %3$s AS c
        WHERE c.search @@ (SELECT query FROM wanted)%4$s
    ) AS m, LATERAL (
        SELECT sum(w.weight * t.times * 2.2 / (t.times + 1.2 * (0.25 + 0.75 * m.length)))::double precision AS score
        FROM word AS w, LATERAL (
            SELECT round(1 / (1.644934 * (1 - least(ts_rank('{1, 1, 1, 1}', m.search, w.query), 0.999))) - 0.5) AS times
        ) AS t
        WHERE m.search @@ w.query
    ) AS s
    ORDER BY s.score DESC, m.id
    LIMIT %6$s
)$sql$, (collection).language, query, (collection).chunks,
        CASE WHEN narrowed THEN ' AND c.document_id IN (SELECT id FROM allowed)' ELSE '' END, candidates, depth)
$$;

COMMENT ON FUNCTION lore._tsvector_arm(lore._collection, text, boolean, integer, integer) IS
    'The chunks that match a query best by BM25, with tsvector and its GIN index. Any word may match.';

REVOKE ALL ON FUNCTION lore._vector_arm(lore._collection, boolean, integer), lore._bm25_arm(lore._collection, text, boolean, integer),
    lore._tsvector_arm(lore._collection, text, boolean, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._vector_arm(lore._collection, boolean, integer), lore._bm25_arm(lore._collection, text, boolean, integer),
    lore._tsvector_arm(lore._collection, text, boolean, integer, integer) TO lore_reader;
