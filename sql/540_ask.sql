-- 540_ask.sql: an answer with its sources. Needs 340_generate, 538_question.

CREATE TYPE lore.answer AS (answer text, sources jsonb, usage jsonb, timings jsonb, finish_reason text);

COMMENT ON TYPE lore.answer IS 'A row of lore.ask; or a piece of an answer, of which the last alone has more than its text.';

CREATE FUNCTION lore._sources(
    citations jsonb,                        -- [{"n", "source", "quote", "start", "end"}]
    passages  lore._passage[]
) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- A quote that does not stand in its passage where it is said to is no citation.
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'n', c.n, 'key', p.key, 'chunk_id', p.chunk_id, 'heading', p.heading, 'metadata', p.metadata,
               'span', jsonb_build_array(lower(p.span), upper(p.span)), 'quote', c.quote,
               'quote_span', jsonb_build_array(lower(p.span) + c.start, lower(p.span) + c.start + length(c.quote)),
               'scores', jsonb_build_object('vector', p.vector_score, 'keyword', p.keyword_score, 'fusion', p.fusion_score, 'rerank', p.rerank_score))
           ORDER BY c.n), '[]')
    FROM jsonb_to_recordset(citations) AS c(n integer, source integer, quote text, start integer)
    JOIN unnest(passages) AS p ON p.source = c.source AND c.quote <> '' AND substr(p.content, c.start + 1, length(c.quote)) = c.quote
$$;

COMMENT ON FUNCTION lore._sources(jsonb, lore._passage[]) IS 'The sources of an answer: what stands behind each of its citations.';

CREATE FUNCTION lore._answered(
    result jsonb,                           -- of the model host's operation answer
    asked  lore._asked
) RETURNS lore.answer
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a     lore.answer;
    given integer[] := ARRAY(SELECT g.n::integer FROM jsonb_array_elements_text(result -> 'given') AS g(n));
    marks timestamptz[] := (asked).marks || clock_timestamp();
    talk  boolean := jsonb_typeof((asked).arguments -> 'history') = 'array';
BEGIN
    a.answer := result ->> 'text';
    a.finish_reason := result ->> 'finish_reason';
    a.sources := lore._sources(result -> 'citations', (asked).passages);
    a.usage := jsonb_build_object('passages', cardinality(given),
        'context_tokens', coalesce((result ->> 'context_tokens')::bigint, (SELECT sum(p.tokens) FROM unnest((asked).passages) AS p WHERE p.source = ANY (given)), 0),
        'prompt_tokens', 0, 'completion_tokens', 0, 'model', result -> 'model', 'template', CASE WHEN (result ->> 'templated')::boolean THEN (asked).template END,
        'foreign_citations', coalesce(result -> 'foreign_marks', '0'), 'history_messages', coalesce(result -> 'history_messages', '0'),
        'searched', (asked).arguments -> 'searched') || coalesce(result -> 'usage', '{}');
    a.timings := (SELECT jsonb_object_agg(t.stage, round((1000 * extract(epoch FROM t.until - t.since))::numeric, 3))
                  FROM (VALUES ('standalone', marks[1], marks[2]), ('embed', CASE WHEN talk THEN marks[2] ELSE marks[1] END, marks[3]), ('search', marks[3], marks[4]),
                               ('generate', marks[4], marks[5]), ('total', marks[1], marks[5])) AS t(stage, since, until)
                  WHERE t.stage <> 'standalone' OR talk);
    IF (a.usage ->> 'foreign_citations')::integer > 0 THEN
        RAISE NOTICE 'the generator cited % sources that it was not given: these marks were taken out', a.usage ->> 'foreign_citations'
            USING HINT = 'Read such an answer with care. A model that runs in the host can cite none but the given ones.';
    ELSIF a.finish_reason = 'stop' AND a.sources = '[]' THEN
        RAISE NOTICE 'the generator cited none of its sources' USING HINT = 'Read such an answer with care.';
    END IF;
    IF a.finish_reason = 'length' THEN
        RAISE NOTICE 'the answer was cut at its bound of tokens' USING HINT = 'Raise answer_tokens.';
    ELSIF a.sources <> '[]' AND result ->> 'templated' IS NULL AND (asked).arguments ->> 'language' IS NOT NULL THEN
        RAISE NOTICE 'generator "%" quotes the documents in their own language', result ->> 'model' USING HINT = 'A language model answers in another one.';
    END IF;
    RETURN a;
END
$$;

COMMENT ON FUNCTION lore._answered(jsonb, lore._asked) IS
    'An answer of the model host as a row. A NOTICE tells of citations of sources that were not given, of an answer without any, of one that was cut, and of a language that was not kept.';

CREATE FUNCTION lore.ask(
    collection text,
    question   text,
    k          integer DEFAULT 8,           -- most passages that the generator reads
    model      text DEFAULT NULL,           -- alias of a generator; NULL is the default one
    mode       text DEFAULT 'hybrid',       -- as in lore.search
    filter     jsonb DEFAULT NULL,          -- likewise
    rerank     text DEFAULT NULL,           -- likewise
    max_tokens integer DEFAULT 2000,        -- of the passages that the generator reads; NULL is what its window leaves
    fusion     text DEFAULT 'score',        -- as in lore.search
    diversity  double precision DEFAULT NULL,  -- likewise
    weights    jsonb DEFAULT NULL,          -- likewise
    expand     text DEFAULT NULL,           -- likewise
    generator  text DEFAULT NULL,           -- that expands; NULL is the one that answers
    match      text DEFAULT 'any',          -- as in lore.search
    history    jsonb DEFAULT NULL,          -- [{"role": "user" | "assistant", "content": "..."}], oldest first
    language   text DEFAULT NULL,           -- of the answer, a name or a code; NULL is the question's
    template   text DEFAULT NULL,           -- name or name@version; NULL is the one called default
    answer_tokens integer DEFAULT NULL      -- of the answer, at most; NULL is 512, of a server elsewhere 1024
) RETURNS TABLE (answer text, sources jsonb, usage jsonb, timings jsonb, finish_reason text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    asked lore._asked;
BEGIN
    IF $2 IS NOT NULL THEN
        asked := lore._asked($1, $2, $4, $8, lore._read_options($3, $5, $6, $7, $9, $10, $11, $12, $13, $14), $15, $16, $17, $18);
        RETURN QUERY SELECT a.* FROM lore._answered(lore._generated('answer', asked.arguments), asked) AS a;
    END IF;
END
$$;

COMMENT ON FUNCTION lore.ask(text, text, integer, text, text, jsonb, text, integer, text, double precision, jsonb, text, text, text, jsonb, text, text, integer) IS
    'An answer from a collection, each statement followed by its citation [n]; sources: document key, chunk, spans in characters from 0, quoted text, every stage''s score; usage: tokens; timings: milliseconds; finish_reason: stop, length, or no_answer where the sources do not hold the answer. A question of a conversation is searched as it stands alone. NULL question gives no row. Raises what lore.search raises, LO103 bad history, language or template, LO201 unknown generator, and what lore.generate raises.';

REVOKE ALL ON TYPE lore.answer FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._sources(jsonb, lore._passage[]), lore._answered(jsonb, lore._asked),
    lore.ask(text, text, integer, text, text, jsonb, text, integer, text, double precision, jsonb, text, text, text, jsonb, text, text, integer) FROM PUBLIC;
GRANT USAGE ON TYPE lore.answer TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._sources(jsonb, lore._passage[]), lore._answered(jsonb, lore._asked),
    lore.ask(text, text, integer, text, text, jsonb, text, integer, text, double precision, jsonb, text, text, text, jsonb, text, text, integer) TO lore_reader;
