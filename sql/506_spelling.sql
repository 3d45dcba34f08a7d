-- 506_spelling.sql: a query's words that no chunk has, and the likest words that some have. Needs 412_vocabulary.

CREATE FUNCTION lore._spelling(
    word  text,
    known text[],                           -- of equally like ones the first is taken
    most  integer,
    share integer                           -- letters for each change that is allowed
) RETURNS text[]
LANGUAGE plpython3u STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $python$
    if 'lore @VERSION@' not in GD: plpy.execute('SELECT lore._load()')
    return GD['lore @VERSION@'].spelling(word, known, most, share)
$python$;

COMMENT ON FUNCTION lore._spelling(text, text[], integer, integer) IS
    'The known words that a misspelt one may stand for, the likest first: by letters put in, left out, replaced, or swapped with the next.';

CREATE FUNCTION lore._is_known(
    collection lore._collection,
    word       text
) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
SET enable_seqscan = off
SET enable_sort = off
AS $$
DECLARE
    c     lore._collection := collection;
    stems tsquery := plainto_tsquery(c.language::regconfig, word);
    found boolean;
BEGIN
    IF numnode(stems) = 0 THEN
        RETURN true;
    ELSIF c.keyword = 'bm25' THEN
        PERFORM lore._ready_keyword_index(c);
        PERFORM set_config('search_path', format('pg_catalog, %s, pg_temp', c.keyword_schema), true);
        EXECUTE format('SELECT EXISTS (SELECT FROM (SELECT n.id FROM %2$s AS n ORDER BY n.search OPERATOR(%1$s.<@>) %1$s.to_bm25query($1, %3$L) LIMIT 1) AS n)',
            c.keyword_schema, c.chunks, c.keyword_index) INTO found USING word;
    ELSE
        EXECUTE format('SELECT EXISTS (SELECT FROM %s AS n WHERE n.search @@ $1)', c.chunks) INTO found USING stems;
    END IF;
    RETURN found;
END
$$;

COMMENT ON FUNCTION lore._is_known(lore._collection, text) IS 'Whether a chunk has a form of the word; a stop word is always known.';

CREATE FUNCTION lore._corrected(
    collection lore._collection,
    query      text,
    fuzzy      boolean                      -- more words, less like
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET pg_trgm.similarity_threshold = 0.2  -- two letters swapped in the middle of six leave 0.27
AS $$
DECLARE
    c       lore._collection := collection;
    own     text := lore._words_table(c);
    trigram text := lore._schema_of('pg_trgm');
    -- Letters alone, and no part of an address, a name with digits or the like: those are rarely misspelt, and rarely known.
    bounds  text := '(?<![[:alnum:]_/.@-])(%s)(?!\.?[[:alnum:]_/@-])';
    fixed   text := query;
    odd     text[];
    word    text;
    likest  text[];
BEGIN
    IF trigram IS NULL OR c.keyword NOT IN ('bm25', 'tsvector') OR to_regclass(own) IS NULL OR NOT has_table_privilege(own, 'SELECT') THEN
        RETURN $2;
    END IF;
    EXECUTE format('SELECT array_agg(q.word ORDER BY q.word) FROM (SELECT DISTINCT lower(m.found[1]) AS word FROM regexp_matches(left($1, 4000), $2, ''g'') AS m(found)) AS q
        WHERE NOT EXISTS (SELECT FROM %1$s AS v WHERE v.word = q.word) AND EXISTS (SELECT FROM %1$s)', own)
        INTO odd USING query, format(bounds, CASE WHEN fuzzy THEN '[[:alpha:]]{3,40}' ELSE '[[:alpha:]]{5,40}' END);
    FOREACH word IN ARRAY coalesce(odd[:8], '{}') LOOP
        CONTINUE WHEN lore._is_known(c, word);
        EXECUTE format('SELECT array_agg(v.word ORDER BY left(v.word, 1) = left($1, 1) DESC, v.chunks DESC, v.word)
            FROM (SELECT v.word, v.chunks FROM %2$s AS v WHERE v.word OPERATOR(%1$s.%%) $1 AND v.word COLLATE "default" ~ ''^[[:alpha:]]+$'' AND abs(length(v.word) - length($1)) <= 3
                  ORDER BY %1$s.similarity(v.word, $1) DESC, v.chunks DESC LIMIT 200) AS v', trigram, own) INTO likest USING word;
        likest := lore._spelling(word, coalesce(likest, '{}'), CASE WHEN fuzzy THEN 3 ELSE 1 END, CASE WHEN fuzzy THEN 3 ELSE 6 END);
        IF likest <> '{}' THEN
            fixed := regexp_replace(fixed, format(bounds, replace(word, 'i', '[iİ]')), array_to_string(likest, ' '), 'gi');  -- i is small for İ too
            RAISE NOTICE 'no chunk of collection "%" has "%": searched for "%"', c.name, word, array_to_string(likest, '", "')
                USING HINT = 'match => ''all'' or ''phrase'' takes each word as it is.';
        END IF;
    END LOOP;
    RETURN fixed;
END
$$;

COMMENT ON FUNCTION lore._corrected(lore._collection, text, boolean) IS
    'A query with the words that the collection does not have replaced by the likest that it has, each told by a NOTICE. Without pg_trgm or a vocabulary the query itself.';

CREATE FUNCTION lore.corrected(
    collection text,
    query      text,
    match      text DEFAULT 'any'           -- or 'fuzzy': up to three words for each, and less like
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    c lore._collection := lore._open($1);
BEGIN
    IF $2 IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM lore._require_query($2);
    PERFORM lore._require_match($3);
    RETURN CASE WHEN $3 IN ('any', 'fuzzy') THEN lore._corrected(c, $2, $3 = 'fuzzy') ELSE $2 END;
END
$$;

COMMENT ON FUNCTION lore.corrected(text, text, text) IS
    'The query that a keyword search looks for: words that no chunk has are replaced by the likest words of the collection, where lore.maintain has counted them and pg_trgm is installed. Raises LO101 empty query, LO103 unknown match, LO203 unknown collection.';

REVOKE ALL ON FUNCTION lore._spelling(text, text[], integer, integer), lore._is_known(lore._collection, text), lore._corrected(lore._collection, text, boolean),
    lore.corrected(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._spelling(text, text[], integer, integer), lore._is_known(lore._collection, text), lore._corrected(lore._collection, text, boolean),
    lore.corrected(text, text, text) TO lore_reader;
