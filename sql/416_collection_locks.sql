-- 416_collection_locks.sql: who reads, writes and alters a collection at once, and who waits for whom. Needs 110_errors, 400_catalog.

CREATE FUNCTION lore._may_wait(
    collection text
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here constant oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
BEGIN
    -- Who writes waits for nobody that only reads: that is who builds, alters or drops.
    IF EXISTS (SELECT FROM pg_locks AS l WHERE l.database = here AND l.pid <> pg_backend_pid() AND l.locktype = 'advisory' AND l.mode = 'ExclusiveLock'
               AND (l.classid, l.objid, l.objsubid) = (hashtext('lore collection')::oid, hashtext(collection)::oid, 2))
       AND EXISTS (SELECT FROM pg_locks AS l WHERE l.database = here AND l.pid = pg_backend_pid()
                   AND l.relation IN (to_regclass(format('lore_data.%I', collection || '_documents')), to_regclass(format('lore_data.%I', collection || '_chunks')))) THEN
        PERFORM lore._raise('LO305', format('another session builds an index of collection "%s", or alters it, and may wait for this transaction, which has read it', collection),
            'Run the transaction again; COMMIT between a search and what writes lets it wait.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._may_wait(text) IS
    'Before a wait for who writes, builds or alters a collection: raises LO305 where that session may wait in turn for the end of this transaction, which has read its tables.';

CREATE FUNCTION lore._lock_collection(
    collection text
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('lore collection'), hashtext(collection)) THEN
        PERFORM lore._may_wait(collection);
        PERFORM pg_advisory_xact_lock(hashtext('lore collection'), hashtext(collection));
    END IF;
END
$$;

COMMENT ON FUNCTION lore._lock_collection(text) IS 'Until the end of the transaction nobody else opens a collection of that name to write or alter it. Raises as lore._may_wait.';

CREATE FUNCTION lore._lock_tables(
    collection text
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('lore tables'), hashtext(collection));
END
$$;

COMMENT ON FUNCTION lore._lock_tables(text) IS 'Until the end of the transaction nobody else opens a collection of that name to search it.';

CREATE FUNCTION lore._open_to_write(
    collection text
) RETURNS lore._collection
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- First the lock, then the look: what is read holds until the end of the transaction.
    IF NOT pg_try_advisory_xact_lock_shared(hashtext('lore collection'), hashtext(collection)) THEN
        PERFORM lore._may_wait(collection);
        PERFORM pg_advisory_xact_lock_shared(hashtext('lore collection'), hashtext(collection));
    END IF;
    RETURN lore._open(collection);
END
$$;

COMMENT ON FUNCTION lore._open_to_write(text) IS
    'What is known of a collection, which nobody alters until the end of the transaction. Raises LO103 impossible name, LO202 no catalog, LO203 no such collection, LO305 where it would have to wait and has read the collection.';

CREATE FUNCTION lore._open_to_read(
    collection text
) RETURNS lore._collection
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('lore tables'), hashtext(collection));
    RETURN lore._open(collection);
END
$$;

COMMENT ON FUNCTION lore._open_to_read(text) IS
    'What is known of a collection whose tables nobody renames or builds anew until the end of the transaction: a search that waits for that would look for what is no longer there. Raises as lore._open.';

REVOKE ALL ON FUNCTION lore._may_wait(text), lore._lock_collection(text), lore._lock_tables(text), lore._open_to_write(text), lore._open_to_read(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._open_to_read(text) TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._may_wait(text), lore._open_to_write(text) TO lore_writer;
GRANT EXECUTE ON FUNCTION lore._lock_collection(text), lore._lock_tables(text) TO lore_admin;
