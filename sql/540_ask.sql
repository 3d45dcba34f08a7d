-- 540_ask.sql: an answer with its sources: context, prompt, generate, citations numbered anew. Needs 340_generate, 345_prompt, 530_context.

CREATE FUNCTION lore._citations(
    generated jsonb,                        -- of lore._generate
    passages  lore._passage[]
) RETURNS TABLE (n integer, source integer, quote text, quote_start integer)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- What the generator quotes, or, where it quotes nothing, the passages that its text refers to as [number], whole. A quote is
    -- looked for in its passage where it does not stand at the place given; one that is not there is no citation.
    WITH given AS (
        SELECT (c.citation ->> 'source')::integer AS source, c.citation ->> 'quote' AS quote, (c.citation ->> 'start')::integer AS start, c.ordinal
        FROM jsonb_array_elements(generated -> 'citations') WITH ORDINALITY AS c(citation, ordinal)
        UNION ALL
        SELECT m.found[1]::integer, NULL, 0, m.ordinal
        FROM regexp_matches(generated ->> 'text', '\[(\d{1,4})\]', 'g') WITH ORDINALITY AS m(found, ordinal)
        WHERE jsonb_array_length(coalesce(generated -> 'citations', '[]')) = 0 AND generated ->> 'finish_reason' <> 'no_answer'
    ), placed AS (
        SELECT DISTINCT ON (p.source, q.quote) p.source, q.quote, g.ordinal,
               CASE WHEN substr(p.content, g.start + 1, length(q.quote)) = q.quote THEN g.start ELSE strpos(p.content, q.quote) - 1 END AS start
        FROM given AS g JOIN unnest(passages) AS p USING (source), LATERAL (SELECT coalesce(g.quote, p.content) AS quote) AS q
        WHERE strpos(p.content, q.quote) > 0
        ORDER BY p.source, q.quote, g.ordinal
    )
    SELECT row_number() OVER (ORDER BY p.ordinal)::integer, p.source, p.quote, p.start FROM placed AS p
$$;

COMMENT ON FUNCTION lore._citations(jsonb, lore._passage[]) IS
    'The citations of an answer, numbered in the order in which they appear, with where each quote starts in its passage.';

CREATE FUNCTION lore._renumbered(
    generated jsonb,
    passages  lore._passage[]
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer text := generated ->> 'text';
    rest   text := answer;
    done   text := '';
    mark   text;
    said   text;
    place  integer;
    c      record;
BEGIN
    -- Each citation takes the next mark [source] of its own.
    FOR c IN SELECT g.citation, n.n
        FROM jsonb_array_elements(generated -> 'citations') WITH ORDINALITY AS g(citation, ordinal)
        LEFT JOIN lore._citations(generated, passages) AS n ON n.source = (g.citation ->> 'source')::integer AND n.quote = g.citation ->> 'quote'
        ORDER BY g.ordinal LOOP
        mark := format('[%s]', c.citation ->> 'source');
        CONTINUE WHEN strpos(rest, mark) = 0;
        -- Behind the statement, whose words may hold such a mark themselves.
        said := coalesce(c.citation ->> 'text', c.citation ->> 'quote');
        place := CASE WHEN strpos(rest, said || ' ' || mark) > 0 THEN strpos(rest, said || ' ' || mark) + length(said) + 1
                      WHEN strpos(rest, said || mark) > 0 THEN strpos(rest, said || mark) + length(said)
                      ELSE strpos(rest, mark) END;
        done := done || left(rest, place - 1) || CASE WHEN c.n IS NOT NULL THEN format('[%s]', c.n) ELSE '' END;
        rest := substr(rest, place + length(mark));
    END LOOP;
    IF jsonb_array_length(coalesce(generated -> 'citations', '[]')) = 0 THEN
        FOR c IN SELECT n.source, n.n FROM lore._citations(generated, passages) AS n LOOP
            rest := replace(rest, format('[%s]', c.source), format('[%s%s]', chr(1), c.n));  -- chr(1): not to be taken for an old number
        END LOOP;
        rest := replace(rest, chr(1), '');
    END IF;
    RETURN done || rest;
END
$$;

COMMENT ON FUNCTION lore._renumbered(jsonb, lore._passage[]) IS
    'The text of an answer with its citations numbered from 1 in the order in which they appear.';

CREATE FUNCTION lore.ask(
    collection text,
    question   text,
    k          integer DEFAULT 8,           -- most passages that the generator reads
    model      text DEFAULT NULL,           -- alias of a generator; NULL is the default one
    mode       text DEFAULT 'hybrid',
    filter     jsonb DEFAULT NULL,
    rerank     text DEFAULT NULL,
    max_tokens integer DEFAULT 2000         -- of what the generator reads
) RETURNS TABLE (answer text, sources jsonb, usage jsonb, timings jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c         lore._collection := lore._open_to_read($1);
    made      lore._vectors;
    passages  lore._passage[];
    generated jsonb;
    marks     timestamptz[] := ARRAY[clock_timestamp()];
BEGIN
    IF $2 IS NULL THEN
        RETURN;
    END IF;
    PERFORM lore._require_search($2, ROW($3, $5, $6, $7, 100, 1, 'score', NULL, 0, NULL, NULL, NULL, 'any', NULL)::lore._search_options);
    IF $5 <> 'keyword' THEN
        made.vectors := ARRAY[lore.embed($2, c.model, 'query')];
    END IF;
    marks := marks || clock_timestamp();
    passages := lore._context(c, $2, made.vectors[1], $3, $8, $5, $6, $7);
    marks := marks || clock_timestamp();
    IF passages = '{}' THEN
        answer := format('Nothing found in collection "%s" for this question.', c.name);
        sources := '[]';
    ELSE
        generated := lore._generate(lore.prompt($2, (SELECT array_agg(p.content ORDER BY p.source) FROM unnest(passages) AS p)), $4);
        answer := lore._renumbered(generated, passages);
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'n', n.n, 'key', p.key, 'chunk_id', p.chunk_id, 'heading', p.heading, 'metadata', p.metadata,
                   'span', jsonb_build_array(lower(p.span), upper(p.span)), 'quote', n.quote,
                   'quote_span', jsonb_build_array(lower(p.span) + n.quote_start, lower(p.span) + n.quote_start + length(n.quote)),
                   'scores', jsonb_build_object('vector', p.vector_score, 'keyword', p.keyword_score, 'fusion', p.fusion_score, 'rerank', p.rerank_score))
               ORDER BY n.n), '[]') INTO sources
        FROM lore._citations(generated, passages) AS n JOIN unnest(passages) AS p USING (source);
    END IF;
    marks := marks || clock_timestamp();
    usage := jsonb_build_object('passages', cardinality(passages),
        'context_tokens', (SELECT coalesce(sum(p.tokens), 0) FROM unnest(passages) AS p), 'prompt_tokens', 0, 'completion_tokens', 0)
        || coalesce(generated -> 'usage', '{}');
    timings := (SELECT jsonb_object_agg(t.stage, round((1000 * extract(epoch FROM t.until - t.since))::numeric, 3))
                FROM (VALUES ('embed', marks[1], marks[2]), ('search', marks[2], marks[3]), ('generate', marks[3], marks[4]),
                             ('total', marks[1], marks[4])) AS t(stage, since, until));
    RETURN NEXT;
END
$$;

COMMENT ON FUNCTION lore.ask(text, text, integer, text, text, jsonb, text, integer) IS
    'An answer from a collection, each statement followed by its citation [n]; sources: document key, chunk, spans in characters from 0, quoted text, every stage''s score; usage: tokens; timings: milliseconds. Where nothing is found the answer says so. NULL question gives no row. Raises what lore.search raises, LO201 unknown generator.';

REVOKE ALL ON FUNCTION lore._citations(jsonb, lore._passage[]), lore._renumbered(jsonb, lore._passage[]),
    lore.ask(text, text, integer, text, text, jsonb, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._citations(jsonb, lore._passage[]), lore._renumbered(jsonb, lore._passage[]),
    lore.ask(text, text, integer, text, text, jsonb, text, integer) TO lore_reader;
