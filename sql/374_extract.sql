-- 374_extract.sql: what a text says, as a JSON document. Needs 370_operate. VOLATILE as 371_matches says.

CREATE FUNCTION lore.extract(
    input      text,
    schema     jsonb,                       -- JSON schema, or an array of names: '["customer", "total"]'
    model      text DEFAULT NULL,           -- alias of a language model; NULL is the default generator
    max_tokens integer DEFAULT NULL         -- bound of the document; NULL is 1,024
) RETURNS jsonb
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN input IS NOT NULL AND schema IS NOT NULL THEN (lore._operated('extract', ARRAY[input], jsonb_build_object(
        'schema', schema, 'model', model, 'max_tokens', max_tokens)))[1] -> 'document' END
$$;

COMMENT ON FUNCTION lore.extract(text, jsonb, text, integer) IS
    'What a text says, as a JSON document that keeps to the schema; of an array of names, an object with a text or null for each. A text beyond the model''s window is read in pieces, whose documents are put together: lists joined, of single values the first. Raises LO101 empty input, LO102 input or document too long, LO105 bad schema, LO201 unknown model, LO206 no language model, LO301 server down, LO302 busy.';

CREATE FUNCTION lore.extract(
    inputs     text[],                      -- NULL elements stay NULL
    schema     jsonb,
    model      text DEFAULT NULL,
    max_tokens integer DEFAULT NULL
) RETURNS jsonb[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN inputs IS NOT NULL AND schema IS NOT NULL THEN ARRAY(
        SELECT r.one -> 'document' FROM unnest(lore._operated('extract', inputs, jsonb_build_object(
            'schema', schema, 'model', model, 'max_tokens', max_tokens))) WITH ORDINALITY AS r(one, n) ORDER BY r.n) END
$$;

COMMENT ON FUNCTION lore.extract(text[], jsonb, text, integer) IS
    'The same of an array, in its order: one call. The error of an element names its place. Raises LO101, LO102, LO105, LO201, LO206, LO301, LO302.';

CREATE FUNCTION lore.extract_result(
    inputs     text[],
    schema     jsonb,
    model      text DEFAULT NULL,
    max_tokens integer DEFAULT NULL
) RETURNS TABLE (ordinal integer, document jsonb, error text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.n::integer, r.one -> 'document', lore._failure(r.one)
    FROM unnest(CASE WHEN inputs IS NOT NULL AND schema IS NOT NULL THEN lore._operated('extract', inputs, jsonb_build_object(
        'schema', schema, 'model', model, 'max_tokens', max_tokens), true) END) WITH ORDINALITY AS r(one, n)
    ORDER BY r.n
$$;

COMMENT ON FUNCTION lore.extract_result(text[], jsonb, text, integer) IS
    'A row for each text of an array: its document, or the error of a text that failed alone. Raises LO102, LO105, LO201, LO206, LO301, LO302.';

REVOKE ALL ON FUNCTION lore.extract(text, jsonb, text, integer), lore.extract(text[], jsonb, text, integer),
    lore.extract_result(text[], jsonb, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.extract(text, jsonb, text, integer), lore.extract(text[], jsonb, text, integer),
    lore.extract_result(text[], jsonb, text, integer) TO lore_reader;
