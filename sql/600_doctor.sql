-- 600_doctor.sql: what is wrong, or could be better, and what to do about it. Needs 210_models, 400_catalog.

CREATE FUNCTION lore._doctor_server() RETURNS TABLE (severity text, finding text, remedy text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH installed AS (
        SELECT extname AS name, extversion AS version, string_to_array(regexp_replace(extversion, '[^0-9.].*', ''), '.')::integer[] AS number FROM pg_extension
    )
    SELECT 'error', 'the catalog has not been made in this database', 'Run pglore init against this database.'
    WHERE to_regclass('lore_data.collections') IS NULL
    UNION ALL
    SELECT 'warning', format('pgvector is %s: versions before 0.8.4 can corrupt an hnsw index when it is vacuumed', version),
           'Install pgvector 0.8.4 or later, ALTER EXTENSION vector UPDATE, and REINDEX hnsw indexes.'
    FROM installed WHERE name = 'vector' AND number < ARRAY[0, 8, 4]
    UNION ALL
    SELECT 'info', 'pg_textsearch is not installed: new collections rank words with tsvector, which is slower on large collections',
           'Install pg_textsearch, add it to shared_preload_libraries, restart, CREATE EXTENSION pg_textsearch.'
    WHERE NOT EXISTS (SELECT FROM installed WHERE name = 'pg_textsearch')
    UNION ALL
    SELECT 'info', 'pg_trgm is not installed: misspelt words of a query are not mended', 'CREATE EXTENSION pg_trgm, then SELECT * FROM lore.maintain().'
    WHERE NOT EXISTS (SELECT FROM installed WHERE name = 'pg_trgm')
    UNION ALL
    SELECT 'warning', format('pg_textsearch is %s, a prerelease: its indexes do not outlive a restart of the server', version),
           'Nothing is lost: each is built anew when it is first used after a restart. For PostgreSQL''s own index instead: lore.create_collection(..., keyword => ''tsvector'').'
    FROM installed WHERE name = 'pg_textsearch' AND number < ARRAY[1]
    UNION ALL
    SELECT 'warning', 'client_connection_check_interval is 0: the work of a client that died goes on until it is done',
           'ALTER SYSTEM SET client_connection_check_interval = ''1s''; SELECT pg_reload_conf();'
    WHERE current_setting('client_connection_check_interval') = '0'
    UNION ALL
    SELECT 'info', format('huge pages are off, and the vector indexes take %s: a search in them takes about a quarter longer', pg_size_pretty(v.bytes)),
           'Set vm.nr_hugepages of the system to what SHOW shared_memory_size_in_huge_pages gives, and restart the server.'
    FROM (SELECT sum(c.relpages) * current_setting('block_size')::bigint AS bytes FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE n.nspname = 'lore_data' AND c.relkind = 'i' AND c.relname ~ '^vector_[0-9]+_[0-9]+$') AS v
    WHERE v.bytes > 100000000 AND current_setting('huge_pages_status', true) = 'off'  -- told since PostgreSQL 17
$$;

COMMENT ON FUNCTION lore._doctor_server() IS 'Findings about the server, its extensions and the catalog.';

CREATE FUNCTION lore._doctor_host() RETURNS TABLE (severity text, finding text, remedy text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reply lore._reply := lore._host('status', '{}');
BEGIN
    IF reply.error IS NOT NULL THEN
        RETURN QUERY SELECT 'error', reply.error ->> 'message', reply.error ->> 'hint';
        RETURN;
    END IF;
    RETURN QUERY
        SELECT 'warning', format('the model host is version %s, the extension %s', h.version, e.extversion), 'Install both of one version and restart the model host.'
        FROM lore.host_status() AS h, pg_extension AS e WHERE e.extname = 'pglore' AND h.version <> e.extversion
        UNION ALL
        SELECT 'info', format('models run on the CPU: %s', h.device_reason), 'A GPU makes bulk embedding many times faster.'
        FROM lore.host_status() AS h WHERE h.device = 'cpu'
        UNION ALL
        SELECT 'error', format('model "%s" cannot be loaded: %s', m.alias, m.error), 'The model host''s log says more: pglore/host.log in the data directory.'
        FROM lore.models AS m WHERE m.state = 'failed'
        UNION ALL
        SELECT 'error', format('the list of added models is damaged, so that none of them can be used: %s', reply.result ->> 'damage'),
            'Mend or remove pglore/models.json in the data directory, then SELECT lore.host_stop().'
        WHERE reply.result ->> 'damage' IS NOT NULL
        UNION ALL
        SELECT 'error', format('the list of rights and budgets is damaged, so that no model can be used: %s', reply.result ->> 'policy_damage'),
            'Mend or remove pglore/policy.json in the data directory, then SELECT lore.host_stop().'
        WHERE reply.result ->> 'policy_damage' IS NOT NULL;
END
$$;

COMMENT ON FUNCTION lore._doctor_host() IS 'Findings about the model host and its models.';

CREATE FUNCTION lore._doctor_collections() RETURNS TABLE (severity text, finding text, remedy text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found text;
    stale bigint;
    print text;
    c     lore._collection;
    reach boolean := (lore._host('models', '{}')).error IS NULL;
BEGIN
    SELECT string_agg(v.version_num, ', ') INTO found FROM lore_data.alembic_version AS v;
    IF found IS DISTINCT FROM lore._catalog_revision() THEN
        RETURN QUERY SELECT 'error', format('the catalog is at revision %s, the extension works on %s', coalesce(found, 'none'), lore._catalog_revision()),
            'Run pglore init against this database.';
        RETURN;
    END IF;
    RETURN QUERY SELECT i.severity, i.finding, i.remedy FROM lore._doctor_indexes() AS i;
    RETURN QUERY SELECT 'info', format('collection "%s" %s: misspelt words of a query may not be mended', v.collection_name, v.reason),
        format('SELECT * FROM lore.maintain(%L)', v.collection_name) FROM lore._vocabulary_state() AS v;
    FOR c IN SELECT o.* FROM lore_data.collections AS n, LATERAL lore._open(n.name) AS o WHERE lore._may_read(o) ORDER BY n.name LOOP
        IF c.keyword = 'bm25' AND c.keyword_schema IS NULL THEN
            RETURN QUERY SELECT 'error', format('collection "%s" has a BM25 index, but pg_textsearch is not installed: only mode => ''vector'' works', c.name),
                'CREATE EXTENSION pg_textsearch: the index is then built when it is first used.';
        ELSIF NOT lore._keyword_index_is_sound(c) THEN
            RETURN QUERY SELECT 'info', format('the BM25 index of collection "%s" has not been used since the server started', c.name),
                'Nothing to do: the next search or write builds it anew.';
        END IF;
        CONTINUE WHEN NOT reach;
        print := (SELECT m.fingerprint FROM lore.models AS m WHERE m.alias = c.model AND m.task = 'embed');
        IF print IS NULL THEN
            RETURN QUERY SELECT 'error', format('collection "%s" was made with model "%s", which the model host does not have', c.name, c.model),
                'Give the model host the model again, under that alias.';
            CONTINUE;
        END IF;
        EXECUTE format('SELECT count(*) FROM %s WHERE fingerprint <> $1', c.chunks) INTO stale USING print;
        IF stale > 0 THEN
            RETURN QUERY SELECT 'warning', format('%s chunks of collection "%s" have vectors of another state of model "%s"', stale, c.name, c.model),
                'Add the documents again: those are embedded anew.';
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION lore._doctor_collections() IS 'Findings about the collections.';

CREATE FUNCTION lore.doctor() RETURNS TABLE (severity text, finding text, remedy text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
        SELECT d.severity, d.finding, d.remedy
        FROM (SELECT 1 AS part, s.* FROM lore._doctor_server() AS s
              UNION ALL SELECT 2, h.* FROM lore._doctor_host() AS h
              UNION ALL SELECT 3, n.* FROM lore._doctor_collections() AS n WHERE to_regclass('lore_data.alembic_version') IS NOT NULL) AS d
        ORDER BY array_position(ARRAY['error', 'warning', 'info'], d.severity), d.part, d.finding;
END
$$;

COMMENT ON FUNCTION lore.doctor() IS
    'What is wrong with this installation or could be better, worst first: severity (error, warning, info), finding, remedy. No rows: all is well.';

REVOKE ALL ON FUNCTION lore._doctor_server(), lore._doctor_host(), lore._doctor_collections(), lore.doctor() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._doctor_server(), lore._doctor_host(), lore._doctor_collections(), lore.doctor() TO lore_reader;
