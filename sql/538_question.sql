-- 538_question.sql: a question on its way to the generator: made to stand alone, searched, with the template of its answer.
-- Needs 340_generate, 530_context, 533_template_list.

CREATE TYPE lore._asked AS (
    collection text,
    arguments  jsonb,                       -- of the model host's operations answer and answer_stream
    passages   lore._passage[],
    template   text,                        -- name@version
    marks      timestamptz[]                -- when it began, stood alone, was embedded, was searched
);

COMMENT ON TYPE lore._asked IS 'A question with the passages that were found for it, ready for a generator.';

CREATE FUNCTION lore._require_history(
    history jsonb
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hint  text := 'history is such as [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}], oldest first.';
    wrong bigint;
BEGIN
    IF jsonb_typeof(history) NOT IN ('array', 'null') THEN
        PERFORM lore._raise('LO103', 'history is no array of messages', hint);
    END IF;
    SELECT m.n INTO wrong FROM jsonb_array_elements(CASE jsonb_typeof(history) WHEN 'array' THEN history ELSE '[]' END) WITH ORDINALITY AS m(message, n)
    WHERE (jsonb_typeof(m.message) = 'object' AND m.message ->> 'role' IN ('user', 'assistant') AND jsonb_typeof(m.message -> 'content') = 'string') IS NOT TRUE
    LIMIT 1;
    IF FOUND THEN
        PERFORM lore._raise('LO103', format('message %s of the history is not one of the user or the assistant with a text', wrong), hint);
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_history(jsonb) IS 'Raises LO103 for what is no conversation of user and assistant.';

CREATE FUNCTION lore._standalone(
    question text,
    history  jsonb,
    model    text
) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN jsonb_typeof(history) = 'array' AND history <> '[]' THEN lore._generated('standalone',
        jsonb_build_object('question', question, 'history', history, 'model', model)) ->> 'question' ELSE question END
$$;

COMMENT ON FUNCTION lore._standalone(text, jsonb, text) IS
    'A question of a conversation so that it can be searched without it: a language model writes it anew; without one, a question that leans on those before it takes their words along.';

CREATE FUNCTION lore._asked(
    collection text,
    question   text,
    model      text,
    max_tokens integer,
    wanted     lore._search_options,
    history    jsonb,
    language   text,
    template   text,
    answer_tokens integer
) RETURNS lore._asked
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c        lore._collection := lore._open_to_read($1);
    w        lore._search_options := wanted;
    words    lore._template := lore._template(c, template);
    asked    lore._asked;
    searched text;
    made     lore._vectors;
BEGIN
    asked.marks := ARRAY[clock_timestamp()];
    w.generator := CASE WHEN w.expand IS NOT NULL THEN coalesce(w.generator, model) END;
    PERFORM lore._require_search(question, w);
    IF max_tokens < 1 THEN
        PERFORM lore._raise('LO103', format('max_tokens is %s', max_tokens), 'max_tokens is 1 or more, or NULL for what the model''s window leaves.');
    END IF;
    PERFORM lore._require_history(history);
    searched := lore._standalone(question, history, model);
    asked.marks := asked.marks || clock_timestamp();
    IF w.mode <> 'keyword' THEN
        made.vectors := ARRAY[lore.embed(searched, c.model, 'query')];
    END IF;
    asked.marks := asked.marks || clock_timestamp();
    asked.passages := lore._context(c, searched, made.vectors[1], NULL, w);
    asked.marks := asked.marks || clock_timestamp();
    asked.collection := c.name;
    asked.template := format('%s@%s', words.name, words.version);
    asked.arguments := jsonb_build_object('question', question, 'searched', searched, 'history', history, 'language', language, 'model', model,
        'max_tokens', max_tokens, 'answer_tokens', answer_tokens, 'system', words.system, 'prompt', words.prompt,
        'nothing', format('Nothing found in collection "%s" for this question.', c.name),
        'passages', coalesce((SELECT jsonb_agg(jsonb_build_object('content', p.content, 'tokens', p.tokens) ORDER BY p.source) FROM unnest(asked.passages) AS p), '[]'));
    RETURN asked;
END
$$;

COMMENT ON FUNCTION lore._asked(text, text, text, integer, lore._search_options, jsonb, text, text, integer) IS
    'Searches what an answer is to be made of. Raises what lore.ask raises.';

REVOKE ALL ON TYPE lore._asked FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._require_history(jsonb), lore._standalone(text, jsonb, text),
    lore._asked(text, text, text, integer, lore._search_options, jsonb, text, text, integer) FROM PUBLIC;
GRANT USAGE ON TYPE lore._asked TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._require_history(jsonb), lore._standalone(text, jsonb, text),
    lore._asked(text, text, text, integer, lore._search_options, jsonb, text, text, integer) TO lore_reader;
