-- 475_claim_index.sql: one session at a time builds a collection's vector index beside others. Needs 400_catalog.

CREATE FUNCTION lore._claim_index(
    collection text,
    used       text                         -- the index in use when the statements were made; NULL is none
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c    lore._collection := lore._open(collection);
    kind constant integer := hashtext('lore index beside');
BEGIN
    -- A lock of the session, since no transaction holds all statements. It is not waited for: who waits keeps a snapshot, for whose end
    -- CREATE INDEX CONCURRENTLY waits. A session that failed has it still, and takes it once.
    IF NOT EXISTS (SELECT FROM pg_locks AS l WHERE l.pid = pg_backend_pid() AND l.locktype = 'advisory' AND l.mode = 'ExclusiveLock'
                   AND (l.classid, l.objid, l.objsubid) = (kind::oid, c.id::integer::oid, 2)) AND NOT pg_try_advisory_lock(kind, c.id::integer) THEN
        PERFORM lore._index_is_busy(c.name);
    END IF;
    c := lore._open(collection);
    IF c.vector_index IS DISTINCT FROM used THEN
        PERFORM pg_advisory_unlock(kind, c.id::integer);
        PERFORM lore._raise('LO305', format('the index of collection "%s" was built by another session meanwhile', c.name),
            'Ask lore.index_sql for its statements again.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._claim_index(text, text) IS
    'Until lore._release_index or its end no other session builds the index of the collection. Raises LO305 where one does, or has done so since.';

CREATE FUNCTION lore._release_index(
    collection text
) RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_advisory_unlock(hashtext('lore index beside'), (lore._open(collection)).id::integer) $$;

COMMENT ON FUNCTION lore._release_index(text) IS 'Lets others build the index of a collection again; false where this session had not claimed it.';

CREATE FUNCTION lore._index_is_busy(
    collection text
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._raise('LO305', format('another session builds an index of collection "%s"', collection),
        'Try again when it is done: SELECT * FROM pg_stat_progress_create_index shows how far it is.')
$$;

COMMENT ON FUNCTION lore._index_is_busy(text) IS 'Raises LO305.';

REVOKE ALL ON FUNCTION lore._claim_index(text, text), lore._release_index(text), lore._index_is_busy(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._claim_index(text, text), lore._release_index(text), lore._index_is_busy(text) TO lore_admin;
