-- 479_alter_collection.sql: a collection made another one, with all that it holds. Needs 417_change_keyword, 437_filterable, 476_build_index.

CREATE FUNCTION lore._rename_collection(
    collection lore._collection,
    name       text
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lore._lock_tables(n.name) FROM (SELECT u.name FROM unnest(ARRAY[($1).name, $2]) AS u(name) ORDER BY 1) AS n;
    UPDATE lore_data.collections AS n SET name = $2 WHERE n.id = ($1).id;
    EXECUTE format('ALTER TABLE %s RENAME TO %I', (collection).documents, $2 || '_documents');
    EXECUTE format('ALTER TABLE %s RENAME TO %I', (collection).chunks, $2 || '_chunks');
    EXECUTE format('ALTER TABLE IF EXISTS %s RENAME TO %I', lore._words_table($1), $2 || '_words');
    -- What was measured of it goes with it; older rows are of another that once had its name.
    UPDATE lore_data.evaluations AS e SET collection = $2
    WHERE e.collection = ($1).name AND e.evaluated_at >= (SELECT n.created_at FROM lore_data.collections AS n WHERE n.id = ($1).id);
EXCEPTION WHEN unique_violation OR duplicate_table THEN
    PERFORM lore._raise('LO103', format('collection "%s" is there already', $2), 'Choose another name; in one transaction two collections can change their names by way of a third.');
END
$$;

COMMENT ON FUNCTION lore._rename_collection(lore._collection, text) IS 'Gives a collection another name. Raises LO103 for one that is taken.';

CREATE FUNCTION lore.alter_collection(
    collection     text,
    name           text DEFAULT NULL,       -- another one; here and below NULL leaves all as it is
    language       text DEFAULT NULL,       -- builds the keyword index anew
    chunk_strategy text DEFAULT NULL,       -- of documents that are added or changed from now on
    chunk_size     integer DEFAULT NULL,    -- likewise
    chunk_overlap  integer DEFAULT NULL,    -- likewise
    keyword        text DEFAULT NULL,       -- builds the keyword index anew
    index_kind     text DEFAULT NULL,       -- lore.maintain builds it; exact takes an index away
    metric         text DEFAULT NULL,       -- takes away an index that was built for another
    filterable     text[] DEFAULT NULL      -- all of them; '{}' takes their indexes away
) RETURNS TABLE (setting text, before text, after text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 3
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c      lore._collection;
    old    lore._collection;
    words  text;
    kept   bigint;
    reason text;
BEGIN
    PERFORM lore._require_catalog();
    PERFORM lore._require_name($1), lore._require_name(coalesce($2, $1));
    PERFORM lore._lock_collection(n.locked) FROM (SELECT DISTINCT u.locked FROM unnest(ARRAY[$1, $2]) AS u(locked) WHERE u.locked IS NOT NULL ORDER BY 1) AS n;
    old := lore._open($1);
    c := old;
    words := CASE WHEN $3 IS NULL THEN c.language ELSE lore._language($3) END;
    PERFORM lore._require_keyword(coalesce($7, 'tsvector')), lore._require_settings(coalesce($8, 'auto'), coalesce($9, 'cosine'));
    IF $8 <> c.index_kind THEN
        PERFORM lore._require_wanted(c, $8);
    END IF;
    IF (coalesce($4, c.chunk_strategy), coalesce($5, c.chunk_size), coalesce($6, c.chunk_overlap)) <> (c.chunk_strategy, c.chunk_size, c.chunk_overlap) THEN
        PERFORM lore._require_chunking(c.model, coalesce($4, c.chunk_strategy), coalesce($5, c.chunk_size), coalesce($6, c.chunk_overlap));
        kept := lore._chunk_count(c);
        IF kept > 0 THEN
            RAISE NOTICE 'the % chunks of collection "%" stay as they are', kept, c.name
                USING HINT = 'A document is cut anew when it is added again, even with the same content.';
        END IF;
    END IF;
    IF $2 <> c.name THEN
        PERFORM lore._rename_collection(c, $2);
        c := lore._open($2);
    END IF;
    IF $10 IS NOT NULL AND $10 <> c.filterable THEN
        PERFORM lore._set_filterable(c, $10);
    END IF;
    -- Last of what can fail: the index of pg_textsearch does not survive a rollback of its end.
    IF coalesce($7, c.keyword) <> c.keyword OR words <> c.language THEN
        PERFORM lore._change_keyword(c, coalesce($7, c.keyword), words);
    END IF;
    IF c.vector_index IS NOT NULL AND ($8 = 'exact' OR $9 <> c.metric) THEN
        PERFORM FROM lore.build_index(c.name, 'exact');
    END IF;
    UPDATE lore_data.collections AS n SET chunk_strategy = coalesce($4, n.chunk_strategy), chunk_size = coalesce($5, n.chunk_size),
        chunk_overlap = coalesce($6, n.chunk_overlap), index_kind = coalesce($8, old.index_kind), metric = coalesce($9, n.metric) WHERE n.id = c.id;
    IF num_nonnulls($8, $9, $10) > 0 THEN
        reason := (SELECT s.reason FROM lore._index_state(c.name) AS s);
        IF reason IS NOT NULL THEN
            RAISE NOTICE 'collection "%" %', c.name, reason USING HINT = format('SELECT * FROM lore.maintain(%L), or pglore index, which lets others write meanwhile.', c.name);
        END IF;
    END IF;
    RETURN QUERY SELECT b.key, b.value, a.value
        FROM jsonb_each_text(to_jsonb(old)) AS b JOIN jsonb_each_text(to_jsonb(lore._open(c.name))) AS a USING (key),
             unnest(ARRAY['name', 'language', 'chunk_strategy', 'chunk_size', 'chunk_overlap', 'keyword', 'index_kind', 'metric', 'filterable']) WITH ORDINALITY AS s(key, place)
        WHERE s.key = b.key AND a.value <> b.value ORDER BY s.place;
END
$$;

COMMENT ON FUNCTION lore.alter_collection(text, text, text, text, integer, integer, text, text, text, text[]) IS
    'Changes what a collection is, and keeps all that it holds; what is not named stays. One row a setting that has changed. Writers wait until the transaction ends; keyword and language build the keyword index anew, while searches wait too. Raises LO103 bad or taken name or bad setting, LO104 bad field, LO201 unknown model, LO203 unknown collection, LO206 missing keyword engine or extension of the index kind, LO305 where another session builds an index and this transaction has read the collection.';

REVOKE ALL ON FUNCTION lore._rename_collection(lore._collection, text),
    lore.alter_collection(text, text, text, text, integer, integer, text, text, text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._rename_collection(lore._collection, text),
    lore.alter_collection(text, text, text, text, integer, integer, text, text, text, text[]) TO lore_admin;
