-- 410_keyword_index.sql: the keyword index of a collection, made and kept in order. Needs 400_catalog.
-- Extension pg_textsearch, seen with 0.6.1: rows added since its last build are lost to a BM25 index when the server restarts
-- (searches find nothing), and after a crash searches fail and writes wait for ever on a lock of their own. The table is
-- sound, so an index is built anew when it is first used after a start of the server. A clean start is told by the
-- server's start time, a crash by the unlogged table lore_data.keyword_indexes, which it empties.

CREATE FUNCTION lore._make_keyword_index(
    collection lore._collection
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    name text := split_part((collection).keyword_index, '.', 2);
BEGIN
    IF (collection).keyword = 'bm25' AND (collection).keyword_schema IS NULL THEN
        PERFORM lore._raise('LO206', format('the keyword index of collection "%s" needs the extension pg_textsearch', (collection).name),
            'CREATE EXTENSION pg_textsearch, or search with mode => ''vector''.');
    END IF;
    EXECUTE format('CREATE INDEX %I ON %s ', name, (collection).chunks)
        || (lore._keyword_engine((collection).keyword, (collection).language, name, (collection).chunks)).index;
END
$$;

COMMENT ON FUNCTION lore._make_keyword_index(lore._collection) IS
    'Makes the keyword index of a collection that has none. Raises LO206 where its extension is missing.';

CREATE FUNCTION lore._keyword_index_is_sound(
    collection lore._collection
) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (collection).keyword <> 'bm25'
        OR EXISTS (SELECT FROM lore_data.keyword_indexes AS i
                   WHERE i.collection_id = (collection).id AND i.server_start = pg_postmaster_start_time());
END
$$;

COMMENT ON FUNCTION lore._keyword_index_is_sound(lore._collection) IS
    'Whether the keyword index has been in order since this start of the server.';

CREATE FUNCTION lore._rebuild_keyword_index(
    collection text
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- SECURITY DEFINER because whoever comes first after a restart needs the index, and only its owner may build it. It takes a
-- name from the catalog, and does nothing to an index that is in order.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    c lore._collection := lore._open(collection);
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('lore keyword index'), c.id::integer);
    IF lore._keyword_index_is_sound(c) THEN
        RETURN;
    END IF;
    IF to_regclass(c.keyword_index) IS NULL THEN
        PERFORM lore._make_keyword_index(c);
    ELSE
        EXECUTE format('REINDEX INDEX %s', c.keyword_index);
    END IF;
    INSERT INTO lore_data.keyword_indexes (collection_id, server_start) VALUES (c.id, pg_postmaster_start_time())
    ON CONFLICT (collection_id) DO UPDATE SET server_start = excluded.server_start;
END
$$;

COMMENT ON FUNCTION lore._rebuild_keyword_index(text) IS
    'Builds the BM25 index of a collection anew, unless it is in order. Others that need it wait.';

CREATE FUNCTION lore._ready_keyword_index(
    collection lore._collection
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (collection).keyword <> 'bm25' THEN
        RETURN;
    END IF;
    IF (collection).keyword_schema IS NULL THEN
        PERFORM lore._raise('LO206', format('the keyword index of collection "%s" needs the extension pg_textsearch', (collection).name),
            'CREATE EXTENSION pg_textsearch, or search with mode => ''vector''.');
    ELSIF pg_is_in_recovery() THEN
        PERFORM lore._raise('LO206', 'a BM25 index cannot be read on a standby server',
            'Search with mode => ''vector'', or make the collection with keyword => ''tsvector''.');
    ELSIF NOT lore._keyword_index_is_sound(collection) THEN
        IF current_setting('transaction_read_only')::boolean THEN
            PERFORM lore._raise('25006', format('the keyword index of collection "%s" must be built anew after the server''s start', (collection).name),
                'Search once in a transaction that may write, or search with mode => ''vector''.');
        END IF;
        PERFORM lore._rebuild_keyword_index((collection).name);
    END IF;
EXCEPTION WHEN object_in_use THEN
    PERFORM lore._raise('55006', format('the keyword index of collection "%s" must be built anew after the server''s start', (collection).name),
        'Call lore.search once, which builds it first; then this statement works.');
END
$$;

COMMENT ON FUNCTION lore._ready_keyword_index(lore._collection) IS
    'Makes sure that the keyword index can be used, building it anew after a restart of the server. Raises LO206 missing extension or standby, 25006 read-only transaction.';

REVOKE ALL ON FUNCTION lore._make_keyword_index(lore._collection), lore._keyword_index_is_sound(lore._collection),
    lore._rebuild_keyword_index(text), lore._ready_keyword_index(lore._collection) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._keyword_index_is_sound(lore._collection),
    lore._rebuild_keyword_index(text), lore._ready_keyword_index(lore._collection) TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._make_keyword_index(lore._collection) TO lore_admin;
