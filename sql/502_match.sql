-- 502_match.sql: what a chunk must have to match a query: all its words, its words in a row, or a word's beginning. Needs 499_stop_words.

CREATE TYPE lore._match AS (
    words     text[],                       -- as they stand in the query, of which a chunk must have each
    stems     tsquery,                      -- what the stems of a chunk satisfy: exactly, but for a beginning
    beginning text,                         -- letters that a word of the chunk begins with; NULL is none
    token     text,                         -- the same as an address or a path begins in the index: without "https://", with its first "/"
    pattern   text,                         -- the same as a regular expression
    whole     tsquery                       -- stems that do as well as the beginning, which may be a word itself; NULL is none
);

COMMENT ON TYPE lore._match IS 'What the chunks of a search must have; without stems nothing matches.';

CREATE FUNCTION lore._require_match(
    match text
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF match IS NULL OR match NOT IN ('any', 'all', 'phrase', 'prefix', 'fuzzy') THEN
        PERFORM lore._raise('LO103', format('match is "%s"', coalesce(left(match, 60), 'NULL')), 'match is any, all, phrase, prefix or fuzzy.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_match(text) IS 'Raises LO103 for a way to match that there is not.';

CREATE FUNCTION lore._lexeme(
    word   text,
    suffix text DEFAULT ''                  -- or ':*', any word that begins so
) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT ('''' || replace(replace(word, '\', '\\'), '''', '''''') || '''' || suffix)::tsquery $$;

COMMENT ON FUNCTION lore._lexeme(text, text) IS 'A tsquery of one word as it is, whatever characters it has.';

CREATE FUNCTION lore._beginnings(
    language regconfig,
    word     text                           -- in lower case
) RETURNS tsquery
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
    -- A stem can be shorter than what has been typed of its word: "relatio" is on the way to "relation", whose stem is "relat".
    -- It then is a beginning of what was typed, but for its last letter ("happy", "happi") or one more ("create", "creating").
    SELECT string_agg(DISTINCT b.query::text, ' | ')::tsquery
    FROM (SELECT lore._lexeme(word, ':*') AS query
          UNION ALL SELECT plainto_tsquery(language, word)
          UNION ALL SELECT lore._lexeme(lexeme, ':*') FROM unnest(to_tsvector(language, word)) WHERE word ~ '^[[:alnum:]]+$'
          -- Of a longer word the stem can lack its first letters too, an article or a prefix: more letters let that be seen.
          UNION ALL SELECT lore._lexeme(regexp_replace(lexeme, 'qoqoqo$', ''), ':*') FROM unnest(to_tsvector(language, word || 'qoqoqo'))
          WHERE word ~ '^[[:alnum:]]+$' AND lexeme ~ '.qoqoqo$'
          UNION ALL SELECT lore._lexeme(left(word, n) || e) FROM generate_series(2, least(length(word), 40) - 1) AS n, unnest(ARRAY['', 'e', 'i']) AS e
          UNION ALL SELECT lore._lexeme(lexeme) FROM generate_series(2, least(length(word), 40) - 1) AS n, unnest(to_tsvector(language, left(word, n)))
          WHERE word ~ '^[[:alnum:]]+$') AS b
    WHERE numnode(b.query) > 0
$$;

COMMENT ON FUNCTION lore._beginnings(regconfig, text) IS 'The stems that a word which begins so can have, and some more.';

CREATE FUNCTION lore._matched(
    collection lore._collection,
    query      text,
    match      text                         -- all, phrase or prefix
) RETURNS lore._match
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning           -- of words that are not looked for, PostgreSQL would tell for each
AS $$
DECLARE
    language regconfig := (collection).language;
    plain    text := translate(query, '<>', '  ');  -- no words are taken for a tag
    m        lore._match;
    last     text;
BEGIN
    m.words := regexp_split_to_array(btrim(regexp_replace(plain, '\s+', ' ', 'g')), ' ');
    IF cardinality(m.words) > 1000 THEN
        PERFORM lore._raise('LO102', format('the query has %s words, more than the 1,000 that can be asked for together', cardinality(m.words)),
            'match => ''any'' takes as many as there are.');
    END IF;
    IF match = 'phrase' THEN
        m.stems := phraseto_tsquery(language, plain);
    ELSE
        IF match = 'prefix' THEN
            last := regexp_replace(lower(m.words[cardinality(m.words)]), '[^[:alnum:]_]+$', '');
            m.beginning := left(substring(last FROM '[[:alnum:]].*'), 500);  -- no index knows longer words
            m.token := left(regexp_replace(last, '^.*://', ''), 500);
            m.words := m.words[:cardinality(m.words) - 1];
        END IF;
        SELECT string_agg(DISTINCT format('( %s )', q.query), ' & ')::tsquery INTO m.stems
        FROM (SELECT plainto_tsquery(language, w) AS query FROM unnest(m.words) AS w) AS q WHERE numnode(q.query) > 0;
        IF m.beginning <> '' THEN
            m.pattern := '(?<![[:alnum:]])' || replace(replace(regexp_replace(m.beginning, '([^[:alnum:]])', '\\\1', 'g'), 'i', '[iİ]'), 'ß', '[ßẞ]');  -- capitals that ~* does not know
            IF m.beginning ~ '^[[:alnum:]]+$' AND numnode(plainto_tsquery(language, m.beginning)) > 0 THEN
                m.whole := plainto_tsquery(language, m.beginning);
            END IF;
            -- A stop word behind other words, whole or half typed, is seen by the pattern alone: no index knows it, and "sat on th" is on the
            -- way to "sat on the", that to "sat on thermals".
            IF m.stems IS NULL OR numnode(plainto_tsquery(language, m.beginning)) > 0 AND NOT lore._may_vanish(language, substring(m.beginning FROM '[[:alnum:]]+$')) THEN
                -- Where it has more than letters, its parts may be words of their own: "pg_cl" of pg_class.
                m.stems := concat_ws(' & ', '( ' || m.stems::text || ' )', (
                    SELECT '( ' || string_agg('( ' || p.query || ' )', ' | ') || ' )'
                    FROM (SELECT lore._beginnings(language, m.beginning)::text AS query
                          UNION ALL SELECT lore._lexeme(m.token, ':*')::text WHERE m.token ~ '[[:alnum:]]' AND m.token <> m.beginning
                          UNION ALL SELECT concat_ws(' & ', nullif(plainto_tsquery(language, regexp_replace(m.beginning, '[[:alnum:]]+$', ''))::text, ''),
                              lore._beginnings(language, substring(m.beginning FROM '[[:alnum:]]+$'))::text) WHERE m.beginning ~ '[^[:alnum:]]') AS p
                    WHERE p.query <> ''))::tsquery;
            END IF;
        END IF;
    END IF;
    m.stems := CASE WHEN numnode(m.stems) > 0 THEN m.stems END;
    m.words := ARRAY(SELECT DISTINCT w FROM unnest(m.words) AS w WHERE numnode(plainto_tsquery(language, w)) > 0);
    RETURN m;
END
$$;

COMMENT ON FUNCTION lore._matched(lore._collection, text, text) IS
    'A query as what the chunks must have: every word (all), the words in a row (phrase), every word and a beginning of the last (prefix). Words count by their stems; stop words do not count. Raises LO102 too many words.';

CREATE FUNCTION lore._match_condition(
    collection lore._collection,
    match      lore._match,
    sure       boolean DEFAULT false        -- that the words are there; only the beginning is left to see
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN (match).stems IS NULL THEN 'false' ELSE coalesce(nullif(concat_ws(' AND ',
        CASE WHEN NOT sure AND (collection).keyword = 'tsvector' THEN format('%s @@ %L::tsquery', e.stems, (match).stems) END,
        CASE WHEN (match).pattern IS NOT NULL THEN format('(%s)', replace(e.begun, '%', format('%L', (match).pattern)) || CASE WHEN (match).whole IS NOT NULL THEN format(' OR %s @@ %L::tsquery', e.stems, (match).whole) ELSE '' END) END,
        -- Behind the pattern, which is tried in a tenth of the time that the text is cut into words in.
        CASE WHEN NOT sure AND (collection).keyword <> 'tsvector' THEN format('%s @@ %L::tsquery', e.stems, (match).stems) END), ''), 'true') END
    FROM (SELECT CASE (collection).keyword WHEN 'tsvector' THEN 'n.search' ELSE format('to_tsvector(%L::regconfig, n.search)', (collection).language) END AS stems,
                 CASE (collection).keyword WHEN 'tsvector'
                     THEN format('n.content ~* %% OR n.heading ~* %% OR (SELECT d.metadata ->> ''title'' FROM %s AS d WHERE d.id = n.document_id) ~* %%', (collection).documents)
                     ELSE 'n.search ~* %' END AS begun) AS e
$$;

COMMENT ON FUNCTION lore._match_condition(lore._collection, lore._match, boolean) IS
    'SQL condition on a chunk n that it matches. An index serves it where the collection keeps a tsvector.';

REVOKE ALL ON TYPE lore._match FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._require_match(text), lore._lexeme(text, text), lore._beginnings(regconfig, text), lore._matched(lore._collection, text, text),
    lore._match_condition(lore._collection, lore._match, boolean) FROM PUBLIC;
GRANT USAGE ON TYPE lore._match TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._require_match(text), lore._lexeme(text, text), lore._beginnings(regconfig, text), lore._matched(lore._collection, text, text),
    lore._match_condition(lore._collection, lore._match, boolean) TO lore_reader;
