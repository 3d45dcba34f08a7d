-- 373_sentiment.sql: whether a text is positive or negative. Needs 370_operate. VOLATILE as 371_matches says.

CREATE FUNCTION lore._sentiments(
    inputs    text[],
    arguments jsonb,
    bearing   boolean DEFAULT false
) RETURNS jsonb[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN inputs IS NOT NULL THEN lore._operated('sentiment', inputs, arguments, bearing) END
$$;

COMMENT ON FUNCTION lore._sentiments(text[], jsonb, boolean) IS
    'Results of sentiment for an array: {"sentiment", "score", "decided_by"}.';

CREATE FUNCTION lore.sentiment(
    input     text,
    model     text DEFAULT NULL,            -- alias of a language model; NULL is the default generator, 'extractive' is none
    embedder  text DEFAULT NULL,            -- alias; NULL is the default embedder
    agreement double precision DEFAULT 0.95 -- as of lore.matches
) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (lore._sentiments(ARRAY[input], jsonb_build_object('model', model, 'embedder', embedder, 'agreement', agreement)))[1] ->> 'sentiment'
$$;

COMMENT ON FUNCTION lore.sentiment(text, text, text, double precision) IS
    'positive, negative, neutral or mixed. The embedding decides where it is sure, the language model the rest; without one the embedding alone decides, never says mixed, and a NOTICE tells. Raises LO101 empty input, LO102 input too long, LO103 bad argument, LO201 unknown model, LO301 server down, LO302 busy.';

CREATE FUNCTION lore.sentiment(
    inputs    text[],                       -- NULL elements stay NULL
    model     text DEFAULT NULL,
    embedder  text DEFAULT NULL,
    agreement double precision DEFAULT 0.95,
    sample    integer DEFAULT NULL
) RETURNS text[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN inputs IS NOT NULL THEN ARRAY(
        SELECT r.one ->> 'sentiment'
        FROM unnest(lore._sentiments(inputs, jsonb_build_object('model', model, 'embedder', embedder, 'agreement', agreement,
            'sample', sample))) WITH ORDINALITY AS r(one, n) ORDER BY r.n) END
$$;

COMMENT ON FUNCTION lore.sentiment(text[], text, text, double precision, integer) IS
    'The same of an array, in its order: one call. The error of an element names its place. Raises LO101, LO102, LO103, LO201, LO301, LO302.';

CREATE FUNCTION lore.sentiment_result(
    inputs    text[],
    model     text DEFAULT NULL,
    embedder  text DEFAULT NULL,
    agreement double precision DEFAULT 0.95,
    sample    integer DEFAULT NULL
) RETURNS TABLE (ordinal integer, sentiment text, score double precision, decided_by text, error text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.n::integer, r.one ->> 'sentiment', (r.one ->> 'score')::double precision, r.one ->> 'decided_by', lore._failure(r.one)
    FROM unnest(lore._sentiments(inputs, jsonb_build_object('model', model, 'embedder', embedder, 'agreement', agreement,
        'sample', sample), true)) WITH ORDINALITY AS r(one, n)
    ORDER BY r.n
$$;

COMMENT ON FUNCTION lore.sentiment_result(text[], text, text, double precision, integer) IS
    'A row for each text of an array: its sentiment, a score from -1 (negative) to 1 (positive) by the embedding, and who decided: embedding or model. A text that failed alone has its error in a column. Raises LO102, LO103, LO201, LO301, LO302.';

REVOKE ALL ON FUNCTION lore._sentiments(text[], jsonb, boolean), lore.sentiment(text, text, text, double precision),
    lore.sentiment(text[], text, text, double precision, integer), lore.sentiment_result(text[], text, text, double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._sentiments(text[], jsonb, boolean), lore.sentiment(text, text, text, double precision),
    lore.sentiment(text[], text, text, double precision, integer), lore.sentiment_result(text[], text, text, double precision, integer) TO lore_reader;
