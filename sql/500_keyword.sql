-- 500_keyword.sql: chunks by the words of a query, with BM25 (k1 1.2, b 0.75). Needs 410_keyword_index, 485_search_plan.

CREATE FUNCTION lore._bm25_scores(
    collection lore._collection,
    query      text,
    path       jsonpath,
    among      bigint[],                    -- the documents that pass it; NULL: it is tried on each chunk
    k          integer
) RETURNS TABLE (chunk_id bigint, score double precision)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
-- The score is the one that the index scan found: computing it again takes 0.1 ms a chunk. So nothing but the index may be used.
SET enable_seqscan = off
SET enable_sort = off
AS $$
DECLARE
    c      lore._collection := collection;
    given  text := format('SELECT n.id, -%1$s.bm25_get_current_score() AS score, n.document_id FROM %2$s AS n ORDER BY n.search OPERATOR(%1$s.<@>) %1$s.to_bm25query($1, %3$L)',
        c.keyword_schema, c.chunks, c.keyword_index);
    share  double precision := CASE WHEN path IS NULL THEN 1.5 WHEN among IS NULL THEN c.share ELSE greatest(1, cardinality(among)) / lore._estimated_rows(c.documents)::float8 END;
    tried  bigint := greatest(1, ceil(1.5 * k / share));  -- chunks that the index gives
    most   bigint;
    few    boolean := false;
    ids    bigint[];
    scores double precision[];
BEGIN
    -- pg_textsearch's planner hook finds its functions by the search path alone. Until this function returns.
    PERFORM set_config('search_path', format('pg_catalog, %s, pg_temp', c.keyword_schema), true);
    IF among IS NOT NULL THEN
        EXECUTE format('SELECT count(*) <= 150 FROM (SELECT FROM %s AS n WHERE n.document_id = ANY ($1) LIMIT 151) AS m', c.chunks) INTO few USING among;
    END IF;
    IF few THEN
        RETURN QUERY EXECUTE format('SELECT n.id, -(n.search OPERATOR(%1$s.<@>) %1$s.to_bm25query($1, %3$L)) AS score FROM %2$s AS n
            WHERE n.document_id = ANY ($2) ORDER BY score DESC, n.id LIMIT $3', c.keyword_schema, c.chunks, c.keyword_index) USING query, among, k;
        RETURN;
    END IF;
    -- With a limit of its own, in a subquery, the index gives each chunk once. Where a filter stands beside it, it begins anew for
    -- twice as many again and again, and in a CTE the score is computed once more.
    LOOP
        EXECUTE format('SELECT (array_agg(t.id) FILTER (WHERE t.passes))[:%4$s], (array_agg(t.score) FILTER (WHERE t.passes))[:%4$s], count(*)
            FROM (SELECT g.id, g.score, %3$s AS passes FROM (%1$s LIMIT %2$s) AS g OFFSET 0) AS t', given, tried,
            CASE WHEN among IS NOT NULL THEN 'g.document_id = ANY ($3)'
                 WHEN path IS NOT NULL THEN format('(SELECT d.metadata @@ $2 FROM %s AS d WHERE d.id = g.document_id)', c.documents) ELSE 'true' END, k)
            INTO ids, scores, most USING query, path, among;
        EXIT WHEN cardinality(ids) >= k OR most < tried;
        tried := 4 * tried;
    END LOOP;
    RETURN QUERY SELECT * FROM unnest(ids, scores);
END
$$;

COMMENT ON FUNCTION lore._bm25_scores(lore._collection, text, jsonpath, bigint[], integer) IS
    'The chunks that match a query best, by a BM25 index of pg_textsearch.';

CREATE FUNCTION lore._keyword_scores(
    collection lore._collection,
    query      text,
    filter     jsonb,
    path       jsonpath,                    -- the same
    k          integer,
    match      text DEFAULT 'any'           -- or all, phrase, prefix, fuzzy
) RETURNS TABLE (chunk_id bigint, score double precision)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- PostgreSQL's parser, which cannot be cancelled, takes time by the square of the length of a run with "_" or "@" in it: 6 s for
    -- 32,000 characters. It parts words at "_", and no address is as long.
    plain text := CASE WHEN query ~ '\S{250}\S{250}\S{250}\S{250}' THEN translate(query, '_@', '  ') ELSE query END;
    asked text := CASE WHEN match IN ('any', 'fuzzy') THEN lore._corrected(collection, plain, match = 'fuzzy') END;
    among bigint[];
BEGIN
    IF (collection).keyword NOT IN ('bm25', 'tsvector') THEN
        RETURN QUERY SELECT s.chunk_id, s.score FROM lore._engine_scores(collection, query, path, k, match) AS s WHERE s.score > 0 ORDER BY s.score DESC, s.chunk_id;
        RETURN;
    END IF;
    among := lore._allowed_documents(collection, filter, path, CASE WHEN asked IS NULL THEN 5000 ELSE k / (collection).share END);
    IF asked IS NULL THEN
        RETURN QUERY SELECT s.chunk_id, s.score FROM lore._match_scores(collection, plain, path, among, k, match) AS s ORDER BY s.score DESC, s.chunk_id;
    ELSIF (collection).keyword = 'bm25' THEN
        RETURN QUERY SELECT s.chunk_id, s.score FROM lore._bm25_scores(collection, asked, path, among, k) AS s WHERE s.score > 0 ORDER BY s.score DESC, s.chunk_id;
    ELSE
        RETURN QUERY SELECT s.chunk_id, s.score FROM lore._tsvector_scores(collection, asked, path, k, among => among) AS s WHERE s.score > 0 ORDER BY s.score DESC, s.chunk_id;
    END IF;
END
$$;

COMMENT ON FUNCTION lore._keyword_scores(lore._collection, text, jsonb, jsonpath, integer, text) IS 'The rows of lore.keyword_scores.';

CREATE FUNCTION lore.keyword_scores(
    collection text,
    query      text,
    k          integer DEFAULT 100,
    filter     jsonb DEFAULT NULL,
    match      text DEFAULT 'any'           -- of the words; or 'all', 'phrase', 'prefix', 'fuzzy'
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
        PERFORM lore._require_match($5);
        IF $3 IS NULL OR $3 < 0 THEN
            PERFORM lore._raise('LO103', format('k is %s', coalesce($3::text, 'NULL')), 'k is 0 or more.');
        END IF;
        PERFORM lore._ready_keyword_index(c);
        IF path IS NOT NULL THEN
            c := lore._planned(c, $4, path, $3);
        END IF;
        RETURN QUERY SELECT s.chunk_id, s.score FROM lore._keyword_scores(c, $2, $4, path, $3, $5) AS s;
    END IF;
END
$$;

COMMENT ON FUNCTION lore.keyword_scores(text, text, integer, jsonb, text) IS
    'The keyword arm of a search: the k chunks that match the words of a query best, with their BM25 scores. match: any word (misspelt ones are mended, with a NOTICE), all words, the words in a row (phrase), all words of which the last is a beginning (prefix), or any of the likest words (fuzzy). Raises LO101 empty query, LO103 unknown match or k out of range, LO104 bad filter, LO203 unknown collection, LO206 missing keyword engine.';

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

REVOKE ALL ON FUNCTION lore._bm25_scores(lore._collection, text, jsonpath, bigint[], integer),
    lore._keyword_scores(lore._collection, text, jsonb, jsonpath, integer, text), lore.keyword_scores(text, text, integer, jsonb, text), lore._require_query(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._bm25_scores(lore._collection, text, jsonpath, bigint[], integer),
    lore._keyword_scores(lore._collection, text, jsonb, jsonpath, integer, text), lore.keyword_scores(text, text, integer, jsonb, text), lore._require_query(text) TO lore_reader;
