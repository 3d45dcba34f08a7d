-- 471_index_effort.sql: how much of a vector index a search looks at: effort, rows fetched, settings. Needs 470_index_kinds.

CREATE FUNCTION lore._default_effort(
    kind  text,
    lists integer,                          -- of an inverted-file index
    wide  integer                           -- chunks asked for
) RETURNS integer
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE kind
        WHEN 'hnsw' THEN greatest(80, wide)
        WHEN 'hnsw_bit' THEN least(1000, greatest(100, 3 * wide))
        WHEN 'ivfflat' THEN greatest(8, ceil(sqrt(lists) * 1.5)::integer)
        WHEN 'diskann' THEN least(1000, greatest(100, 2 * wide))
        WHEN 'vchordrq' THEN greatest(8, ceil(sqrt(lists))::integer) END;
END
$$;

COMMENT ON FUNCTION lore._default_effort(text, integer, integer) IS 'The effort of a search where lore.tune has not been run.';

CREATE FUNCTION lore._fetched(
    kind     text,
    effort   integer,
    wide     integer,
    filtered boolean
) RETURNS integer
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN kind = 'hnsw_bit' THEN greatest(effort, wide) WHEN kind = 'diskann' AND filtered THEN 2 * wide ELSE wide END;
END
$$;

COMMENT ON FUNCTION lore._fetched(text, integer, integer, boolean) IS 'Rows that an index is asked for, where so many are to be found.';

CREATE FUNCTION lore._filtered_effort(
    kind  text,
    lists integer,                          -- of an inverted-file index
    wide  integer,
    share double precision                  -- of the documents, that pass the filter
) RETURNS integer
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- What few documents pass is far apart, and each that passes stands for many that the index gives in vain.
    RETURN CASE WHEN kind = 'hnsw_bit' AND share < 0.25 THEN lore._default_effort(kind, lists, wide) / 2 ELSE lore._default_effort(kind, lists, wide) END;
END
$$;

COMMENT ON FUNCTION lore._filtered_effort(text, integer, integer, double precision) IS
    'The least effort of a search with a filter: one may have to do with the vectors, as those that lore.tune tries have not.';

CREATE FUNCTION lore._lists(
    rows bigint
) RETURNS integer
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (CASE WHEN rows <= 1000000 THEN greatest(rows / 1000, 10) ELSE sqrt(rows) END)::integer;
END
$$;

COMMENT ON FUNCTION lore._lists(bigint) IS 'Lists of an inverted-file index by the rows that it is built on (pgvector''s advice).';

CREATE FUNCTION lore._index_settings(
    kind     text,
    effort   integer,
    fetched  integer,                       -- rows that the index is asked for
    filtered boolean
) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- hnsw.ef_search caps the rows of a scan, and ivfflat those of its probes, unless the scan may go on.
    SELECT CASE kind
        WHEN 'exact' THEN '{}'
        WHEN 'ivfflat' THEN jsonb_build_object('ivfflat.probes', effort, 'ivfflat.iterative_scan', CASE WHEN filtered THEN 'relaxed_order' ELSE 'off' END)
        WHEN 'diskann' THEN jsonb_build_object('diskann.query_search_list_size', greatest(effort, 10), 'diskann.query_rescore', least(1000, greatest(effort, fetched)))
        WHEN 'vchordrq' THEN jsonb_build_object('vchordrq.probes', effort)
        ELSE jsonb_build_object('hnsw.ef_search', least(1000, greatest(effort, fetched)),
            'hnsw.iterative_scan', CASE WHEN filtered OR fetched > 1000 THEN 'relaxed_order' ELSE 'off' END) END
$$;

COMMENT ON FUNCTION lore._index_settings(text, integer, integer, boolean) IS 'The settings of a search in an index of a kind.';

REVOKE ALL ON FUNCTION lore._default_effort(text, integer, integer), lore._filtered_effort(text, integer, integer, double precision),
    lore._fetched(text, integer, integer, boolean), lore._lists(bigint), lore._index_settings(text, integer, integer, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._default_effort(text, integer, integer), lore._filtered_effort(text, integer, integer, double precision),
    lore._fetched(text, integer, integer, boolean), lore._lists(bigint), lore._index_settings(text, integer, integer, boolean) TO lore_reader;
