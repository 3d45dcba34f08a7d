-- 340_generate.sql: text from a prompt. Needs 200_host.

CREATE TYPE lore.generation AS (
    text              text,
    parsed            jsonb,
    tool_calls        jsonb,
    finish_reason     text,
    prompt_tokens     integer,
    completion_tokens integer,
    timings           jsonb,
    model             text
);

COMMENT ON TYPE lore.generation IS
    'A text that a model wrote: parsed is its JSON where a schema asked for it; tool_calls [{"id", "name", "arguments"}]; finish_reason stop, length, tool_calls, content_filter or no_answer; timings {"queue_ms", "first_token_ms", "total_ms"}; what a server does not tell is NULL.';

CREATE FUNCTION lore._generation(
    result jsonb
) RETURNS lore.generation
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ROW(result ->> 'text', nullif(result -> 'parsed', 'null'), nullif(result -> 'tool_calls', 'null'), result ->> 'finish_reason',
               (result -> 'usage' ->> 'prompt_tokens')::integer, (result -> 'usage' ->> 'completion_tokens')::integer,
               result -> 'timings', result ->> 'model')::lore.generation
$$;

COMMENT ON FUNCTION lore._generation(jsonb) IS 'The model host''s result of generate or chat as a row.';

CREATE FUNCTION lore._generated(
    op        text,                         -- generate, chat, answer or standalone
    arguments jsonb
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found jsonb;
BEGIN
    IF current_setting('lore.result_cache', true) <> '' AND op IN ('answer', 'standalone') THEN
        found := lore._results(op, jsonb_build_object('model', arguments -> 'model'), ARRAY[(arguments - 'model')::text]) -> 0;
    ELSIF current_setting('lore.result_cache', true) <> '' THEN
        found := lore._results(op, arguments - ARRAY['prompt', 'messages'], ARRAY[coalesce(arguments ->> 'prompt', arguments ->> 'messages')]) -> 0;
    ELSE
        found := lore._call(op, arguments);
    END IF;
    IF found ->> 'complete' = 'false' THEN
        RAISE NOTICE 'the text ended at its bound of tokens: it is not yet what was asked for'
            USING HINT = 'Raise max_tokens.';
    END IF;
    RETURN found;
END
$$;

COMMENT ON FUNCTION lore._generated(text, jsonb) IS
    'What the model host answers to generate or chat: {"text", "parsed", "tool_calls", "finish_reason", "usage", "timings", "model"}, of the extractive generator also {"citations": [{"source", "quote", "start", "end"}], "reason"}. A NOTICE tells of a text that was to keep to a schema and was cut.';

CREATE FUNCTION lore._generate(
    prompt     text,
    model      text DEFAULT NULL,
    system     text DEFAULT NULL,
    max_tokens integer DEFAULT NULL
) RETURNS jsonb
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN prompt IS NOT NULL THEN lore._generated('generate', jsonb_build_object(
        'prompt', prompt, 'model', model, 'system', system, 'max_tokens', max_tokens)) END
$$;

COMMENT ON FUNCTION lore._generate(text, text, text, integer) IS
    'Text from a prompt with everything known about it: see lore._generated.';

CREATE FUNCTION lore.generate_result(
    prompt      text,
    model       text DEFAULT NULL,          -- alias; NULL is the default generator
    system      text DEFAULT NULL,          -- instruction that stands above the prompt
    schema      jsonb DEFAULT NULL,         -- JSON schema that the text follows, or true for any JSON
    choices     text[] DEFAULT NULL,        -- the text is one of these
    regex       text DEFAULT NULL,          -- the text matches this as a whole
    grammar     text DEFAULT NULL,          -- the text follows this grammar: llguidance's Lark, or what its server takes
    max_tokens  integer DEFAULT NULL,       -- bound of the text; NULL is the model's own
    temperature double precision DEFAULT 0, -- 0 takes the likeliest token each time; NULL is a server's own
    top_p       double precision DEFAULT NULL,
    stop        text[] DEFAULT NULL,        -- the text ends before the first of these
    seed        bigint DEFAULT NULL         -- the same seed, prompt and model give the same text
) RETURNS lore.generation
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN prompt IS NOT NULL THEN lore._generation(lore._generated('generate', jsonb_build_object(
        'prompt', prompt, 'model', model, 'system', system, 'schema', schema, 'choices', choices, 'regex', regex, 'grammar', grammar,
        'max_tokens', max_tokens, 'temperature', temperature, 'top_p', top_p, 'stop', stop, 'seed', seed))) END
$$;

COMMENT ON FUNCTION lore.generate_result(text, text, text, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) IS
    'Text from a prompt with its parsed JSON, finish reason, tokens and times. One of schema, choices, regex and grammar may say what the text must be. Raises LO101 empty prompt, LO102 prompt too long, LO103 bad argument, LO105 bad schema, LO201 unknown model, LO206 what the model cannot do, LO301 server down, LO302 busy, LO303 out of memory, LO304 budget spent.';

CREATE FUNCTION lore.generate(
    prompt      text,
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
) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (lore.generate_result(prompt, model, system, schema, choices, regex, grammar, max_tokens, temperature, top_p, stop, seed)).text
$$;

COMMENT ON FUNCTION lore.generate(text, text, text, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) IS
    'Text from a prompt; arguments as of lore.generate_result. The default generator, extractive, writes nothing of its own: it answers with sentences of the sources in a prompt made by lore.prompt. Raises LO101 empty prompt, LO102 prompt too long, LO103 bad argument, LO105 bad schema, LO201 unknown model, LO206 what the model cannot do, LO301 server down, LO302 busy.';

REVOKE ALL ON TYPE lore.generation FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._generation(jsonb), lore._generated(text, jsonb), lore._generate(text, text, text, integer),
    lore.generate_result(text, text, text, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint),
    lore.generate(text, text, text, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) FROM PUBLIC;
GRANT USAGE ON TYPE lore.generation TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._generation(jsonb), lore._generated(text, jsonb), lore._generate(text, text, text, integer),
    lore.generate_result(text, text, text, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint),
    lore.generate(text, text, text, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) TO lore_reader;
