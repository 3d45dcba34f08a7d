-- 470_index_kinds.sql: all that sets one kind of vector index apart from another. Needs 110_errors, 400_catalog.
-- Build, search, tuning, estimates and doctor read it here. `effort` is a kind's one knob at search time: more of it finds more
-- of the true neighbours and takes longer.

CREATE TYPE lore._index_kind AS (
    kind           text,
    extension      text,                    -- that brings the access method
    method         text,                    -- access method
    key            text,                    -- what is indexed of %1$s, a vector: see lore._index_key
    opclass        text,                    -- of the metric
    operator       text,                    -- of the metric, on the key
    max_dimensions integer,
    rescored       boolean,                 -- the index knows only a sketch of the vector: more is fetched, and sorted by the vector
    trained        boolean,                 -- learns from the rows that it is built on
    streams        boolean,                 -- gives further rows for as long as it is asked, without a setting
    least_effort   integer,
    most_effort    integer,
    linked         boolean                  -- a vector in the index has links to its neighbours: it finds them more easily than a new query does
);

COMMENT ON TYPE lore._index_kind IS 'A kind of vector index.';

CREATE FUNCTION lore._index_kind(
    kind   text,
    metric text
) RETURNS lore._index_kind
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ROW(k.kind, k.extension, k.method, k.key,
               CASE WHEN k.kind = 'hnsw_bit' THEN 'bit_hamming_ops' ELSE k.type || '_' || metric || '_ops' END,
               CASE WHEN k.kind = 'hnsw_bit' THEN '<~>' ELSE lore._operator(metric) END,
               k.max_dimensions, k.rescored, k.trained, k.streams, k.least_effort, k.most_effort, k.linked)::lore._index_kind
    FROM (VALUES
        ('hnsw',     'vector',      'hnsw',     'halfvec', '%1$s::%2$s.halfvec(%3$s)',                    4000,  false, false, false, 10, 1000,  true),
        ('hnsw_bit', 'vector',      'hnsw',     'bit',
            '(%2$s.binary_quantize(%1$s OPERATOR(%2$s.+) %4$s) || %2$s.binary_quantize(%1$s OPERATOR(%2$s.-) %4$s))::bit(%5$s)',          16000, true,  false, false, 10, 1000,  true),
        ('ivfflat',  'vector',      'ivfflat',  'halfvec', '%1$s::%2$s.halfvec(%3$s)',                    4000,  false, true,  false, 1,  32768, false),
        ('diskann',  'vectorscale', 'diskann',  'vector',  '%1$s',                                        16000, false, true,  true,  10, 1000,  false),
        ('vchordrq', 'vchord',      'vchordrq', 'vector',  '%1$s',                                        16000, false, true,  true,  1,  65535, false)
    ) AS k(kind, extension, method, type, key, max_dimensions, rescored, trained, streams, least_effort, most_effort, linked)
    WHERE k.kind = $1
$$;

COMMENT ON FUNCTION lore._index_kind(text, text) IS 'A kind of vector index with the operators of a metric; NULL for exact and for what is no kind.';

CREATE FUNCTION lore._index_key(
    kind       lore._index_kind,
    vector     text,                        -- SQL expression
    schema     text,                        -- of the extension vector
    dimensions integer
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- The sketch of hnsw_bit: of each number and the next, the signs of their sum and of their difference. These two bits a dimension
    -- need no scale and no training, and 80 candidates by them hold as many true neighbours as 200 by the signs of the numbers.
    SELECT format((kind).key, vector, schema, dimensions,
        format('(%2$s.subvector(%1$s, 2, %3$s) OPERATOR(%2$s.||) %2$s.subvector(%1$s, 1, 1))', vector, schema, dimensions), 2 * dimensions)
$$;

COMMENT ON FUNCTION lore._index_key(lore._index_kind, text, text, integer) IS 'SQL expression of what a kind of index holds of a vector.';

CREATE FUNCTION lore._operator(
    metric text
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE metric WHEN 'cosine' THEN '<=>' WHEN 'ip' THEN '<#>' WHEN 'l2' THEN '<->' END $$;

COMMENT ON FUNCTION lore._operator(text) IS 'The distance operator of a metric on vectors.';

CREATE FUNCTION lore._similarity(
    metric   text,
    distance text                           -- SQL expression
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE metric WHEN 'cosine' THEN '1 - (' ELSE '-(' END || distance || ')' $$;

COMMENT ON FUNCTION lore._similarity(text, text) IS 'SQL expression of the score that a distance stands for: cosine, inner product, or minus the distance.';

REVOKE ALL ON TYPE lore._index_kind FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._index_kind(text, text), lore._index_key(lore._index_kind, text, text, integer), lore._operator(text), lore._similarity(text, text) FROM PUBLIC;
GRANT USAGE ON TYPE lore._index_kind TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._index_kind(text, text), lore._index_key(lore._index_kind, text, text, integer), lore._operator(text), lore._similarity(text, text) TO lore_reader;
