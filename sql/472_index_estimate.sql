-- 472_index_estimate.sql: what an index will take before it is built, and which kind suits a collection. Needs 471_index_effort.

CREATE FUNCTION lore._index_bytes(
    kind       text,
    rows       bigint,
    dimensions integer,
    options    jsonb
) RETURNS TABLE (index_bytes bigint, build_bytes bigint)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- hnsw: rows a page = floor(8160 / (vector + 12 m + 96)), a row over a page takes as many as it needs; in memory each row holds its
    -- vector and 2 m neighbours of 16 bytes on the lowest layer, m on each of the others, which a share of 1 / m rows reaches.
    -- ivfflat: pgvector takes 50 rows a list, with a bound of 4 bytes for each of them and each list, and refuses to do with less.
    SELECT CASE WHEN kind IN ('hnsw', 'hnsw_bit') THEN 8192 * ceil(CASE WHEN row_bytes > 8160 THEN rows * ceil(row_bytes / 8160.0) ELSE rows / floor(8160.0 / row_bytes) END)
                WHEN kind = 'ivfflat' THEN 8192 * ceil(rows / greatest(floor(8160.0 / (payload + 24)), 0.25)) + 8192 * lists
                WHEN kind = 'diskann' THEN rows * (36 + dimensions * bits / 8 + 8 * neighbors) * 1.02
                WHEN kind = 'vchordrq' THEN rows * (dimensions * 4 + dimensions / 8 + 64) ELSE 0 END::bigint,
           CASE WHEN kind IN ('hnsw', 'hnsw_bit') THEN rows * (payload + 33 * m + 160)
                WHEN kind = 'ivfflat' THEN greatest(10000, 50 * lists::bigint) * (payload + 8) + lists * (2 * payload + 4 * dimensions::bigint) + (4 * lists::bigint + 8) * least(rows, greatest(10000, 50 * lists::bigint)) + 4 * lists::bigint * lists
                WHEN kind = 'diskann' THEN rows * (36 + dimensions * bits / 8 + 8 * neighbors)
                WHEN kind = 'vchordrq' THEN lists::bigint * 256 * dimensions * 4 ELSE 0 END::bigint
    FROM (SELECT CASE WHEN kind = 'hnsw_bit' THEN dimensions / 4 + 8 ELSE 2 * dimensions END AS payload, coalesce((options ->> 'm')::integer, 12) AS m, coalesce((options ->> 'lists')::integer, lore._lists(rows)) AS lists,
                 coalesce((options ->> 'num_neighbors')::integer, 50) AS neighbors,
                 coalesce((options ->> 'num_bits_per_dimension')::integer, CASE WHEN dimensions < 900 THEN 2 ELSE 1 END) AS bits) AS p,
         LATERAL (SELECT payload + 12 * m + 96 AS row_bytes) AS r
$$;

COMMENT ON FUNCTION lore._index_bytes(text, bigint, integer, jsonb) IS 'Bytes of an index on disk, and of memory that its build needs to stay quick.';

CREATE FUNCTION lore._choose_kind(
    rows       bigint,
    dimensions integer,
    memory     bigint,                      -- bytes that the server may count on
    diskann    boolean                      -- whether vectorscale is installed
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Up to some 10 million numbers exact search is quicker than any index (measured). Bits are a fair sketch from 384 dimensions on.
    SELECT CASE WHEN rows * dimensions <= 10000000 OR dimensions = 1 THEN 'exact'
                WHEN dimensions <= 4000 AND (SELECT b.index_bytes FROM lore._index_bytes('hnsw', rows, dimensions, '{}') AS b) <= memory / 2 THEN 'hnsw'
                WHEN dimensions >= 384 OR NOT diskann THEN 'hnsw_bit'
                ELSE 'diskann' END
$$;

COMMENT ON FUNCTION lore._choose_kind(bigint, integer, bigint, boolean) IS 'The kind of index that auto stands for.';

CREATE FUNCTION lore._memory() RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_size_bytes(current_setting('effective_cache_size')) $$;

COMMENT ON FUNCTION lore._memory() IS 'Bytes of memory that the server may count on: effective_cache_size.';

CREATE FUNCTION lore._chunk_count(
    collection lore._collection
) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    counted bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s', (collection).chunks) INTO counted;
    RETURN counted;
END
$$;

COMMENT ON FUNCTION lore._chunk_count(lore._collection) IS 'Number of chunks of a collection.';

CREATE FUNCTION lore.index_estimate(
    collection text,
    kind       text DEFAULT NULL,           -- NULL: one row for each kind
    rows       bigint DEFAULT NULL          -- NULL: the chunks that are there
) RETURNS TABLE (index_kind text, chunks bigint, index_bytes bigint, build_bytes bigint, chosen boolean, note text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 6
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c      lore._collection := lore._open($1);
    size   bigint := coalesce($3, lore._chunk_count(c));
    memory bigint := lore._memory();
    auto   text;
BEGIN
    IF $2 IS NOT NULL AND $2 NOT IN ('exact', 'auto', 'hnsw', 'hnsw_bit', 'ivfflat', 'diskann', 'vchordrq') THEN
        PERFORM lore._raise('LO103', format('"%s" is no kind of index', left($2, 60)), 'Kinds: auto, exact, hnsw, hnsw_bit, ivfflat, diskann, vchordrq.');
    ELSIF $3 NOT BETWEEN 0 AND 10000000000 THEN
        PERFORM lore._raise('LO103', format('rows is %s', $3), 'rows is 0 to 10,000,000,000.');
    END IF;
    auto := lore._choose_kind(size, c.dimensions, memory, lore._schema_of('vectorscale') IS NOT NULL);
    RETURN QUERY
        SELECT n.kind, size, b.index_bytes, b.build_bytes, n.kind = auto,
               CASE WHEN k.max_dimensions < c.dimensions THEN format('takes at most %s dimensions', k.max_dimensions)
                    WHEN k.kind IS NOT NULL AND c.dimensions = 1 THEN 'is not made for vectors of one dimension'
                    WHEN k.extension IS NOT NULL AND lore._schema_of(k.extension) IS NULL THEN format('needs the extension %s', k.extension)
                    WHEN b.index_bytes > memory / 2 AND n.kind = 'hnsw' THEN 'larger than half of effective_cache_size: slow where it is not in memory' END
        FROM unnest(ARRAY['exact', 'hnsw', 'hnsw_bit', 'ivfflat', 'diskann', 'vchordrq']) WITH ORDINALITY AS n(kind, place),
             LATERAL lore._index_kind(n.kind, c.metric) AS k, LATERAL lore._index_bytes(n.kind, size, c.dimensions, '{}') AS b
        WHERE $2 IS NULL OR n.kind = CASE $2 WHEN 'auto' THEN auto ELSE $2 END
        ORDER BY n.place;
END
$$;

COMMENT ON FUNCTION lore.index_estimate(text, text, bigint) IS
    'What each kind of vector index would take, before it is built: bytes on disk, and bytes of memory (maintenance_work_mem) for a quick build; chosen is the kind that auto stands for. Raises LO103 unknown kind or rows out of range, LO203 unknown collection.';

REVOKE ALL ON FUNCTION lore._index_bytes(text, bigint, integer, jsonb), lore._choose_kind(bigint, integer, bigint, boolean), lore._memory(),
    lore._chunk_count(lore._collection), lore.index_estimate(text, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._index_bytes(text, bigint, integer, jsonb), lore._choose_kind(bigint, integer, bigint, boolean), lore._memory(),
    lore._chunk_count(lore._collection), lore.index_estimate(text, text, bigint) TO lore_reader;
