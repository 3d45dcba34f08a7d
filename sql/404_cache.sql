-- 404_cache.sql: looking into the result cache, clearing it, its size. Needs 402_results.

CREATE FUNCTION lore._evict_results() RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- SECURITY DEFINER because the size is that of all roles' results, and the least recently used goes whoever made it. It takes no
-- argument, shows nothing of a row, and does nothing within the limit.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most  constant bigint := (SELECT l.bytes FROM lore_data.result_limit AS l);
    taken constant bigint := (SELECT coalesce(sum(r.bytes), 0) FROM lore_data.results AS r);
    gone  bigint;
BEGIN
    IF taken <= most OR current_setting('transaction_isolation') NOT LIKE 'read %' THEN
        RETURN 0;
    END IF;
    -- A tenth more than it must: the next look is not to come at once.
    DELETE FROM lore_data.results AS r WHERE r.ctid = ANY (ARRAY(
        SELECT s.ctid FROM lore_data.results AS s WHERE s.ctid IN (
            SELECT a.ctid FROM (SELECT o.ctid, sum(o.bytes) OVER (ORDER BY o.used_at, o.ctid) - o.bytes AS before FROM lore_data.results AS o) AS a
            WHERE a.before < taken - most + most / 10)
        FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;

COMMENT ON FUNCTION lore._evict_results() IS
    'Takes out of the result cache what was not used for longest, until it is within its limit; returns the number of results.';

CREATE FUNCTION lore.cache_entries() RETURNS TABLE (
    role text, operation text, model text, fingerprint text, key text, bytes integer, made_at timestamptz, used_at timestamptz, result jsonb
)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('lore_data.results') IS NULL THEN
        PERFORM lore._raise('LO202', 'the result cache has not been made in this database', 'Run pglore init against this database.');
    END IF;
    RETURN QUERY
        SELECT r.role, r.operation, r.model, r.fingerprint, encode(r.key, 'hex'), r.bytes, r.made_at, r.used_at,
               CASE WHEN r.role = current_user AND r.role_id = quote_ident(current_user)::regrole::oid THEN r.result END
        FROM lore_data.results AS r;
END
$$;

COMMENT ON FUNCTION lore.cache_entries() IS
    'The rows of the result cache that the caller''s role made; who is in lore_admin sees all roles'', without their results. Raises LO202 no catalog.';

CREATE VIEW lore.cache AS SELECT * FROM lore.cache_entries();

COMMENT ON VIEW lore.cache IS 'The result cache of this database: the rows of one''s own role; for lore_admin all, others'' without their results.';
COMMENT ON COLUMN lore.cache.role IS 'The role that made it, and alone gets it back.';
COMMENT ON COLUMN lore.cache.operation IS 'What was asked for.';
COMMENT ON COLUMN lore.cache.model IS 'Alias of the model.';
COMMENT ON COLUMN lore.cache.fingerprint IS 'Hash of the models and how they run: changed ones answer anew.';
COMMENT ON COLUMN lore.cache.key IS 'Hash of fingerprint, operation, arguments and input.';
COMMENT ON COLUMN lore.cache.bytes IS 'Its size.';
COMMENT ON COLUMN lore.cache.made_at IS 'When it was computed.';
COMMENT ON COLUMN lore.cache.used_at IS 'When it was last given out, to about ten minutes.';
COMMENT ON COLUMN lore.cache.result IS 'What the model answered; NULL for others'' rows.';

CREATE FUNCTION lore.cache_clear(
    model      text DEFAULT NULL,           -- alias; NULL is every model
    role       text DEFAULT NULL,           -- whose rows; NULL is the caller's own, public all roles', for lore_admin
    unused_for interval DEFAULT NULL        -- only what was not used for so long
) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose constant text := coalesce(cache_clear.role, current_user);
    gone  bigint;
BEGIN
    IF to_regclass('lore_data.results') IS NULL THEN
        PERFORM lore._raise('LO202', 'the result cache has not been made in this database', 'Run pglore init against this database.');
    ELSIF whose <> current_user AND NOT pg_has_role(current_user, 'lore_admin', 'USAGE') THEN
        PERFORM lore._raise('42501', 'permission denied for others'' results', 'Leave role out to clear your own.');
    END IF;
    DELETE FROM lore_data.results AS r
        WHERE (whose = 'public' OR r.role = whose) AND r.model = coalesce(cache_clear.model, r.model)
          AND (unused_for IS NULL OR r.used_at < now() - unused_for);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;

COMMENT ON FUNCTION lore.cache_clear(text, text, interval) IS
    'Takes results out of the result cache; returns how many. Raises 42501 for others'' results unless in lore_admin, LO202 no catalog.';

CREATE FUNCTION lore.set_cache_size(
    megabytes double precision              -- of all roles' results in this database; 0 keeps none
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('lore_data.results') IS NULL THEN
        PERFORM lore._raise('LO202', 'the result cache has not been made in this database', 'Run pglore init against this database.');
    ELSIF megabytes IS NULL OR NOT megabytes BETWEEN 0 AND 1e9 THEN
        PERFORM lore._raise('LO103', 'megabytes must be a number from 0 to 1e9', 'The default is 256.');
    END IF;
    UPDATE lore_data.result_limit AS l SET bytes = (megabytes * 1024 * 1024)::bigint;
    PERFORM lore._evict_results();
END
$$;

COMMENT ON FUNCTION lore.set_cache_size(double precision) IS
    'Bounds the result cache of this database, 256 MB unless said; what was not used for longest goes first. Raises LO103, LO202 no catalog.';

REVOKE ALL ON lore.cache FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._evict_results(), lore.cache_entries(), lore.cache_clear(text, text, interval), lore.set_cache_size(double precision) FROM PUBLIC;
GRANT SELECT ON lore.cache TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._evict_results(), lore.cache_entries(), lore.cache_clear(text, text, interval) TO lore_reader;
GRANT EXECUTE ON FUNCTION lore.set_cache_size(double precision) TO lore_admin;
