-- 487_vector_statement.sql: the statement of a search where only vectors count: short, since planning it takes longer than the
-- nearest neighbours themselves. Needs 480_vector_arm.

CREATE FUNCTION lore._vector_statement(
    collection   lore._collection,
    embedding    text,                      -- SQL expression of the query's vector
    passing      text,                      -- SQL condition on a document d, or NULL for none
    k            integer,
    wide         integer,
    per_document integer
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c     lore._collection := collection;
    -- An index reads the row of each chunk that it gives; an exact search sorts them all, and is spared the text.
    whole boolean := c.searched <> 'exact';
    parts text[] := lore._vector_arm(c, embedding, passing, wide, ', c.document_id, c.ordinal' || CASE WHEN whole THEN ', c.heading, c.content, c.span' ELSE '' END);
BEGIN
    IF per_document < wide THEN
        parts := parts || format($sql$best AS MATERIALIZED (
    SELECT *
    FROM (SELECT *, row_number() OVER (PARTITION BY document_id ORDER BY distance, ordinal) AS of_document FROM vector_arm) AS a
    WHERE of_document <= %s
    ORDER BY distance, id
    LIMIT %s
)$sql$, per_document, k);
    END IF;
    RETURN format($sql$WITH %s
SELECT (row_number() OVER (ORDER BY b.distance, d.key, b.ordinal))::integer AS rank,
       d.key, b.id AS chunk_id, b.ordinal, %s, d.metadata,
       %3$s AS score, %3$s AS vector_score, NULL::double precision AS keyword_score,
       NULL::double precision AS fusion_score, NULL::double precision AS rerank_score
FROM %4$s AS b
%5$sJOIN %6$s AS d ON d.id = b.document_id
ORDER BY rank
LIMIT %7$s$sql$, array_to_string(parts, ', '), CASE WHEN whole THEN 'b.heading, b.content, b.span' ELSE 'c.heading, c.content, c.span' END,
        lore._similarity(c.metric, 'b.distance'), CASE WHEN per_document < wide THEN 'best' ELSE 'vector_arm' END,
        CASE WHEN whole THEN '' ELSE format(E'JOIN %s AS c ON c.id = b.id\n', c.chunks) END, c.documents, k);
END
$$;

COMMENT ON FUNCTION lore._vector_statement(lore._collection, text, text, integer, integer, integer) IS 'The statement of a search by vector alone, without a reranker.';

REVOKE ALL ON FUNCTION lore._vector_statement(lore._collection, text, text, integer, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._vector_statement(lore._collection, text, text, integer, integer, integer) TO lore_reader;
