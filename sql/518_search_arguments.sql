-- 518_search_arguments.sql: what lore.search takes and refuses. Needs 110_errors, 400_catalog, 510_statement.

CREATE FUNCTION lore._require_search(
    query text, k integer, mode text, candidates integer, per_document integer,
    fusion text DEFAULT 'score', diversity double precision DEFAULT NULL, neighbours integer DEFAULT 0
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lore._require_query(query);
    IF k IS NULL OR k NOT BETWEEN 1 AND 1000 THEN
        PERFORM lore._raise('LO103', format('k is %s', coalesce(k::text, 'NULL')), 'k is 1 to 1000.');
    ELSIF mode IS NULL OR mode NOT IN ('hybrid', 'vector', 'keyword') THEN
        PERFORM lore._raise('LO103', format('mode is "%s"', left(mode, 60)), 'mode is hybrid, vector or keyword.');
    ELSIF candidates NOT BETWEEN 1 AND 10000 THEN
        PERFORM lore._raise('LO103', format('candidates is %s', coalesce(candidates::text, 'NULL')), 'candidates is 1 to 10,000.');
    ELSIF per_document < 1 THEN
        PERFORM lore._raise('LO103', format('per_document is %s', per_document), 'per_document is 1 or more, or NULL for no limit.');
    ELSIF fusion IS NULL OR fusion NOT IN ('score', 'rrf') THEN
        PERFORM lore._raise('LO103', format('fusion is "%s"', left(fusion, 60)), 'fusion is score or rrf.');
    ELSIF diversity NOT BETWEEN 0 AND 1 THEN
        PERFORM lore._raise('LO103', format('diversity is %s', diversity), 'diversity is 0 to 1.');
    ELSIF neighbours IS NULL OR neighbours NOT BETWEEN 0 AND 100 THEN
        PERFORM lore._raise('LO103', format('neighbours is %s', coalesce(neighbours::text, 'NULL')), 'neighbours is 0 to 100.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_search(text, integer, text, integer, integer, text, double precision, integer) IS
    'Raises LO101 empty query, LO102 query too long, LO103 argument out of range.';

CREATE FUNCTION lore._require_vector(
    collection lore._collection,
    embedding  vector
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF cardinality(embedding::real[]) <> (collection).dimensions THEN
        PERFORM lore._raise('LO205', format('the vector has %s dimensions, those of collection "%s" have %s', cardinality(embedding::real[]),
            (collection).name, (collection).dimensions), format('Embed the query with model "%s".', (collection).model));
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_vector(lore._collection, vector) IS 'Raises LO205 for a vector of another size than the collection''s.';

REVOKE ALL ON FUNCTION lore._require_search(text, integer, text, integer, integer, text, double precision, integer),
    lore._require_vector(lore._collection, vector) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._require_search(text, integer, text, integer, integer, text, double precision, integer),
    lore._require_vector(lore._collection, vector) TO lore_reader;
