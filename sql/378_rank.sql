-- 378_rank.sql: how far a text has a quality, for ORDER BY. Needs 370_operate. VOLATILE as 371_matches says.

CREATE FUNCTION lore.rank(
    input text,
    quality text,  -- in words: 'how urgent it is'
    model text DEFAULT NULL,  -- alias of a language model; NULL is the default generator, 'extractive' is none
    embedder text DEFAULT NULL  -- alias; NULL is the default embedder
) RETURNS double precision
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN input IS NOT NULL AND quality IS NOT NULL THEN ((lore._operated('rank', ARRAY[input], jsonb_build_object('quality', quality,
        'model', model, 'embedder', embedder)))[1] ->> 'score')::double precision END
$$;

COMMENT ON FUNCTION lore.rank(text, text, text, text) IS
    'How far a text has a quality that is described, 0 to 1: ORDER BY lore.rank(content, ''how urgent it is'') DESC. A language model grades each text from 0 to 10, and the embedding orders those of one grade; without one the embedding alone decides, and a NOTICE tells. Raises LO101 empty input, LO102 input too long, LO103 bad argument, LO201 unknown model, LO301 server down, LO302 busy.';

CREATE FUNCTION lore.rank(
    inputs text[],  -- NULL elements stay NULL
    quality text,
    model text DEFAULT NULL,
    embedder text DEFAULT NULL
) RETURNS double precision[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN inputs IS NOT NULL AND quality IS NOT NULL THEN ARRAY(
        SELECT (r.one ->> 'score')::double precision
        FROM unnest(lore._operated('rank', inputs, jsonb_build_object('quality', quality,
        'model', model, 'embedder', embedder))) WITH ORDINALITY AS r(one, n) ORDER BY r.n) END
$$;

COMMENT ON FUNCTION lore.rank(text[], text, text, text) IS
    'The same of an array, in its order: one call. The error of an element names its place. Raises LO101, LO102, LO103, LO201, LO301, LO302.';

CREATE FUNCTION lore.rank_result(
    inputs text[],
    quality text,
    model text DEFAULT NULL,
    embedder text DEFAULT NULL
) RETURNS TABLE (ordinal integer, score double precision, decided_by text, error text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.n::integer, (r.one ->> 'score')::double precision, r.one ->> 'decided_by', lore._failure(r.one)
    FROM unnest(CASE WHEN inputs IS NOT NULL AND quality IS NOT NULL THEN lore._operated('rank', inputs, jsonb_build_object('quality', quality,
        'model', model, 'embedder', embedder), true) END) WITH ORDINALITY AS r(one, n)
    ORDER BY r.n
$$;

COMMENT ON FUNCTION lore.rank_result(text[], text, text, text) IS
    'A row for each text of an array, in its order: score (0 to 1) and who gave it: model or embedding. A text that failed alone has its error in a column. Raises LO102, LO103, LO201, LO301, LO302.';

REVOKE ALL ON FUNCTION lore.rank(text, text, text, text),
    lore.rank(text[], text, text, text),
    lore.rank_result(text[], text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.rank(text, text, text, text),
    lore.rank(text[], text, text, text),
    lore.rank_result(text[], text, text, text) TO lore_reader;
