-- 542_ask_stream.sql: an answer in pieces, as it is written. Needs 342_generate_stream, 540_ask.
-- Rows come one at a time where the function stands in the select list; in FROM, PostgreSQL collects them first.

CREATE FUNCTION lore._answer_piece(
    reply lore._reply,
    asked lore._asked
) RETURNS lore.answer
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF reply.error IS NOT NULL THEN
        PERFORM lore._check(reply.error);
    ELSIF reply.result ->> 'finish_reason' IS NOT NULL THEN
        RETURN lore._answered(reply.result, asked);
    END IF;
    RETURN ROW(reply.result ->> 'text', NULL, NULL, NULL, NULL)::lore.answer;
END
$$;

COMMENT ON FUNCTION lore._answer_piece(lore._reply, lore._asked) IS 'A reply of an answer''s stream as a row; its error is raised.';

CREATE FUNCTION lore.ask_stream(
    collection text,
    question   text,
    k          integer DEFAULT 8,
    model      text DEFAULT NULL,
    mode       text DEFAULT 'hybrid',
    filter     jsonb DEFAULT NULL,
    rerank     text DEFAULT NULL,
    max_tokens integer DEFAULT 2000,
    fusion     text DEFAULT 'score',
    diversity  double precision DEFAULT NULL,
    weights    jsonb DEFAULT NULL,
    expand     text DEFAULT NULL,
    generator  text DEFAULT NULL,
    match      text DEFAULT 'any',
    history    jsonb DEFAULT NULL,
    language   text DEFAULT NULL,
    template   text DEFAULT NULL,
    answer_tokens integer DEFAULT NULL
) RETURNS SETOF lore.answer
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._answer_piece(s.reply, s.asked)
    FROM (SELECT lore._stream('answer_stream', (a.asked).arguments) AS reply, a.asked
          FROM (SELECT lore._asked(collection, question, model, max_tokens,
                    lore._read_options(k, mode, filter, rerank, fusion, diversity, weights, expand, generator, match), history, language, template, answer_tokens) AS asked
                WHERE question IS NOT NULL OFFSET 0) AS a) AS s
$$;

COMMENT ON FUNCTION lore.ask_stream(text, text, integer, text, text, jsonb, text, integer, text, double precision, jsonb, text, text, text, jsonb, text, text, integer) IS
    'The answer of lore.ask as it is written: rows whose answer is the next piece, its citations numbered as they come; the last row has sources, usage, timings and finish_reason. For rows that come at once write SELECT (s.piece).* FROM (SELECT lore.ask_stream(...) AS piece OFFSET 0) AS s in a cursor and FETCH 1; to close the cursor stops the model. Arguments and errors as of lore.ask.';

REVOKE ALL ON FUNCTION lore._answer_piece(lore._reply, lore._asked),
    lore.ask_stream(text, text, integer, text, text, jsonb, text, integer, text, double precision, jsonb, text, text, text, jsonb, text, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._answer_piece(lore._reply, lore._asked),
    lore.ask_stream(text, text, integer, text, text, jsonb, text, integer, text, double precision, jsonb, text, text, text, jsonb, text, text, integer) TO lore_reader;
