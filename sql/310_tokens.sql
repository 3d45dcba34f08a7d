-- 310_tokens.sql: how many tokens a model sees in a text. Needs 200_host.

CREATE FUNCTION lore.tokens(
    input text,
    model text DEFAULT NULL                 -- alias of an embedder or a generator; NULL is the default embedder
) RETURNS integer
LANGUAGE sql STABLE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN input IS NOT NULL
           THEN (lore._call('tokens', jsonb_build_object('input', input, 'model', model)) ->> 'tokens')::integer END
$$;

COMMENT ON FUNCTION lore.tokens(text, text) IS
    'Number of tokens of a text, without the special tokens that a model adds. Of a generator elsewhere only its server could count: LO206. Raises LO102 input too long, LO201 unknown model.';

REVOKE ALL ON FUNCTION lore.tokens(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.tokens(text, text) TO lore_reader;
