-- 343_generate_many.sql: texts from many prompts, together. Needs 340_generate.

CREATE FUNCTION lore._generated_many(
    arguments jsonb                         -- of generate, but for "prompts"
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('lore.result_cache', true) <> '' THEN
        RETURN lore._results('generate', arguments - 'prompts', ARRAY(SELECT jsonb_array_elements_text(arguments -> 'prompts')));
    END IF;
    RETURN lore._call('generate_many', arguments);
END
$$;

COMMENT ON FUNCTION lore._generated_many(jsonb) IS
    'A result for each of many prompts, in their order, as of lore._generated; one that fails has {"error": {"code", "message", "hint"}} in its place. At most 5,000 prompts; a language model that runs here takes them in one batch.';

CREATE FUNCTION lore.generate(
    prompts     text[],                     -- NULL elements stay NULL
    model       text DEFAULT NULL,
    system      text DEFAULT NULL,
    schema      jsonb DEFAULT NULL,
    choices     text[] DEFAULT NULL,
    regex       text DEFAULT NULL,
    grammar     text DEFAULT NULL,
    max_tokens  integer DEFAULT NULL,
    temperature double precision DEFAULT 0,
    top_p       double precision DEFAULT NULL,
    stop        text[] DEFAULT NULL,
    seed        bigint DEFAULT NULL
) RETURNS text[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    slice  constant integer := 1000;        -- prompts at a time: bounds the memory of the backend
    given  constant text[] := ARRAY(SELECT p.prompt FROM unnest(prompts) AS p(prompt) WHERE p.prompt IS NOT NULL);
    shared constant jsonb := jsonb_build_object(
        'model', model, 'system', system, 'schema', schema, 'choices', choices, 'regex', regex, 'grammar', grammar,
        'max_tokens', max_tokens, 'temperature', temperature, 'top_p', top_p, 'stop', stop, 'seed', seed);
    texts  text[] := '{}';
    found  jsonb;
BEGIN
    IF prompts IS NULL THEN
        RETURN NULL;
    END IF;
    FOR done IN 0 .. cardinality(given) - 1 BY slice LOOP
        found := lore._generated_many(shared || jsonb_build_object('prompts', given[done + 1:done + slice]));
        PERFORM lore._check(f.one -> 'error') FROM jsonb_array_elements(found) AS f(one) WHERE f.one ? 'error';
        texts := texts || ARRAY(SELECT f.one ->> 'text' FROM jsonb_array_elements(found) WITH ORDINALITY AS f(one, n) ORDER BY f.n);
    END LOOP;
    RETURN ARRAY(SELECT CASE WHEN p.prompt IS NOT NULL THEN texts[count(p.prompt) OVER (ORDER BY p.n)] END
                 FROM unnest(prompts) WITH ORDINALITY AS p(prompt, n) ORDER BY p.n);
END
$$;

COMMENT ON FUNCTION lore.generate(text[], text, text, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) IS
    'Texts from an array of prompts, in its order; NULL elements stay NULL. A language model that runs here writes them in one batch. Arguments and errors as of lore.generate_result; the first prompt that fails is raised.';

REVOKE ALL ON FUNCTION lore._generated_many(jsonb),
    lore.generate(text[], text, text, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._generated_many(jsonb),
    lore.generate(text[], text, text, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) TO lore_reader;
