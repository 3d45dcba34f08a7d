-- 412_vocabulary.sql: the words of a collection with the chunks that have each, counted by lore.maintain. Needs 400_catalog.
-- For the spelling of queries, and for beginnings of words where the keyword index has only whole ones.

CREATE FUNCTION lore._words_table(
    collection lore._collection
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN format('lore_data.%I', (collection).name || '_words');
END
$$;

COMMENT ON FUNCTION lore._words_table(lore._collection) IS 'Table of a collection''s words, quoted and with its schema; it may not be there.';

CREATE FUNCTION lore._whole_text(
    collection lore._collection             -- of a chunk n
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE (collection).keyword WHEN 'bm25' THEN 'n.search'
        ELSE format('concat_ws(E''\n'', (SELECT d.metadata ->> ''title'' FROM %s AS d WHERE d.id = n.document_id), n.heading, n.content)', (collection).documents) END
$$;

COMMENT ON FUNCTION lore._whole_text(lore._collection) IS 'SQL of the text of a chunk n, with its title and heading.';

CREATE FUNCTION lore._build_vocabulary(
    collection text
) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning           -- of each word that is too long, PostgreSQL would tell
AS $$
DECLARE
    c     lore._collection := lore._open(collection);
    own   text := lore._words_table(c);
    words bigint;
    state record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('lore vocabulary'), c.id::integer);  -- two at once would make the same table
    EXECUTE format('SELECT count(*) AS rows, coalesce(max(id), 0) AS last FROM %s', c.chunks) INTO state;
    EXECUTE format('DROP TABLE IF EXISTS %s', own);
    EXECUTE format('CREATE TABLE %s (word text COLLATE "C" PRIMARY KEY, chunks integer NOT NULL)', own);
    EXECUTE format('ALTER TABLE %s OWNER TO lore_admin', own);
    EXECUTE format('INSERT INTO %s SELECT s.word, s.ndoc FROM ts_stat(%L) AS s WHERE length(s.word) <= 100 AND s.word ~ ''[[:alpha:]]'' ORDER BY s.ndoc DESC, s.word LIMIT 1000000',
        own, format('SELECT to_tsvector(''simple'', %s) FROM %s AS n', lore._whole_text(c), c.chunks));
    GET DIAGNOSTICS words = ROW_COUNT;
    IF lore._schema_of('pg_trgm') IS NOT NULL THEN
        EXECUTE format('CREATE INDEX ON %s USING gin (word %s.gin_trgm_ops)', own, lore._schema_of('pg_trgm'));
    END IF;
    -- Its words are for those who may read every chunk: there is no telling which chunk a word is from.
    EXECUTE format('GRANT SELECT ON %s TO lore_reader', own);
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', own);
    EXECUTE format('CREATE POLICY whole ON %s USING (has_table_privilege(%L::regclass, ''SELECT'') AND NOT EXISTS (SELECT FROM pg_class AS t WHERE t.oid IN (%L::regclass, %L::regclass) AND t.relrowsecurity))',
        own, c.chunks, c.chunks, c.documents);
    EXECUTE format('ANALYZE %s', own);
    INSERT INTO lore_data.vocabularies AS v (collection_id, built_rows, built_to, complete) VALUES (c.id, state.rows, state.last, words < 1000000)
    ON CONFLICT (collection_id) DO UPDATE SET built_rows = excluded.built_rows, built_to = excluded.built_to, complete = excluded.complete, built_at = now();
    RETURN words;
END
$$;

COMMENT ON FUNCTION lore._build_vocabulary(text) IS 'Counts the words of a collection anew, up to a million, and returns how many there are.';

CREATE FUNCTION lore._vocabulary_state(
    collection text DEFAULT NULL            -- NULL: all of them
) RETURNS TABLE (collection_name text, reason text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c       lore._collection;
    v       record;
    rows    bigint;
    newer   bigint;
BEGIN
    IF lore._schema_of('pg_trgm') IS NULL THEN
        RETURN;
    END IF;
    FOR c IN SELECT o.* FROM lore_data.collections AS n, LATERAL lore._open(n.name) AS o WHERE ($1 IS NULL OR n.name = $1) AND lore._may_read(o) ORDER BY n.name LOOP
        SELECT * INTO v FROM lore_data.vocabularies AS i WHERE i.collection_id = c.id AND to_regclass(lore._words_table(c)) IS NOT NULL;
        EXECUTE format('SELECT count(*), count(*) FILTER (WHERE id > $1) FROM %s', c.chunks) INTO rows, newer USING coalesce(v.built_to, 0);
        collection_name := c.name;
        reason := CASE WHEN rows = 0 THEN NULL
            WHEN v IS NULL THEN 'has no vocabulary'
            WHEN newer > 0.2 * rows THEN format('has a vocabulary that was counted before %s %% of its chunks came', round(100.0 * newer / rows))
            WHEN rows - newer < 0.8 * v.built_rows THEN 'has a vocabulary of which many chunks have gone' END;
        CONTINUE WHEN reason IS NULL;
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION lore._vocabulary_state(text) IS 'The collections whose words should be counted, with the reason. Without pg_trgm none.';

CREATE TYPE lore._vocabulary_words AS (words text, built_to bigint);

COMMENT ON TYPE lore._vocabulary_words IS 'Words of a vocabulary, and the highest id of a chunk that it knows; NULL where it does not know them all.';

CREATE FUNCTION lore._known_words(
    collection lore._collection,
    beginning  text
) RETURNS lore._vocabulary_words
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own   text := lore._words_table(collection);
    known lore._vocabulary_words;
BEGIN
    IF to_regclass(own) IS NOT NULL AND has_table_privilege(own, 'SELECT') THEN
        -- chr(1114111) is the last character of all. More than 200 words are no help. Who may not read the words sees none.
        EXECUTE format('SELECT string_agg(w.word, '' ''), CASE WHEN count(*) <= 200 AND EXISTS (SELECT FROM %1$s)
                THEN (SELECT v.built_to FROM lore_data.vocabularies AS v WHERE v.collection_id = $2 AND v.complete) END
            FROM (SELECT s.word FROM %1$s AS s WHERE s.word >= $1 AND s.word < $1 || chr(1114111) LIMIT 201) AS w', own) INTO known USING beginning, (collection).id;
    END IF;
    RETURN known;
END
$$;

COMMENT ON FUNCTION lore._known_words(lore._collection, text) IS 'The words of a collection that begin so, where its vocabulary has all of them and they are few.';

REVOKE ALL ON TYPE lore._vocabulary_words FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._words_table(lore._collection), lore._whole_text(lore._collection), lore._build_vocabulary(text), lore._vocabulary_state(text),
    lore._known_words(lore._collection, text) FROM PUBLIC;
GRANT USAGE ON TYPE lore._vocabulary_words TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._words_table(lore._collection), lore._whole_text(lore._collection), lore._vocabulary_state(text),
    lore._known_words(lore._collection, text) TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._build_vocabulary(text) TO lore_admin;
