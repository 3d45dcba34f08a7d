-- 511_ranked.sql: the end of a search's statement: reranked, limited, finished. Needs 484_weights, 508_fusion, 509_finish.

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
    -- say beside the stages before it: alone it does worse than they do. It is asked for no texts too: its name may be wrong.
    SELECT format($sql$pool AS MATERIALIZED (
    SELECT f.*, s.text, row_number() OVER (ORDER BY f.%1$s DESC, f.id) AS place
    FROM (SELECT *, row_number() OVER (PARTITION BY document_id ORDER BY %1$s DESC, ordinal) AS of_document FROM %2$s) AS f
    JOIN scored AS s USING (id)
    WHERE f.of_document <= %3$s
    ORDER BY place
    LIMIT %4$s
), reranked AS MATERIALIZED (
    SELECT p.*, r.score AS rerank_score
    FROM lore.rerank(%5$s, (SELECT coalesce(array_agg(text ORDER BY place), '{}') FROM pool), %6$s) AS r
    LEFT JOIN pool AS p ON p.place = r.ordinal
    ORDER BY p.id
), final AS MATERIALIZED (
    SELECT id, document_id, ordinal, vector_score, keyword_score, fusion_score, rerank_score, %7$s + %8$s * %9$s AS final_score
    FROM reranked
)$sql$, score, found, greatest(3, coalesce((wanted).per_document, 1000000000)),
        greatest(50, CASE WHEN (wanted).per_document < 3 THEN 3 * lore._deep(wanted) ELSE lore._deep(wanted) END), query,
        CASE (wanted).rerank WHEN 'default' THEN 'NULL' ELSE quote_literal((wanted).rerank) END,
        lore._normalised(score), lore._weight('rerank', (wanted).weights), lore._normalised('rerank_score'))
$$;

COMMENT ON FUNCTION lore._reranked(text, lore._search_options, text, text) IS 'The parts of a search''s statement that rerank its best candidates.';

CREATE FUNCTION lore._ranked(
    collection lore._collection,
    query      text,                        -- SQL expression of the query's text
    parts      text,                        -- of the statement, one of them scored
    found      text,                        -- the part to rank
    first      text,                        -- its column to order by before reranking
    wanted     lore._search_options
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- What is read for ten rows only comes last.
    SELECT lore._finished(collection, format($sql$WITH %1$s, best AS MATERIALIZED (
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
ORDER BY rank$sql$, concat_ws(', ', parts, CASE WHEN r.reranked THEN lore._reranked(query, wanted, found, first) END), CASE WHEN r.reranked THEN 'final_score' ELSE first END,
        CASE WHEN r.reranked THEN 'final' ELSE found END, coalesce((wanted).per_document, 1000000000), lore._deep(wanted),
        CASE WHEN r.reranked THEN 'b.rerank_score' ELSE 'NULL::double precision' END, (collection).chunks, (collection).documents), wanted)
    FROM (SELECT (wanted).rerank IS NOT NULL AS reranked) AS r
$$;

COMMENT ON FUNCTION lore._ranked(lore._collection, text, text, text, text, lore._search_options) IS
    'The statement of a search from its parts: reranked, limited, finished.';

REVOKE ALL ON FUNCTION lore._reranked(text, lore._search_options, text, text), lore._ranked(lore._collection, text, text, text, text, lore._search_options) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._reranked(text, lore._search_options, text, text), lore._ranked(lore._collection, text, text, text, text, lore._search_options) TO lore_reader;
