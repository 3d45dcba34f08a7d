-- 376_translate.sql: a text in another language. Needs 370_operate. VOLATILE as 371_matches says.

CREATE FUNCTION lore.translate(
    input text,
    language text,  -- to which, in words or as a code: 'German', 'de'
    source_language text DEFAULT NULL,  -- NULL leaves it to the model to see
    model text DEFAULT NULL  -- alias of a language model; NULL is the default generator
) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN input IS NOT NULL AND language IS NOT NULL THEN (lore._operated('translate', ARRAY[input], jsonb_build_object('language', language,
        'source_language', source_language, 'model', model)))[1] ->> 'text' END
$$;

COMMENT ON FUNCTION lore.translate(text, text, text, text) IS
    'A text in another language. One beyond the model''s window is translated in pieces, cut where a reader would cut. Raises LO101 empty input, LO102 input too long, LO103 bad argument, LO201 unknown model, LO206 no language model, LO301 server down, LO302 busy.';

CREATE FUNCTION lore.translate(
    inputs text[],  -- NULL elements stay NULL
    language text,
    source_language text DEFAULT NULL,
    model text DEFAULT NULL
) RETURNS text[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN inputs IS NOT NULL AND language IS NOT NULL THEN ARRAY(
        SELECT r.one ->> 'text'
        FROM unnest(lore._operated('translate', inputs, jsonb_build_object('language', language,
        'source_language', source_language, 'model', model))) WITH ORDINALITY AS r(one, n) ORDER BY r.n) END
$$;

COMMENT ON FUNCTION lore.translate(text[], text, text, text) IS
    'The same of an array, in its order: one call. The error of an element names its place. Raises LO101, LO102, LO103, LO201, LO206, LO301, LO302.';

CREATE FUNCTION lore.translate_result(
    inputs text[],
    language text,
    source_language text DEFAULT NULL,
    model text DEFAULT NULL
) RETURNS TABLE (ordinal integer, translation text, error text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.n::integer, r.one ->> 'text', lore._failure(r.one)
    FROM unnest(CASE WHEN inputs IS NOT NULL AND language IS NOT NULL THEN lore._operated('translate', inputs, jsonb_build_object('language', language,
        'source_language', source_language, 'model', model), true) END) WITH ORDINALITY AS r(one, n)
    ORDER BY r.n
$$;

COMMENT ON FUNCTION lore.translate_result(text[], text, text, text) IS
    'A row for each text of an array: its translation, or the error of a text that failed alone. Raises LO102, LO103, LO201, LO206, LO301, LO302.';

REVOKE ALL ON FUNCTION lore.translate(text, text, text, text),
    lore.translate(text[], text, text, text),
    lore.translate_result(text[], text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.translate(text, text, text, text),
    lore.translate(text[], text, text, text),
    lore.translate_result(text[], text, text, text) TO lore_reader;
