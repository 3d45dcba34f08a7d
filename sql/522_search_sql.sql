-- 522_search_sql.sql: the statement that a search runs. Needs 520_search, 521_expand.

CREATE FUNCTION lore._search_sql(
    collection lore._collection,
    query      text,
    embedding  vector,                      -- of the query; NULL: the statement makes it
    wanted     lore._search_options         -- without expand
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c    lore._collection := collection;
    path jsonpath := lore._filter(wanted.filter);
    wide integer := lore._wide(c, wanted);
BEGIN
    IF wanted.mode <> 'vector' THEN
        PERFORM lore._ready_keyword_index(c);
    END IF;
    IF wanted.wordings IS NOT NULL THEN
        RETURN lore._joined(c, query, embedding, wanted);
    END IF;
    RETURN lore._search_statement(lore._planned(c, wanted.filter, path, wide), quote_literal(query),
        CASE WHEN embedding IS NULL THEN format('lore.embed(%L, %L, ''query'')', query, c.model) ELSE format('%L::%s.vector', embedding, c.vector_schema) END,
        CASE WHEN path IS NOT NULL THEN quote_literal(wanted.filter::text) || '::jsonb' END, quote_literal(path::text) || '::jsonpath', NULL, NULL, wanted, wide);
END
$$;

COMMENT ON FUNCTION lore._search_sql(lore._collection, text, vector, lore._search_options) IS 'The statement of a search, with literals.';

CREATE FUNCTION lore._joined(
    collection lore._collection,
    query      text,
    embedding  vector,
    wanted     lore._search_options         -- with other wordings of the query
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    alone lore._search_options := wanted;   -- of one wording: its best rows, without what is done to the rows of all
    lists text;
BEGIN
    alone.wordings := NULL;
    alone.rerank := NULL;
    alone.diversity := NULL;
    alone.neighbours := 0;
    alone.k := greatest(50, lore._deep(wanted));
    SELECT string_agg(format(E'SELECT %s AS wording, s.* FROM (\n%s\n) AS s', w.n, lore._search_sql(collection, w.text, CASE WHEN w.n = 1 THEN embedding END, alone)), E'\nUNION ALL\n' ORDER BY w.n)
    INTO lists FROM unnest(query || wanted.wordings) WITH ORDINALITY AS w(text, n);
    -- Reciprocal ranks (Cormack, Clarke and Buettcher 2009): scores of different queries cannot be compared. The other scores of a
    -- chunk are those of the first wording that found it.
    RETURN lore._ranked(collection, quote_literal(query), format($sql$wordings AS MATERIALIZED (
%s
), scored AS MATERIALIZED (
    SELECT w.id, c.document_id, c.ordinal, %s AS text, w.vector_score, w.keyword_score, w.fusion_score
    FROM (SELECT DISTINCT ON (chunk_id) chunk_id AS id, vector_score, keyword_score, fusion_score FROM wordings ORDER BY chunk_id, wording) AS w
    JOIN %s AS c USING (id)
    ORDER BY w.id
), joined AS MATERIALIZED (
    SELECT s.id, s.document_id, s.ordinal, s.vector_score, s.keyword_score, s.fusion_score, r.score
    FROM scored AS s
    JOIN (SELECT chunk_id AS id, sum(1 / (60 + rank)::double precision ORDER BY wording) AS score FROM wordings GROUP BY chunk_id) AS r USING (id)
    ORDER BY s.id
)$sql$, lists, CASE WHEN wanted.rerank IS NOT NULL THEN lore._worded_text(collection) ELSE 'NULL' END, (collection).chunks), 'joined', 'score', wanted);
END
$$;

COMMENT ON FUNCTION lore._joined(lore._collection, text, vector, lore._search_options) IS
    'The statement that searches a query and its other wordings, and joins their rows by the sum of 1 / (60 + rank).';

CREATE FUNCTION lore._search_expanded(
    collection lore._collection,
    query      text,
    embedding  vector,
    wanted     lore._search_options         -- with expand, or with other wordings
) RETURNS lore._hit[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    e    lore._expansion := ROW(embedding, wanted);
    hits lore._hit[];
BEGIN
    IF wanted.expand IS NOT NULL THEN
        e := lore._expand(collection, query, embedding, wanted);
    END IF;
    IF (e.wanted).wordings IS NULL THEN
        RETURN lore._search(collection, query, e.embedding, e.wanted);
    END IF;
    EXECUTE format('SELECT coalesce(array_agg(ROW(s.*)::lore._hit ORDER BY s.rank), ''{}'') FROM (%s) AS s', lore._search_sql(collection, query, e.embedding, e.wanted)) INTO hits;
    RETURN hits;
END
$$;

COMMENT ON FUNCTION lore._search_expanded(lore._collection, text, vector, lore._search_options) IS 'The rows of a search whose query is expanded first.';

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
    neighbours   integer DEFAULT 0,
    weights      jsonb DEFAULT NULL,
    expand       text DEFAULT NULL,
    generator    text DEFAULT NULL,
    match        text DEFAULT 'any'
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c lore._collection := lore._open($1);
    e lore._expansion := ROW($9, ROW($3, CASE WHEN $2 IS NULL THEN 'vector' ELSE $4 END, $5, $6, $7, $8, $10, $11, $12, $13, $14, $15, $16, NULL)::lore._search_options);
BEGIN
    IF $2 IS NULL AND $9 IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM lore._require_search($2, e.wanted);
    PERFORM lore._require_vector(c, $9);
    IF $14 IS NOT NULL THEN
        e := lore._expand(c, $2, $9, e.wanted);
    END IF;
    RETURN lore._search_sql(c, $2, e.embedding, e.wanted);
END
$$;

COMMENT ON FUNCTION lore.search_sql(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer, jsonb, text, text, text) IS
    'The statement that lore.search runs with the same arguments, to read, run and change; where it leaves fewer than k rows, lore.search may run it again with more candidates, or exactly. With expand a language model writes what is searched beside the query, and it stands in the statement. NULL query without a vector gives NULL. Raises what lore.search raises.';

REVOKE ALL ON FUNCTION lore._search_sql(lore._collection, text, vector, lore._search_options), lore._joined(lore._collection, text, vector, lore._search_options),
    lore._search_expanded(lore._collection, text, vector, lore._search_options), lore.search_sql(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer, jsonb, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._search_sql(lore._collection, text, vector, lore._search_options), lore._joined(lore._collection, text, vector, lore._search_options),
    lore._search_expanded(lore._collection, text, vector, lore._search_options), lore.search_sql(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer, jsonb, text, text, text) TO lore_reader;
