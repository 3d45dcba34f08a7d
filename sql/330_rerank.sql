-- 330_rerank.sql: order documents by how well they answer a query. Needs 200_host.

CREATE FUNCTION lore.rerank(
    query     text,
    documents text[],                       -- NULL elements are left out
    model     text DEFAULT NULL,            -- alias; NULL is the default reranker
    top_k     integer DEFAULT NULL          -- NULL is all
) RETURNS TABLE (ordinal integer, score double precision, document text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 50
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF query IS NULL OR documents IS NULL THEN
        RETURN;
    END IF;
    IF array_ndims(documents) > 1 THEN
        PERFORM lore._raise('LO103', format('the array of documents has %s dimensions', array_ndims(documents)),
                            'Pass a one-dimensional array.');
    END IF;
    RETURN QUERY
        SELECT r.ordinal, r.score, documents[array_lower(documents, 1) + r.ordinal - 1]
        FROM ROWS FROM (jsonb_to_recordset(lore._call('rerank', jsonb_build_object(
                 'query', query, 'documents', to_jsonb(documents), 'model', model, 'top_k', top_k)))
             AS (ordinal integer, score double precision)) WITH ORDINALITY AS r(ordinal, score, rank)
        ORDER BY r.rank;
END
$$;

COMMENT ON FUNCTION lore.rerank(text, text[], text, integer) IS
    'Documents by how well they match a query, best first: place in the array from 1, score, text. Long documents are read in windows. Raises LO101 empty query, LO102 input too long, LO103 bad top_k, LO201 unknown model.';

REVOKE ALL ON FUNCTION lore.rerank(text, text[], text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.rerank(text, text[], text, integer) TO lore_reader;
