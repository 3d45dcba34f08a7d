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
    most   integer := coalesce(wanted.per_document, 1000000000);
    by_vec boolean := mode <> 'keyword';
    by_key boolean := mode <> 'vector';
    parts  text[] := '{}';
    first  text := CASE mode WHEN 'hybrid' THEN 'score' ELSE mode || '_score' END;  -- of the order before reranking
    score  text := CASE WHEN wanted.rerank IS NOT NULL THEN 'final_score' ELSE first END;
    found  text := CASE mode WHEN 'hybrid' THEN 'supported' ELSE 'fused' END;
    words  text := lore._worded_text(c);
    whole  boolean := c.searched <> 'exact';  -- an index reads the row of each chunk that it gives; an exact search is spared the texts
    passes text := CASE WHEN filter IS NOT NULL THEN 'd.metadata @@ ' || path END;
BEGIN
    IF mode = 'vector' AND wanted.rerank IS NULL THEN
        RETURN lore._finished(c, lore._vector_statement(c, embedding, passes, k, wide, most), wanted);
    END IF;
    IF by_vec THEN
        parts := parts || lore._vector_arm(c, embedding, passes, wide, CASE WHEN whole THEN format(', c.document_id, c.ordinal, %s AS text', words) ELSE '' END);
    END IF;
    IF by_key THEN
        parts := parts || format($sql$keyword_arm AS MATERIALIZED (
    SELECT w.id, w.score
    FROM %s AS w(id, score)
)$sql$, coalesce(keywords, format('lore.keyword_scores(%L, %s, %s%s)', c.name, query, wide, ', ' || filter)));
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
        lore._candidates(c, mode, words),
        CASE WHEN by_key THEN E'\n        LEFT JOIN keyword_arm AS w USING (id)' ELSE '' END,
        CASE WHEN c.guarded THEN format(E'\n        JOIN %s AS d ON d.id = c.document_id', c.documents) ELSE '' END);
    IF mode = 'hybrid' THEN
        parts := parts || lore._fused(c, coalesce(wording, format('lore.wording_scores(%L, %s, l.texts)', c.name, query)), wanted.fusion) || lore._supported(c, k);
    ELSE
        parts := parts || E'fused AS (\n    SELECT id, document_id, ordinal, vector_score, keyword_score, NULL::double precision AS fusion_score\n    FROM scored\n)'::text;
    END IF;
    IF wanted.rerank IS NOT NULL THEN
        parts := parts || lore._reranked(query, wanted, found, first);
    END IF;
    -- What is read for ten rows only comes last.
    RETURN lore._finished(c, format($sql$WITH %s, best AS MATERIALIZED (
    SELECT *
    FROM (SELECT *, row_number() OVER (PARTITION BY document_id ORDER BY %2$s DESC, ordinal) AS of_document FROM %3$s) AS b
    WHERE of_document <= %4$s
    ORDER BY %2$s DESC, id
    LIMIT %5$s
)
SELECT (row_number() OVER (ORDER BY b.%2$s DESC, d.key, b.ordinal))::integer AS rank,
       d.key, b.id AS chunk_id, b.ordinal, c.heading, c.content, c.span, d.metadata,
       b.%2$s AS score, b.vector_score, b.keyword_score, b.fusion_score, %6$s AS rerank_score
FROM best AS b
JOIN %7$s AS c USING (id)
JOIN %8$s AS d ON d.id = b.document_id
ORDER BY rank$sql$, array_to_string(parts, ', '), score, CASE WHEN wanted.rerank IS NULL THEN found ELSE 'final' END, most, k,
        CASE WHEN wanted.rerank IS NULL THEN 'NULL::double precision' ELSE 'b.rerank_score' END, c.chunks, c.documents), wanted);
END
$$;

COMMENT ON FUNCTION lore._search_statement(lore._collection, text, text, text, text, text, text, lore._search_options, integer) IS
    'The statement of a search: arms, fusion, reranking, limits. Made of public functions and tables that a reader may read.';

CREATE FUNCTION lore._reranked(
    query  text,                            -- SQL expression of the query's text
    wanted lore._search_options,
    found  text,                            -- part of the statement to rerank
    score  text                             -- its column to order by
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Up to three chunks of a document, of which the reranker may prefer another; enough of them for k rows. The reranker has its
    -- say beside the stages before it: alone it does worse than they do.
    SELECT format($sql$pool AS MATERIALIZED (
    SELECT f.*, s.text, row_number() OVER (ORDER BY f.%1$s DESC, f.id) AS place
    FROM (SELECT *, row_number() OVER (PARTITION BY document_id ORDER BY %1$s DESC, ordinal) AS of_document FROM %2$s) AS f
    JOIN scored AS s USING (id)
    WHERE f.of_document <= %3$s
    ORDER BY place
    LIMIT %4$s
), reranked AS MATERIALIZED (
    SELECT p.*, r.score AS rerank_score
    FROM lore.rerank(%5$s, (SELECT array_agg(text ORDER BY place) FROM pool), %6$s) AS r
    JOIN pool AS p ON p.place = r.ordinal
    ORDER BY p.id
), final AS MATERIALIZED (
    SELECT id, document_id, ordinal, vector_score, keyword_score, fusion_score, rerank_score, %7$s + %8$s * %9$s AS final_score
    FROM reranked
)$sql$, score, found, greatest(3, coalesce((wanted).per_document, 1000000000)),
        greatest(50, CASE WHEN (wanted).per_document < 3 THEN 3 * lore._deep(wanted) ELSE lore._deep(wanted) END), query,
        CASE (wanted).rerank WHEN 'default' THEN 'NULL' ELSE quote_literal((wanted).rerank) END,
        lore._normalised(score), lore._weight('rerank'), lore._normalised('rerank_score'))
$$;

COMMENT ON FUNCTION lore._reranked(text, lore._search_options, text, text) IS 'The parts of a search''s statement that rerank its best candidates.';

REVOKE ALL ON FUNCTION lore._search_statement(lore._collection, text, text, text, text, text, text, lore._search_options, integer),
    lore._reranked(text, lore._search_options, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._search_statement(lore._collection, text, text, text, text, text, text, lore._search_options, integer),
    lore._reranked(text, lore._search_options, text, text) TO lore_reader;
