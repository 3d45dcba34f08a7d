-- 500_keyword.sql: chunks by the words of a query, with BM25 (k1 1.2, b 0.75). Needs 410_keyword_index, 435_filter_path.

CREATE FUNCTION lore._bm25_scores(
    collection lore._collection,
    query      text,
    path       jsonpath,
    k          integer
) RETURNS TABLE (chunk_id bigint, score double precision)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
-- The score is the one that the index scan found: computing it again takes 0.1 ms a chunk. So nothing but the index may be used.
SET enable_seqscan = off
SET enable_sort = off
AS $$
DECLARE
    c lore._collection := collection;
BEGIN
    -- pg_textsearch's planner hook finds its functions by the search path alone. Until this function returns.
    PERFORM set_config('search_path', format('pg_catalog, %s, pg_temp', c.keyword_schema), true);
    -- IS TRUE keeps the filter a lookup on the scan, which goes on until k chunks have passed it; as a join it would score them all.
    RETURN QUERY EXECUTE format('SELECT n.id, -%1$s.bm25_get_current_score() FROM %2$s AS n%3$s
        ORDER BY n.search OPERATOR(%1$s.<@>) %1$s.to_bm25query($1, %4$L) LIMIT %5$s', c.keyword_schema, c.chunks,
        CASE WHEN path IS NOT NULL THEN format(' WHERE (n.document_id IN (SELECT d.id FROM %s AS d WHERE d.metadata @@ $2)) IS TRUE', c.documents) ELSE '' END,
        c.keyword_index, k) USING query, path;
END
$$;

COMMENT ON FUNCTION lore._bm25_scores(lore._collection, text, jsonpath, integer) IS
    'The chunks that match a query best, by a BM25 index of pg_textsearch.';

CREATE FUNCTION lore._tsvector_scores(
    collection lore._collection,
    query      text,
    path       jsonpath,
    k          integer
) RETURNS TABLE (chunk_id bigint, score double precision)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c       lore._collection := collection;
    passing text := CASE WHEN path IS NOT NULL THEN format(' AND n.document_id IN (SELECT d.id FROM %s AS d WHERE d.metadata @@ $2)', c.documents) ELSE '' END;
    few     constant integer := 3000;       -- a word's chunks are counted, and chunks are ranked, up to here
    words   tsquery[];
    weights double precision[];
    wanted  tsquery;
BEGIN
    -- Words from the rarest on while together they bring in few chunks, but until there are k; those left out still count in the
    -- scores. So a natural question costs what its rare words cost, and no word has to match. Where even the rarest word stands in
    -- more than 12,000 chunks, these are ranked.
    EXECUTE format($sql$
        SELECT array_agg(w.query), array_agg(w.weight), string_agg(w.query::text, ' | ') FILTER (WHERE w.running <= $3 OR w.running - w.chunks < $4)
        FROM (SELECT l.query, f.chunks, ln(1 + (a.chunks - f.chunks + 0.5::float8) / (f.chunks + 0.5)) AS weight,
                     sum(f.chunks) OVER (ORDER BY f.chunks, l.query::text ROWS UNBOUNDED PRECEDING) AS running
              FROM (SELECT ('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''')::tsquery AS query
                    FROM unnest(to_tsvector(%L::regconfig, $1)) ORDER BY positions[1] LIMIT 100) AS l,
                   (SELECT count(*) AS chunks FROM %2$s) AS a,
                   LATERAL (SELECT count(*) AS chunks FROM (SELECT FROM %2$s AS n WHERE n.search @@ l.query%3$s LIMIT $3) AS m) AS f
              WHERE f.chunks > 0) AS w$sql$, c.language, c.chunks, passing) INTO words, weights, wanted USING query, path, few, k;
    -- ts_rank of one word found n times is sum(1 / i^2, i = 1..n) / (pi^2 / 6), which gives n back: n is close to
    -- 0.607927 / (1 - rank) - 0.607927. t / (t + K) is written 1 - K / (t + K).
    RETURN QUERY EXECUTE format($sql$
        SELECT m.id, 2.2 * (%s) AS score
        FROM (SELECT n.id, n.search, 1.2 * (0.25 + 0.75 * n.tokens / avg(n.tokens) OVER ())::float8 AS norm
              FROM (SELECT n.id, n.search, n.tokens FROM %s AS n WHERE n.search @@ $5%s LIMIT $6) AS n) AS m
        ORDER BY score DESC, m.id LIMIT $2$sql$,
        (SELECT coalesce(string_agg(format('$4[%s] * (1 - norm / (norm - 0.607927 + 0.607927 / greatest(1 - ts_rank(''{1,1,1,1}'', m.search, $3[%1$s]), 0.0001)))', i), ' + '), '0::float8')
         FROM generate_subscripts(words, 1) AS i), c.chunks, replace(passing, '$2', '$1')) USING path, k, words, weights, wanted, 4 * few;
END
$$;

COMMENT ON FUNCTION lore._tsvector_scores(lore._collection, text, jsonpath, integer) IS
    'The chunks that match a query best, by a GIN index on a tsvector: rarest words first, and any of them may match.';

CREATE FUNCTION lore._keyword_scores(
    collection lore._collection,
    query      text,
    path       jsonpath,
    k          integer
) RETURNS TABLE (chunk_id bigint, score double precision)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (collection).keyword = 'bm25' THEN
        RETURN QUERY SELECT s.chunk_id, s.score FROM lore._bm25_scores(collection, query, path, k) AS s WHERE s.score > 0 ORDER BY s.score DESC, s.chunk_id;
    ELSE
        RETURN QUERY SELECT s.chunk_id, s.score FROM lore._tsvector_scores(collection, query, path, k) AS s WHERE s.score > 0 ORDER BY s.score DESC, s.chunk_id;
    END IF;
END
$$;

COMMENT ON FUNCTION lore._keyword_scores(lore._collection, text, jsonpath, integer) IS 'The rows of lore.keyword_scores.';

CREATE FUNCTION lore.keyword_scores(
    collection text,
    query      text,
    k          integer DEFAULT 100,
    filter     jsonb DEFAULT NULL
) RETURNS TABLE (chunk_id bigint, score double precision)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c    lore._collection := lore._open($1);
    path jsonpath := lore._filter($4);
BEGIN
    IF $2 IS NOT NULL THEN
        PERFORM lore._require_query($2);
        PERFORM lore._ready_keyword_index(c);
        RETURN QUERY SELECT s.chunk_id, s.score FROM lore._keyword_scores(c, $2, path, $3) AS s;
    END IF;
END
$$;

COMMENT ON FUNCTION lore.keyword_scores(text, text, integer, jsonb) IS
    'The keyword arm of a search: the k chunks that match the words of a query best, with their BM25 scores. Any word may match. Raises LO101 empty query, LO104 bad filter, LO203 unknown collection, LO206 missing keyword engine.';

CREATE FUNCTION lore._require_query(
    query text
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF query !~ '\S' THEN
        PERFORM lore._raise('LO101', 'the query is empty', 'Pass a text with at least one visible character.');
    ELSIF length(query) > 32000 THEN
        PERFORM lore._raise('LO102', format('the query has %s characters, more than 32,000', length(query)), 'Search with a question or a paragraph, not with a document.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_query(text) IS 'Raises LO101 empty query, LO102 query too long.';

REVOKE ALL ON FUNCTION lore._bm25_scores(lore._collection, text, jsonpath, integer), lore._tsvector_scores(lore._collection, text, jsonpath, integer),
    lore._keyword_scores(lore._collection, text, jsonpath, integer), lore.keyword_scores(text, text, integer, jsonb), lore._require_query(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._bm25_scores(lore._collection, text, jsonpath, integer), lore._tsvector_scores(lore._collection, text, jsonpath, integer),
    lore._keyword_scores(lore._collection, text, jsonpath, integer), lore.keyword_scores(text, text, integer, jsonb), lore._require_query(text) TO lore_reader;
