-- 375_summarize.sql: a shorter text that says what a text says. Needs 370_operate. VOLATILE as 371_matches says.

CREATE FUNCTION lore.summarize(
    input text,
    max_words integer DEFAULT 100,  -- about; at most 2,000
    instruction text DEFAULT NULL,  -- what matters, for the language model: 'the decisions and who made them'
    model text DEFAULT NULL,  -- alias of a language model; NULL is the default generator, 'extractive' is none
    embedder text DEFAULT NULL  -- alias; NULL is the default embedder
) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN input IS NOT NULL THEN (lore._operated('summarize', ARRAY[input], jsonb_build_object('max_words', max_words,
        'instruction', instruction, 'model', model, 'embedder', embedder)))[1] ->> 'text' END
$$;

COMMENT ON FUNCTION lore.summarize(text, integer, text, text, text) IS
    'A summary of a text. One beyond the language model''s window is summarized in parts, and then the summaries. Without a language model it is made of the most central sentences, and a NOTICE tells. Raises LO101 empty input, LO102 input too long, LO103 bad argument, LO201 unknown model, LO301 server down, LO302 busy.';

CREATE FUNCTION lore.summarize(
    inputs text[],  -- NULL elements stay NULL
    max_words integer DEFAULT 100,
    instruction text DEFAULT NULL,
    model text DEFAULT NULL,
    embedder text DEFAULT NULL
) RETURNS text[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN inputs IS NOT NULL THEN ARRAY(
        SELECT r.one ->> 'text'
        FROM unnest(lore._operated('summarize', inputs, jsonb_build_object('max_words', max_words,
        'instruction', instruction, 'model', model, 'embedder', embedder))) WITH ORDINALITY AS r(one, n) ORDER BY r.n) END
$$;

COMMENT ON FUNCTION lore.summarize(text[], integer, text, text, text) IS
    'The same of an array, in its order: one call. The error of an element names its place. Raises LO101, LO102, LO103, LO201, LO301, LO302.';

CREATE FUNCTION lore.summarize_result(
    inputs text[],
    max_words integer DEFAULT 100,
    instruction text DEFAULT NULL,
    model text DEFAULT NULL,
    embedder text DEFAULT NULL
) RETURNS TABLE (ordinal integer, summary text, decided_by text, error text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.n::integer, r.one ->> 'text', r.one ->> 'decided_by', lore._failure(r.one)
    FROM unnest(CASE WHEN inputs IS NOT NULL THEN lore._operated('summarize', inputs, jsonb_build_object('max_words', max_words,
        'instruction', instruction, 'model', model, 'embedder', embedder), true) END) WITH ORDINALITY AS r(one, n)
    ORDER BY r.n
$$;

COMMENT ON FUNCTION lore.summarize_result(text[], integer, text, text, text) IS
    'A row for each text of an array: its summary and who made it: model, or embedding (central sentences). A text that failed alone has its error in a column. Raises LO102, LO103, LO201, LO301, LO302.';

REVOKE ALL ON FUNCTION lore.summarize(text, integer, text, text, text),
    lore.summarize(text[], integer, text, text, text),
    lore.summarize_result(text[], integer, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.summarize(text, integer, text, text, text),
    lore.summarize(text[], integer, text, text, text),
    lore.summarize_result(text[], integer, text, text, text) TO lore_reader;
