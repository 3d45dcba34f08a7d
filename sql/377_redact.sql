-- 377_redact.sql: a text without what is personal in it. Needs 370_operate. VOLATILE as 371_matches says.

CREATE FUNCTION lore.redact(
    input text,
    categories text[] DEFAULT NULL,  -- by pattern email, phone, iban, card, ip; by a language model any other, in words; NULL is all that can be done
    region text DEFAULT 'US',  -- country whose phone numbers are written without +; NULL is none
    model text DEFAULT NULL  -- alias of a language model; NULL is the default generator
) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN input IS NOT NULL THEN (lore._operated('redact', ARRAY[input], jsonb_build_object('categories', categories,
        'region', region, 'model', model)))[1] ->> 'text' END
$$;

COMMENT ON FUNCTION lore.redact(text, text[], text, text) IS
    'A text in which what is personal is replaced by its category: [EMAIL], [PHONE], [IBAN], [CARD], [IP], and with a language model [NAME], [ADDRESS], [DATE OF BIRTH] or what categories asks for. The model only says which words to hide; the rest stays letter by letter. No such tool finds everything: look at what matters. Raises LO101 empty input, LO102 input too long, LO103 bad argument, LO201 unknown model, LO206 a category that needs a language model, LO301 server down, LO302 busy.';

CREATE FUNCTION lore.redact(
    inputs text[],  -- NULL elements stay NULL
    categories text[] DEFAULT NULL,
    region text DEFAULT 'US',
    model text DEFAULT NULL
) RETURNS text[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN inputs IS NOT NULL THEN ARRAY(
        SELECT r.one ->> 'text'
        FROM unnest(lore._operated('redact', inputs, jsonb_build_object('categories', categories,
        'region', region, 'model', model))) WITH ORDINALITY AS r(one, n) ORDER BY r.n) END
$$;

COMMENT ON FUNCTION lore.redact(text[], text[], text, text) IS
    'The same of an array, in its order: one call. The error of an element names its place. Raises LO101, LO102, LO103, LO201, LO206, LO301, LO302.';

CREATE FUNCTION lore.redact_result(
    inputs text[],
    categories text[] DEFAULT NULL,
    region text DEFAULT 'US',
    model text DEFAULT NULL
) RETURNS TABLE (ordinal integer, redacted text, found jsonb, decided_by text, error text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.n::integer, r.one ->> 'text', r.one -> 'found', r.one ->> 'decided_by', lore._failure(r.one)
    FROM unnest(CASE WHEN inputs IS NOT NULL THEN lore._operated('redact', inputs, jsonb_build_object('categories', categories,
        'region', region, 'model', model), true) END) WITH ORDINALITY AS r(one, n)
    ORDER BY r.n
$$;

COMMENT ON FUNCTION lore.redact_result(text[], text[], text, text) IS
    'A row for each text of an array: the text redacted, how often each category was found, and by what: pattern, or model (and patterns). A text that failed alone has its error in a column. Raises LO102, LO103, LO201, LO206, LO301, LO302.';

REVOKE ALL ON FUNCTION lore.redact(text, text[], text, text),
    lore.redact(text[], text[], text, text),
    lore.redact_result(text[], text[], text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.redact(text, text[], text, text),
    lore.redact(text[], text[], text, text),
    lore.redact_result(text[], text[], text, text) TO lore_reader;
