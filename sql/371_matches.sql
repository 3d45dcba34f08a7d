-- 371_matches.sql: whether a condition in words holds for a text. Needs 370_operate.
-- VOLATILE, as all that asks a language model: its word may change, and budgets and the log of calls are written.
-- COST: the planner tries every cheaper condition of a WHERE clause first.

CREATE FUNCTION lore.matches(
    input     text,
    condition text,                         -- in words: 'the customer wants the money back'
    model     text DEFAULT NULL,            -- alias of a language model; NULL is the default generator, 'extractive' is none
    embedder  text DEFAULT NULL,            -- alias; NULL is the default embedder
    agreement double precision DEFAULT 0.95 -- of what the embedding decides, the share on which the model agrees; 1 asks the model about all
) RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN input IS NOT NULL AND condition IS NOT NULL THEN ((lore._operated('matches', ARRAY[input], jsonb_build_object(
        'condition', condition, 'model', model, 'embedder', embedder, 'agreement', agreement)))[1] ->> 'matches')::boolean END
$$;

COMMENT ON FUNCTION lore.matches(text, text, text, text, double precision) IS
    'Whether a condition in words holds for a text. In WHERE, the first rows go to the language model; from what it says of them the model host learns where the embedding is sure, and soon only the other rows need the model. The form with an array is the quicker one. Without a language model the embedding alone decides, and a NOTICE tells. Raises LO101 empty input, LO102 input too long, LO103 bad argument, LO201 unknown model, LO301 server down, LO302 busy.';

CREATE FUNCTION lore.matches(
    inputs    text[],                       -- NULL elements stay NULL
    condition text,
    model     text DEFAULT NULL,
    embedder  text DEFAULT NULL,
    agreement double precision DEFAULT 0.95,
    sample    integer DEFAULT NULL          -- texts that the model is asked about to learn from; NULL is a fifth, 100 to 300
) RETURNS boolean[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN inputs IS NOT NULL AND condition IS NOT NULL THEN ARRAY(
        SELECT (r.one ->> 'matches')::boolean
        FROM unnest(lore._operated('matches', inputs, jsonb_build_object('condition', condition, 'model', model,
            'embedder', embedder, 'agreement', agreement, 'sample', sample))) WITH ORDINALITY AS r(one, n) ORDER BY r.n) END
$$;

COMMENT ON FUNCTION lore.matches(text[], text, text, text, double precision, integer) IS
    'The same of an array, in its order: one call. The language model is asked about a sample, and then about the texts of which the embedding is not sure; a NOTICE tells how many each decided. Errors as of one text; that of an element names its place. Raises LO101, LO102, LO103, LO201, LO301, LO302.';

CREATE FUNCTION lore.matches_result(
    inputs    text[],
    condition text,
    model     text DEFAULT NULL,
    embedder  text DEFAULT NULL,
    agreement double precision DEFAULT 0.95,
    sample    integer DEFAULT NULL
) RETURNS TABLE (ordinal integer, matches boolean, score double precision, decided_by text, error text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.n::integer, (r.one ->> 'matches')::boolean, (r.one ->> 'score')::double precision, r.one ->> 'decided_by', lore._failure(r.one)
    FROM unnest(CASE WHEN inputs IS NOT NULL AND condition IS NOT NULL THEN lore._operated('matches', inputs,
        jsonb_build_object('condition', condition, 'model', model, 'embedder', embedder, 'agreement', agreement, 'sample', sample),
        bearing => true) END) WITH ORDINALITY AS r(one, n)
    ORDER BY r.n
$$;

COMMENT ON FUNCTION lore.matches_result(text[], text, text, text, double precision, integer) IS
    'A row for each text of an array: whether the condition holds, how near it is by the embedding (0 to 1), and who decided: embedding or model. A text that failed alone has its error in a column, and stops no other. Raises LO102, LO103, LO201, LO301, LO302.';

REVOKE ALL ON FUNCTION lore.matches(text, text, text, text, double precision), lore.matches(text[], text, text, text, double precision, integer),
    lore.matches_result(text[], text, text, text, double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.matches(text, text, text, text, double precision), lore.matches(text[], text, text, text, double precision, integer),
    lore.matches_result(text[], text, text, text, double precision, integer) TO lore_reader;
