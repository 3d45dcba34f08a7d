-- 510_statement.sql: the one statement of a search. Needs 405_defaults, 480_vector_arm, 487_vector_statement, 500_keyword.
-- Expressions come in as SQL text: parameters ($1) where the statement is run, literals where it is printed.

CREATE FUNCTION lore._search_statement(
    collection   lore._collection,
    query        text,                      -- SQL expression of the query's text
    embedding    text,                      -- SQL expression of its vector
    filter       text,                      -- SQL expression of a filter, or NULL for none
    path         text,                      -- SQL expression of the same as a jsonpath
    k            integer,
    mode         text,
    rerank       text,                      -- alias, or NULL for none
    candidates   integer,
    per_document integer,
    fusion       text DEFAULT 'score'       -- or rrf
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c      lore._collection := collection;
    wide   integer := greatest(candidates, k);
    depth  integer := greatest(1000, wide);  -- keyword scores known for candidates of the vector arm; a deeper one counts as 0
    by_vec boolean := mode <> 'keyword';
    by_key boolean := mode <> 'vector';
    parts  text[] := '{}';
    first  text := CASE mode WHEN 'hybrid' THEN 'score' ELSE mode || '_score' END;  -- of the order before reranking
    score  text := CASE WHEN rerank IS NOT NULL THEN 'final_score' ELSE first END;
    found  text := CASE mode WHEN 'hybrid' THEN 'supported' ELSE 'fused' END;
    z      text := 'coalesce((%1$s - avg(%1$s) OVER ()) / nullif(stddev_pop(%1$s) OVER (), 0), 0)';
BEGIN
    IF mode = 'vector' AND rerank IS NULL THEN
        RETURN lore._vector_statement(c, embedding, CASE WHEN filter IS NOT NULL THEN 'd.metadata @@ ' || path END, k, wide, per_document);
    END IF;
    IF by_vec THEN
        parts := parts || lore._vector_arm(c, embedding, CASE WHEN filter IS NOT NULL THEN 'd.metadata @@ ' || path END, wide);
    END IF;
    IF by_key THEN
        parts := parts || format($sql$keyword_arm AS MATERIALIZED (
    SELECT chunk_id AS id, score, row_number() OVER (ORDER BY score DESC, chunk_id) AS place
    FROM lore.keyword_scores(%L, %s, %s%s)
)$sql$, c.name, query, depth, CASE WHEN filter IS NOT NULL THEN ', ' || filter ELSE '' END);
    END IF;
    -- Every stage's own score for each member of the union; in the order of ids, so that sums come out the same to the last bit.
    parts := parts || format($sql$scored AS MATERIALIZED (
    SELECT c.id, c.document_id, d.key, c.ordinal,
           %s AS vector_score,
           %s AS keyword_score
    FROM (%s) AS candidate
    JOIN %s AS c USING (id)
    JOIN %s AS d ON d.id = c.document_id%s
    ORDER BY c.id
)$sql$,
        CASE WHEN by_vec THEN lore._similarity(c.metric, format('c.embedding OPERATOR(%s.%s) (SELECT embedding FROM query)', c.vector_schema, lore._operator(c.metric))) ELSE 'NULL::double precision' END,
        CASE mode WHEN 'vector' THEN 'NULL::double precision' WHEN 'keyword' THEN 'w.score' ELSE 'coalesce(w.score, 0)' END,
        concat_ws(' UNION ', CASE WHEN by_vec THEN 'SELECT id FROM vector_arm' END, CASE WHEN by_key THEN format('SELECT id FROM keyword_arm WHERE place <= %s', wide) END),
        c.chunks, c.documents, CASE WHEN by_key THEN E'\n    LEFT JOIN keyword_arm AS w ON w.id = c.id' ELSE '' END);
    IF mode = 'hybrid' THEN
        parts := parts || lore._fused(c, query, fusion);
    ELSE
        parts := parts || E'fused AS MATERIALIZED (\n    SELECT *, NULL::double precision AS fusion_score\n    FROM scored\n)'::text;
    END IF;
    IF mode = 'hybrid' THEN
        parts := parts || lore._supported(c);
    END IF;
    IF rerank IS NOT NULL THEN
        parts := parts || format($sql$pool AS MATERIALIZED (
    SELECT f.*, concat_ws(E'\n', d.metadata ->> 'title', c.heading, c.content) AS text,
           row_number() OVER (ORDER BY f.%s DESC, f.key, f.ordinal) AS place
    FROM (SELECT *, row_number() OVER (PARTITION BY document_id ORDER BY %s DESC, ordinal) AS of_document FROM %s) AS f
    JOIN %s AS c USING (id) JOIN %s AS d ON d.id = f.document_id
    WHERE f.of_document <= %s
    ORDER BY place
    LIMIT %s
), reranked AS MATERIALIZED (
    SELECT p.*, r.score AS rerank_score
    FROM lore.rerank(%s, (SELECT array_agg(text ORDER BY place) FROM pool), %s) AS r
    JOIN pool AS p ON p.place = r.ordinal
    ORDER BY p.id
), final AS MATERIALIZED (
    SELECT id, document_id, key, ordinal, vector_score, keyword_score, fusion_score, rerank_score, %s AS final_score
    FROM reranked
)$sql$, first, first, found, c.chunks, c.documents,
            -- Up to three chunks of a document, of which the reranker may prefer another; enough of them for k rows.
            greatest(3, per_document), greatest(50, CASE WHEN per_document < 3 THEN 3 * k ELSE k END), query, CASE rerank WHEN 'default' THEN 'NULL' ELSE quote_literal(rerank) END,
            -- The reranker has its say beside the stages before it: alone it does worse than they do.
            format('%s + %s * %s', format(z, first), lore._weight('rerank'), format(z, 'rerank_score')));
    END IF;
    parts := parts || format($sql$best AS (
    SELECT *, row_number() OVER (PARTITION BY document_id ORDER BY %s DESC, ordinal) AS of_document
    FROM %s
)$sql$, score, CASE WHEN rerank IS NULL THEN found ELSE 'final' END);
    RETURN format($sql$WITH %s
SELECT (row_number() OVER (ORDER BY b.%2$s DESC, b.key, b.ordinal))::integer AS rank,
       b.key, b.id AS chunk_id, b.ordinal, c.heading, c.content, c.span, d.metadata,
       b.%2$s AS score, b.vector_score, b.keyword_score, b.fusion_score, %3$s AS rerank_score
FROM best AS b
JOIN %4$s AS c USING (id)
JOIN %5$s AS d ON d.id = b.document_id
WHERE b.of_document <= %6$s
ORDER BY rank
LIMIT %7$s$sql$, array_to_string(parts, ', '), score, CASE WHEN rerank IS NULL THEN 'NULL::double precision' ELSE 'b.rerank_score' END,
        c.chunks, c.documents, per_document, k);
END
$$;

COMMENT ON FUNCTION lore._search_statement(lore._collection, text, text, text, text, integer, text, text, integer, integer, text) IS
    'The statement of a search: arms, fusion, reranking, limits. Made of public functions and tables that a reader may read.';

REVOKE ALL ON FUNCTION lore._search_statement(lore._collection, text, text, text, text, integer, text, text, integer, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._search_statement(lore._collection, text, text, text, text, integer, text, text, integer, integer, text) TO lore_reader;
