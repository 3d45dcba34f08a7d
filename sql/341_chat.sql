-- 341_chat.sql: the next message of a conversation. Needs 340_generate.

CREATE FUNCTION lore.chat(
    messages    jsonb,                      -- [{"role": "system" | "user" | "assistant" | "tool", "content": "..."}]
    model       text DEFAULT NULL,          -- alias; NULL is the default generator
    tools       jsonb DEFAULT NULL,         -- [{"type": "function", "function": {"name", "description", "parameters"}}]
    schema      jsonb DEFAULT NULL,
    choices     text[] DEFAULT NULL,
    regex       text DEFAULT NULL,
    grammar     text DEFAULT NULL,
    max_tokens  integer DEFAULT NULL,
    temperature double precision DEFAULT 0,
    top_p       double precision DEFAULT NULL,
    stop        text[] DEFAULT NULL,
    seed        bigint DEFAULT NULL
) RETURNS lore.generation
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN messages IS NOT NULL THEN lore._generation(lore._generated('chat', jsonb_build_object(
        'messages', messages, 'model', model, 'tools', tools, 'schema', schema, 'choices', choices, 'regex', regex, 'grammar', grammar,
        'max_tokens', max_tokens, 'temperature', temperature, 'top_p', top_p, 'stop', stop, 'seed', seed))) END
$$;

COMMENT ON FUNCTION lore.chat(jsonb, text, jsonb, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) IS
    'The assistant''s next message. Tools are described to the model; a call of one comes back in tool_calls, as data: nothing is called here. To go on, add {"role": "assistant", "content": "", "tool_calls": [...]} and {"role": "tool", "tool_call_id": "...", "content": "..."}. Other arguments and errors as of lore.generate_result.';

REVOKE ALL ON FUNCTION lore.chat(jsonb, text, jsonb, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.chat(jsonb, text, jsonb, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) TO lore_reader;
