-- 522_search_sql.sql: the statement that a search runs. Needs 520_search.

CREATE FUNCTION lore.search_sql(
    collection   text,
    query        text,
    k            integer DEFAULT 10,
    mode         text DEFAULT 'hybrid',
    filter       jsonb DEFAULT NULL,
    rerank       text DEFAULT NULL,
    candidates   integer DEFAULT NULL,
    per_document integer DEFAULT 1,
    vector       vector DEFAULT NULL,
    fusion       text DEFAULT 'score',
    diversity    double precision DEFAULT NULL,
    neighbours   integer DEFAULT 0
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c      lore._collection := lore._open($1);
    path   jsonpath := lore._filter($5);
    wanted lore._search_options := ROW($3, CASE WHEN $2 IS NULL THEN 'vector' ELSE $4 END, $5, $6, $7, $8, $10, $11, $12);
    wide   integer;
BEGIN
    PERFORM lore._require_search($2, wanted);
    PERFORM lore._require_vector(c, $9);
    IF wanted.mode <> 'vector' THEN
        PERFORM lore._ready_keyword_index(c);
    END IF;
    wide := lore._wide(c, wanted);
    RETURN lore._search_statement(lore._planned(c, $5, path, wide), quote_literal($2),
        CASE WHEN $9 IS NULL THEN format('lore.embed(%L, %L, ''query'')', $2, c.model) ELSE format('%L::%s.vector', $9, c.vector_schema) END,
        CASE WHEN path IS NOT NULL THEN quote_literal($5::text) || '::jsonb' END, quote_literal(path::text) || '::jsonpath', NULL, NULL, wanted, wide);
END
$$;

COMMENT ON FUNCTION lore.search_sql(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer) IS
    'The statement that lore.search runs with the same arguments, to read, run and change. Raises what lore.search raises.';

REVOKE ALL ON FUNCTION lore.search_sql(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.search_sql(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer) TO lore_reader;
