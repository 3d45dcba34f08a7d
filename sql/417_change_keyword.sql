-- 417_change_keyword.sql: the keyword index of a collection made another: by another engine, for another language. Needs 411_keyword_engines.

CREATE FUNCTION lore._keyword_text(
    documents   regclass,
    document_id bigint,
    heading     text,
    content     text
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    title text;
BEGIN
    EXECUTE format('SELECT lore._title(d.metadata) FROM %s AS d WHERE d.id = $1', documents) INTO title USING document_id;
    RETURN lore._search_text(lore._prefix(title, heading), content);
END
$$;

COMMENT ON FUNCTION lore._keyword_text(regclass, bigint, text, text) IS 'What the keyword index holds of a chunk.';

CREATE FUNCTION lore._change_keyword(
    collection lore._collection,
    keyword    text,
    language   text
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    c      lore._collection := collection;
    had    lore._keyword_engine := lore._keyword_engine(c.keyword, c.language, '', '');
    has    lore._keyword_engine := lore._keyword_engine(keyword, language, '', '');
    source text := CASE had.column_type WHEN 'text' THEN 'search' ELSE format('lore._keyword_text(%L, document_id, heading, content)', c.documents) END;
    before text := current_setting('maintenance_work_mem');
BEGIN
    PERFORM lore._lock_tables(c.name);
    EXECUTE format('DROP INDEX IF EXISTS %s', c.keyword_index);
    IF had.column_type <> 'text' OR has.column_type <> 'text' THEN
        -- The table is written anew, and with it its vector index, which needs memory for that.
        PERFORM set_config('maintenance_work_mem', greatest(pg_size_bytes(before), (SELECT least(b.build_bytes * 1.2, lore._memory() / 4)::bigint
            FROM lore._index_bytes(c.searched, c.built_rows, c.dimensions, '{}') AS b)) / 1024 || 'kB', true);
        EXECUTE format('ALTER TABLE %s ALTER COLUMN search TYPE %s USING %s', c.chunks, has.column_type, replace(has.value, '%', source))
            || CASE WHEN keyword = 'tsvector' THEN ', ALTER COLUMN search SET STORAGE MAIN' ELSE '' END;
        PERFORM set_config('maintenance_work_mem', before, true);
    END IF;
    c.keyword := keyword;
    c.language := language;
    UPDATE lore_data.collections AS n SET keyword = $2, language = $3 WHERE n.id = c.id;
    PERFORM lore._make_keyword_index(c);
    INSERT INTO lore_data.keyword_indexes (collection_id, server_start) VALUES (c.id, pg_postmaster_start_time())
    ON CONFLICT (collection_id) DO UPDATE SET server_start = excluded.server_start;
END
$$;

COMMENT ON FUNCTION lore._change_keyword(lore._collection, text, text) IS 'Builds the keyword index of a collection anew, by another engine or for another language.';

REVOKE ALL ON FUNCTION lore._keyword_text(regclass, bigint, text, text), lore._change_keyword(lore._collection, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._keyword_text(regclass, bigint, text, text), lore._change_keyword(lore._collection, text, text) TO lore_admin;
