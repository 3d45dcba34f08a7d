-- 521_expand.sql: a query told in other words by a language model, before it is searched. Needs 340_generate, 483_search_options.
-- What the model writes is data: it is embedded, looked up word by word, and stands in a statement as a literal or a parameter.

CREATE FUNCTION lore._writer(
    generator text                          -- alias; NULL is the default generator
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    model record;
BEGIN
    SELECT m.alias, m.engine INTO model FROM lore.models AS m WHERE m.task = 'generate' AND CASE WHEN generator IS NULL THEN m.is_default ELSE m.alias = generator END;
    IF NOT FOUND THEN
        PERFORM lore._raise('LO201', format('no generator has the alias "%s"', left(generator, 60)), 'SELECT alias, task FROM lore.models lists the models.');
    ELSIF model.engine = 'builtin' THEN
        PERFORM lore._raise('LO206', format('generator "%s" writes nothing of its own, and expand needs a language model', model.alias),
            'Register one, such as SELECT lore.add_model(''writer'', ''generate'', ''/srv/models/writer''), and name it: generator => ''writer''.');
    END IF;
    RETURN model.alias;
END
$$;

COMMENT ON FUNCTION lore._writer(text) IS 'Alias of a generator that writes. Raises LO201 unknown generator, LO206 one that only quotes.';

CREATE FUNCTION lore._written(
    prompt     text,
    generator  text,                        -- checked by _writer
    max_tokens integer
) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    -- Without what a model thinks aloud first. Without letters there is nothing to search with; what is not ASCII may be a letter.
    SELECT CASE WHEN w.text ~ '[[:alnum:]]' OR octet_length(w.text) > length(w.text) THEN w.text END
    FROM (SELECT btrim(left(regexp_replace(lore._generate(prompt, generator, NULL, max_tokens) ->> 'text', '^.*</think>', ''), 4000), E' \t\r\n') AS text) AS w
$$;

COMMENT ON FUNCTION lore._written(text, text, integer) IS 'What a generator writes for a prompt, up to 4,000 characters; NULL where that is nothing to search with.';

CREATE FUNCTION lore._wordings(
    query text,
    text  text                              -- of a generator, a wording a line
) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Lists come with numbers, bullets and quotes, and with a line before them that ends in a colon.
    SELECT array_agg(u.line ORDER BY u.n)
    FROM (SELECT f.line, f.n
          FROM (SELECT DISTINCT ON (lower(l.line)) l.line, l.n
                FROM (SELECT btrim(regexp_replace(s.line, '^\s*([-*]|\(?\d{1,2}[.):])(\s+|$)', ''), E' \t\r"''`') AS line, s.n
                      FROM regexp_split_to_table(text, '\n') WITH ORDINALITY AS s(line, n)) AS l
                WHERE (l.line ~ '[[:alnum:]]' OR octet_length(l.line) > length(l.line)) AND l.line !~ ':$' AND length(l.line) <= 1000 AND lower(l.line) <> lower(btrim(query))
                ORDER BY lower(l.line), l.n) AS f
          ORDER BY f.n LIMIT 3) AS u
$$;

COMMENT ON FUNCTION lore._wordings(text, text) IS 'Up to three other wordings of a query in a generator''s text; NULL where there is none.';

CREATE TYPE lore._expansion AS (embedding vector, wanted lore._search_options);

COMMENT ON TYPE lore._expansion IS 'What is searched in the place of a query: another vector, or other wordings in the options.';

CREATE FUNCTION lore._expand(
    collection lore._collection,
    query      text,
    embedding  vector,                      -- of the query; NULL: it is made where it is needed
    wanted     lore._search_options
) RETURNS lore._expansion
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c        lore._collection := collection;
    e        lore._expansion := ROW(embedding, wanted);
    writer   text := lore._writer(wanted.generator);
    passage  text;
BEGIN
    e.wanted.expand := NULL;
    e.wanted.generator := NULL;
    IF wanted.expand = 'queries' THEN
        e.wanted.wordings := lore._wordings(query, lore._written(
            E'Write three other wordings of the search query below, in its language: the same question with synonyms and with the terms that a document would use. One wording a line, without numbers and without comments.\n\nQuery: '
            || query, writer, 200));
    ELSE
        -- Hypothetical document embeddings (Gao, Ma, Lin and Callan 2022): a passage lies nearer to passages than a question does.
        passage := lore._written(
            E'Write one short passage, in the language of the question below, as it might stand in a document that answers it. Write the passage alone.\n\nQuestion: '
            || query, writer, 300);
        IF passage IS NOT NULL THEN
            EXECUTE format('SELECT %1$s.l2_normalize(%1$s.l2_normalize($1) OPERATOR(%1$s.+) $2)', c.vector_schema) INTO e.embedding
                USING coalesce(embedding, lore.embed(query, c.model, 'query')), lore.embed(passage, c.model, 'document');
        END IF;
    END IF;
    IF (e.wanted).wordings IS NULL AND passage IS NULL THEN
        RAISE NOTICE 'generator "%" wrote nothing to search with: the query is searched as it is', writer;
    END IF;
    RETURN e;
END
$$;

COMMENT ON FUNCTION lore._expand(lore._collection, text, vector, lore._search_options) IS
    'Has a generator write what expand asks for. Where it writes nothing of use, the query stays, and a NOTICE says so. Raises LO201 unknown generator, LO206 one that only quotes, and what lore.generate raises.';

REVOKE ALL ON TYPE lore._expansion FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._writer(text), lore._written(text, text, integer), lore._wordings(text, text),
    lore._expand(lore._collection, text, vector, lore._search_options) FROM PUBLIC;
GRANT USAGE ON TYPE lore._expansion TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._writer(text), lore._written(text, text, integer), lore._wordings(text, text),
    lore._expand(lore._collection, text, vector, lore._search_options) TO lore_reader;
