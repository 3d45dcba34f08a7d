-- 530_context.sql: what a generator is given to read: the best chunks, numbered, within a budget of tokens. Needs 520_search.

CREATE TYPE lore._passage AS (
    source integer, key text, chunk_id bigint, ordinal integer, span int4range, heading text, content text, tokens integer, metadata jsonb,
    score double precision, vector_score double precision, keyword_score double precision, fusion_score double precision, rerank_score double precision
);

COMMENT ON TYPE lore._passage IS 'A row of lore.context.';

CREATE FUNCTION lore._context(
    collection lore._collection, query text, embedding vector, k integer, max_tokens integer, mode text, filter jsonb, rerank text
) RETURNS lore._passage[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hits     lore._hit[];
    hit      record;
    room    integer := max_tokens;
    passages lore._passage[] := '{}';
BEGIN
    IF max_tokens IS NULL OR max_tokens < 1 THEN
        PERFORM lore._raise('LO103', format('max_tokens is %s', coalesce(max_tokens::text, 'NULL')), 'max_tokens is 1 or more.');
    END IF;
    hits := lore._search(collection, query, embedding, ROW(k, mode, filter, rerank, greatest(100, k), 2, 'score', NULL, 0, NULL, NULL, NULL, 'any', NULL)::lore._search_options);
    FOR hit IN EXECUTE format('SELECT h.*, c.tokens FROM unnest($1) AS h JOIN %s AS c ON c.id = h.chunk_id ORDER BY h.rank', (collection).chunks) USING hits LOOP
        CONTINUE WHEN hit.tokens > room;  -- a shorter one further down may still fit
        room := room - hit.tokens;
        passages := passages || ROW(cardinality(passages) + 1, hit.key, hit.chunk_id, hit.ordinal, hit.span, hit.heading, hit.content, hit.tokens,
            hit.metadata, hit.score, hit.vector_score, hit.keyword_score, hit.fusion_score, hit.rerank_score)::lore._passage;
    END LOOP;
    RETURN passages;
END
$$;

COMMENT ON FUNCTION lore._context(lore._collection, text, vector, integer, integer, text, jsonb, text) IS
    'The rows of lore.context; the query''s vector is made where it is NULL.';

CREATE FUNCTION lore.context(
    collection text,
    query      text,
    k          integer DEFAULT 8,           -- most passages
    max_tokens integer DEFAULT 2000,        -- all passages together
    mode       text DEFAULT 'hybrid',
    filter     jsonb DEFAULT NULL,
    rerank     text DEFAULT NULL
) RETURNS TABLE (
    source integer, key text, chunk_id bigint, ordinal integer, span int4range, heading text, content text, tokens integer, metadata jsonb,
    score double precision, vector_score double precision, keyword_score double precision, fusion_score double precision, rerank_score double precision
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 8
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF $2 IS NOT NULL THEN
        RETURN QUERY SELECT p.* FROM unnest(lore._context(lore._open_to_read($1), $2, NULL, $3, $4, $5, $6, $7)) AS p;
    END IF;
END
$$;

COMMENT ON FUNCTION lore.context(text, text, integer, integer, text, jsonb, text) IS
    'The best passages of a collection for a query, numbered from 1, together at most max_tokens long; one that does not fit is passed over. NULL query gives no rows. Raises what lore.search raises.';

REVOKE ALL ON TYPE lore._passage FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._context(lore._collection, text, vector, integer, integer, text, jsonb, text),
    lore.context(text, text, integer, integer, text, jsonb, text) FROM PUBLIC;
GRANT USAGE ON TYPE lore._passage TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._context(lore._collection, text, vector, integer, integer, text, jsonb, text),
    lore.context(text, text, integer, integer, text, jsonb, text) TO lore_reader;
