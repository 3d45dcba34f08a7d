-- 476_build_index.sql: a vector index built, and taken into use. Needs 474_index_sql, 475_claim_index.

CREATE FUNCTION lore._adopt_index(
    collection text,
    number     integer,
    kind       text,
    options    jsonb,
    built_rows bigint,
    built_to   bigint,
    wanted     text                         -- kind that lore.maintain is to keep
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c lore._collection := lore._open(collection);
BEGIN
    IF kind = 'exact' THEN
        DELETE FROM lore_data.vector_indexes AS v WHERE v.collection_id = c.id;
    ELSIF NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indexrelid = to_regclass(format('lore_data.vector_%s_%s', c.id, $2)) AND i.indisvalid) THEN
        PERFORM lore._raise('LO103', format('there is no valid index lore_data.vector_%s_%s', c.id, $2), 'Run the statements of lore.index_sql in their order.');
    ELSE
        INSERT INTO lore_data.vector_indexes AS v (collection_id, number, kind, options, built_rows, built_to) VALUES (c.id, $2, $3, $4, $5, $6)
        ON CONFLICT (collection_id) DO UPDATE SET number = excluded.number, kind = excluded.kind, options = excluded.options,
            built_rows = excluded.built_rows, built_to = excluded.built_to, built_at = now(),
            tuning = CASE WHEN v.kind = excluded.kind AND v.options = excluded.options THEN v.tuning END;
    END IF;
    UPDATE lore_data.collections AS n SET index_kind = $7 WHERE n.id = c.id AND n.index_kind <> $7;
END
$$;

COMMENT ON FUNCTION lore._adopt_index(text, integer, text, jsonb, bigint, bigint, text) IS 'Takes an index that has been built into use.';

CREATE FUNCTION lore._create_index(
    statement text
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN disk_full THEN  -- /dev/shm of a container is too small for workers: alone, then
    PERFORM set_config('max_parallel_maintenance_workers', '0', true);
    EXECUTE statement;
END
$$;

COMMENT ON FUNCTION lore._create_index(text) IS 'Runs a CREATE INDEX, without parallel workers where these have no room.';

CREATE FUNCTION lore.build_index(
    collection text,
    kind       text DEFAULT 'auto',         -- exact, hnsw, hnsw_bit, ivfflat, diskann, vchordrq; NULL is the collection's own
    options    jsonb DEFAULT '{}'           -- of the kind: {"m": 16}
) RETURNS TABLE (index_kind text, chunks bigint, index_bytes bigint, seconds double precision)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
#variable_conflict use_column
DECLARE
    c       lore._collection := lore._open($1);
    s       record;
    started timestamptz := clock_timestamp();
    before  text := current_setting('maintenance_work_mem');
BEGIN
    PERFORM lore._require_extension(coalesce($2, c.index_kind));
    IF NOT pg_try_advisory_xact_lock_shared(hashtext('lore index beside'), c.id::integer) THEN
        PERFORM lore._index_is_busy(c.name);
    END IF;
    PERFORM lore._lock_collection($1);  -- first of all: two that build, tune, alter or drop at once would wait for each other's tables
    c := lore._open($1);
    FOR s IN SELECT * FROM lore._index_statements(c, $2, coalesce($3, '{}'), false) ORDER BY step LOOP
        IF s.statement LIKE 'CREATE INDEX%' THEN
            PERFORM lore._create_index(s.statement);
        ELSE
            EXECUTE s.statement;
        END IF;
    END LOOP;
    PERFORM set_config('maintenance_work_mem', before, false);
    c := lore._open($1);
    RETURN QUERY SELECT c.searched, lore._chunk_count(c), coalesce(pg_relation_size(to_regclass(c.vector_index)), 0),
        extract(epoch FROM clock_timestamp() - started)::double precision;
END
$$;

COMMENT ON FUNCTION lore.build_index(text, text, jsonb) IS
    'Builds the vector index of a collection anew and takes it into use; writers wait until it is done: lore.index_sql and `pglore index` build beside them. auto chooses by size, dimensions, memory and what is installed; exact has no index. Raises LO103 unknown kind or option, LO203 unknown collection, LO206 missing extension, LO305 where `pglore index` builds it at this moment.';

REVOKE ALL ON FUNCTION lore._adopt_index(text, integer, text, jsonb, bigint, bigint, text), lore._create_index(text), lore.build_index(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._adopt_index(text, integer, text, jsonb, bigint, bigint, text), lore._create_index(text), lore.build_index(text, text, jsonb) TO lore_admin;
