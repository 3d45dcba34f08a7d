-- 530_context.sql: what a generator is given to read: the best chunks, numbered, within a budget of tokens. Needs 520_search.

CREATE TYPE lore._passage AS (
    source integer, key text, chunk_id bigint, ordinal integer, span int4range, heading text, content text, tokens integer, metadata jsonb,
    score double precision, vector_score double precision, keyword_score double precision, fusion_score double precision, rerank_score double precision
);

COMMENT ON TYPE lore._passage IS 'A row of lore.context.';

CREATE FUNCTION lore._read_options(
    k integer, mode text, filter jsonb, rerank text, fusion text, diversity double precision, weights jsonb, expand text, generator text, match text
) RETURNS lore._search_options
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ROW(k, mode, filter, rerank, least(greatest(100, k), 10000), 2, fusion, diversity, 0, weights, expand, generator, match, NULL)::lore._search_options
$$;

COMMENT ON FUNCTION lore._read_options(integer, text, jsonb, text, text, double precision, jsonb, text, text, text) IS
    'How what a generator reads is searched: two chunks of a document at most.';

CREATE FUNCTION lore._context(
    collection lore._collection,
    query      text,
    embedding  vector,                      -- of the query; NULL: it is made
    max_tokens integer,                     -- of all passages; NULL is no bound
    wanted     lore._search_options
) RETURNS lore._passage[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hits     lore._hit[];
    hit      record;
    room     integer := max_tokens;
    passages lore._passage[] := '{}';
BEGIN
    IF max_tokens < 1 THEN
        PERFORM lore._raise('LO103', format('max_tokens is %s', max_tokens), 'max_tokens is 1 or more, or NULL for no bound.');
    END IF;
    hits := lore._search(collection, query, embedding, wanted);
    FOR hit IN EXECUTE format('SELECT h.*, c.tokens FROM unnest($1) AS h JOIN %s AS c ON c.id = h.chunk_id ORDER BY h.rank', (collection).chunks) USING hits LOOP
        CONTINUE WHEN hit.tokens > room;  -- a shorter one further down may still fit
        room := room - hit.tokens;
        passages := passages || ROW(cardinality(passages) + 1, hit.key, hit.chunk_id, hit.ordinal, hit.span, hit.heading, hit.content, hit.tokens,
            hit.metadata, hit.score, hit.vector_score, hit.keyword_score, hit.fusion_score, hit.rerank_score)::lore._passage;
    END LOOP;
    RETURN passages;
END
$$;

COMMENT ON FUNCTION lore._context(lore._collection, text, vector, integer, lore._search_options) IS
    'The rows of lore.context; the query''s vector is made where it is NULL.';

CREATE FUNCTION lore.context(
    collection text,
    query      text,
    k          integer DEFAULT 8,           -- most passages
    max_tokens integer DEFAULT 2000,        -- all passages together, as the embedder counts; NULL is no bound
    mode       text DEFAULT 'hybrid',       -- this and what follows as in lore.search
    filter     jsonb DEFAULT NULL,
    rerank     text DEFAULT NULL,
    fusion     text DEFAULT 'score',
    diversity  double precision DEFAULT NULL,
    weights    jsonb DEFAULT NULL,
    expand     text DEFAULT NULL,
    generator  text DEFAULT NULL,
    match      text DEFAULT 'any'
) RETURNS TABLE (
    source integer, key text, chunk_id bigint, ordinal integer, span int4range, heading text, content text, tokens integer, metadata jsonb,
    score double precision, vector_score double precision, keyword_score double precision, fusion_score double precision, rerank_score double precision
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 8
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF $2 IS NOT NULL THEN
        RETURN QUERY SELECT p.* FROM unnest(lore._context(lore._open_to_read($1), $2, NULL, $4,
            lore._read_options($3, $5, $6, $7, $8, $9, $10, $11, $12, $13))) AS p;
    END IF;
END
$$;

COMMENT ON FUNCTION lore.context(text, text, integer, integer, text, jsonb, text, text, double precision, jsonb, text, text, text) IS
    'The best passages of a collection for a query, numbered from 1, together at most max_tokens long; one that does not fit is passed over. NULL query gives no rows. Raises what lore.search raises.';

REVOKE ALL ON TYPE lore._passage FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._read_options(integer, text, jsonb, text, text, double precision, jsonb, text, text, text),
    lore._context(lore._collection, text, vector, integer, lore._search_options),
    lore.context(text, text, integer, integer, text, jsonb, text, text, double precision, jsonb, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._read_options(integer, text, jsonb, text, text, double precision, jsonb, text, text, text),
    lore._context(lore._collection, text, vector, integer, lore._search_options),
    lore.context(text, text, integer, integer, text, jsonb, text, text, double precision, jsonb, text, text, text) TO lore_reader;
