-- 342_generate_stream.sql: text in pieces, as it is written. Needs 340_generate.
-- Rows come one at a time where the function stands in the select list; in FROM, PostgreSQL collects them first.

CREATE FUNCTION lore._stream(
    op        text,                         -- generate_stream or chat_stream
    arguments jsonb
) RETURNS SETOF lore._reply
LANGUAGE plpython3u VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 100
SET search_path = pg_catalog, pg_temp
AS $python$
    if 'lore @VERSION@' not in GD: plpy.execute('SELECT lore._load()')
    return GD['lore @VERSION@'].stream(plpy, op, arguments)
$python$;

COMMENT ON FUNCTION lore._stream(text, jsonb) IS
    'The replies of the model host to one request as they come, errors as data. It ends the request when its caller asks for no more rows.';

CREATE FUNCTION lore._piece(
    reply lore._reply
) RETURNS lore.generation
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF reply.error IS NOT NULL THEN
        PERFORM lore._check(reply.error);
    END IF;
    RETURN lore._generation(reply.result);
END
$$;

COMMENT ON FUNCTION lore._piece(lore._reply) IS 'A reply of a stream as a row; its error is raised.';

CREATE FUNCTION lore.generate_stream(
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
) RETURNS SETOF lore.generation
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._piece(s.reply) FROM (SELECT lore._stream('generate_stream', jsonb_build_object(
        'prompt', prompt, 'model', model, 'system', system, 'schema', schema, 'choices', choices, 'regex', regex, 'grammar', grammar,
        'max_tokens', max_tokens, 'temperature', temperature, 'top_p', top_p, 'stop', stop, 'seed', seed)) AS reply
        WHERE prompt IS NOT NULL) AS s
$$;

COMMENT ON FUNCTION lore.generate_stream(text, text, text, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) IS
    'Text from a prompt as it is written: rows whose text is the next piece, of which the last has finish_reason, tokens and times. For rows that come at once write SELECT (lore.generate_stream(...)).text in a cursor and FETCH 1; to close the cursor stops the model. Arguments and errors as of lore.generate_result.';

CREATE FUNCTION lore.chat_stream(
    messages    jsonb,
    model       text DEFAULT NULL,
    tools       jsonb DEFAULT NULL,
    schema      jsonb DEFAULT NULL,
    choices     text[] DEFAULT NULL,
    regex       text DEFAULT NULL,
    grammar     text DEFAULT NULL,
    max_tokens  integer DEFAULT NULL,
    temperature double precision DEFAULT 0,
    top_p       double precision DEFAULT NULL,
    stop        text[] DEFAULT NULL,
    seed        bigint DEFAULT NULL
) RETURNS SETOF lore.generation
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._piece(s.reply) FROM (SELECT lore._stream('chat_stream', jsonb_build_object(
        'messages', messages, 'model', model, 'tools', tools, 'schema', schema, 'choices', choices, 'regex', regex, 'grammar', grammar,
        'max_tokens', max_tokens, 'temperature', temperature, 'top_p', top_p, 'stop', stop, 'seed', seed)) AS reply
        WHERE messages IS NOT NULL) AS s
$$;

COMMENT ON FUNCTION lore.chat_stream(jsonb, text, jsonb, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) IS
    'The assistant''s next message as it is written; rows as of lore.generate_stream, tool_calls in the last. Arguments and errors as of lore.chat.';

REVOKE ALL ON FUNCTION lore._stream(text, jsonb), lore._piece(lore._reply),
    lore.generate_stream(text, text, text, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint),
    lore.chat_stream(jsonb, text, jsonb, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._stream(text, jsonb), lore._piece(lore._reply),
    lore.generate_stream(text, text, text, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint),
    lore.chat_stream(jsonb, text, jsonb, jsonb, text[], text, text, integer, double precision, double precision, text[], bigint) TO lore_reader;
