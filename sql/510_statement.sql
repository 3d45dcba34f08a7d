-- 510_statement.sql: the one statement of a search. Needs 405_defaults, 480_vector_arm, 487_vector_statement, 500_keyword.
-- Expressions come in as SQL text: parameters ($1) where the statement is run, literals where it is printed.

CREATE FUNCTION lore._search_statement(
    collection   lore._collection,
    query        text,                      -- SQL expression of the query's text
    embedding    text,                      -- SQL expression of its vector
    filter       text,                      -- SQL expression of a filter, or NULL for none
    path         text,                      -- SQL expression of the same as a jsonpath
    keywords     text,                      -- FROM item of the keyword arm; NULL is lore.keyword_scores
    wording      text,                      -- SQL expression of the scores of l.texts; NULL is lore.wording_scores
    wanted       lore._search_options,
    wide         integer                    -- chunks that each arm offers
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c      lore._collection := collection;
    mode   text := wanted.mode;
    k      integer := lore._deep(wanted);
    by_vec boolean := mode <> 'keyword';
    by_key boolean := mode <> 'vector';
    parts  text[] := '{}';
    first  text := CASE mode WHEN 'hybrid' THEN 'score' ELSE mode || '_score' END;  -- of the order before reranking
    found  text := CASE mode WHEN 'hybrid' THEN 'supported' ELSE 'fused' END;
    words  text := lore._worded_text(c);
    whole  boolean := c.searched <> 'exact';  -- an index reads the row of each chunk that it gives; an exact search is spared the texts
    passes text := CASE WHEN filter IS NOT NULL THEN 'd.metadata @@ ' || path WHEN c.guarded THEN 'true' END;  -- the documents that can be seen
BEGIN
    c.sought := format(c.sought, filter);
    c.narrowed := format(c.narrowed, filter);
    IF mode = 'vector' AND wanted.rerank IS NULL THEN
        RETURN lore._finished(c, lore._vector_statement(c, embedding, passes, k, wide, coalesce(wanted.per_document, 1000000000)), wanted);
    END IF;
    IF by_vec AND wanted.match IN ('all', 'phrase', 'prefix') THEN  -- what does not match is no candidate, however near
        parts := parts || format(E'query AS MATERIALIZED (\n    SELECT %s AS embedding\n)', embedding);
    ELSIF by_vec THEN
        parts := parts || lore._vector_arm(c, embedding, passes, wide, CASE WHEN whole THEN format(', c.document_id, c.ordinal, %s AS text', words) ELSE '' END);
    END IF;
    IF by_key THEN
        parts := parts || format($sql$keyword_arm AS MATERIALIZED (
    SELECT w.id, w.score
    FROM %s AS w(id, score)
)$sql$, coalesce(keywords, format('lore.keyword_scores(%L, %s, %s%s)', c.name, query, lore._keyword_wide(c, wanted, wide), concat(', ' || filter, CASE WHEN wanted.match <> 'any' THEN format(', match => %L', wanted.match) END))));
    END IF;
    -- Every stage's own score for each member of the union; in the order of ids, so that sums come out the same to the last bit.
    parts := parts || format($sql$scored AS MATERIALIZED (
    SELECT s.*%s
    FROM (
        SELECT c.id, c.document_id, c.ordinal, c.text, %s AS vector_score, %s AS keyword_score
        FROM (%s) AS c%s%s
        ORDER BY c.id
    ) AS s
)$sql$,
        CASE WHEN mode = 'hybrid' AND wanted.fusion = 'score' THEN format(E',\n           %s AS by_vector,\n           %s AS by_keyword',
            lore._normalised('s.vector_score'), lore._normalised('s.keyword_score')) ELSE '' END,
        CASE WHEN by_vec THEN lore._similarity(c.metric, 'c.distance') ELSE 'NULL::double precision' END,
        CASE mode WHEN 'vector' THEN 'NULL::double precision' WHEN 'keyword' THEN 'w.score' ELSE 'coalesce(w.score, 0)' END,
        lore._candidates(c, mode, wanted.match, words),
        CASE WHEN by_key THEN E'\n        LEFT JOIN keyword_arm AS w USING (id)' ELSE '' END,
        CASE WHEN c.guarded THEN format(E'\n        JOIN %s AS d ON d.id = c.document_id', c.documents) ELSE '' END);
    IF mode = 'hybrid' THEN
        parts := parts || lore._fused(c, coalesce(wording, format('lore.wording_scores(%L, %s, l.texts)', c.name, query)), wanted) || lore._supported(c, k);
    ELSE
        parts := parts || E'fused AS (\n    SELECT id, document_id, ordinal, vector_score, keyword_score, NULL::double precision AS fusion_score\n    FROM scored\n)'::text;
    END IF;
    RETURN lore._ranked(c, query, array_to_string(parts, ', '), found, first, wanted);
END
$$;

COMMENT ON FUNCTION lore._search_statement(lore._collection, text, text, text, text, text, text, lore._search_options, integer) IS
    'The statement of a search: arms, fusion, reranking, limits. Made of public functions and tables that a reader may read.';

REVOKE ALL ON FUNCTION lore._search_statement(lore._collection, text, text, text, text, text, text, lore._search_options, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._search_statement(lore._collection, text, text, text, text, text, text, lore._search_options, integer) TO lore_reader;
