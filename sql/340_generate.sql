-- 340_generate.sql: text from a prompt. Needs 200_host.

CREATE FUNCTION lore._generate(
    prompt     text,
    model      text DEFAULT NULL,
    system     text DEFAULT NULL,
    max_tokens integer DEFAULT NULL
) RETURNS jsonb
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN prompt IS NOT NULL THEN lore._call('generate', jsonb_build_object(
        'prompt', prompt, 'model', model, 'system', system, 'max_tokens', max_tokens)) END
$$;

COMMENT ON FUNCTION lore._generate(text, text, text, integer) IS
    'Text from a prompt with everything known about it: {"text", "citations": [{"source", "quote", "start", "end"}], "usage": {"prompt_tokens", "completion_tokens"}, "finish_reason": "stop" | "length" | "no_answer", "model"}.';

CREATE FUNCTION lore.generate(
    prompt     text,
    model      text DEFAULT NULL,           -- alias; NULL is the default generator
    system     text DEFAULT NULL,           -- instruction that stands above the prompt
    max_tokens integer DEFAULT NULL         -- NULL is the model's own limit
) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._generate(prompt, model, system, max_tokens) ->> 'text'
$$;

COMMENT ON FUNCTION lore.generate(text, text, text, integer) IS
    'Text from a prompt. The default generator, extractive, writes nothing of its own: it answers with sentences of the sources in a prompt made by lore.prompt. Raises LO101 empty prompt, LO102 input too long, LO103 bad max_tokens, LO201 unknown model.';

REVOKE ALL ON FUNCTION lore._generate(text, text, text, integer), lore.generate(text, text, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._generate(text, text, text, integer), lore.generate(text, text, text, integer) TO lore_reader;
