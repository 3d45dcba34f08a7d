-- 473_index_options.sql: what may be said of an index when it is built. Needs 472_index_estimate.

CREATE FUNCTION lore._index_options(
    kind    text,
    rows    bigint,
    options jsonb
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    allowed jsonb := CASE kind                -- name: smallest and largest value
        WHEN 'hnsw' THEN '{"m": [2, 100], "ef_construction": [4, 1000]}' WHEN 'hnsw_bit' THEN '{"m": [2, 100], "ef_construction": [4, 1000]}'
        WHEN 'ivfflat' THEN '{"lists": [1, 32768]}' WHEN 'vchordrq' THEN '{"lists": [1, 160000]}'
        WHEN 'diskann' THEN '{"num_neighbors": [10, 1000], "search_list_size": [10, 1000], "num_bits_per_dimension": [1, 32]}' ELSE '{}' END;
    o       record;
    fields  jsonb := CASE WHEN kind = 'diskann' THEN options -> 'labels' END;
    given   jsonb := CASE WHEN kind IN ('ivfflat', 'vchordrq') THEN jsonb_build_object('lists', lore._lists(rows)) ELSE '{}' END;
BEGIN
    IF jsonb_typeof(options) <> 'object' THEN
        PERFORM lore._raise('LO103', 'options is not a JSON object', 'Pass options such as {"m": 16}.');
    END IF;
    IF fields IS NOT NULL THEN
        IF jsonb_typeof(fields) <> 'array' OR jsonb_array_length(fields) > 32 OR jsonb_path_exists(fields, 'strict $[*] ? (@.type() != "string")') THEN
            PERFORM lore._raise('LO103', 'labels is not an array of up to 32 names of fields', 'Pass {"labels": ["section"]}; without it the filterable fields with up to 1,000 values have labels.');
        END IF;
        PERFORM lore._filter(jsonb_build_object(f, 1)) FROM jsonb_array_elements_text(fields) AS f;  -- raises LO104 for what no filter can name
        options := options - 'labels';
    END IF;
    FOR o IN SELECT g.key, g.value, allowed -> g.key AS range FROM jsonb_each(options) AS g LOOP
        -- Two comparisons in a CASE: a text must not be read as a number.
        IF NOT coalesce(CASE WHEN jsonb_typeof(o.value) = 'number' AND o.value::text ~ '^\d{1,7}$'
                             THEN o.value::integer BETWEEN (o.range ->> 0)::integer AND (o.range ->> 1)::integer END, false) THEN
            PERFORM lore._raise('LO103', format('%s cannot be an option of %s: %s', left(o.key, 60), kind, left(o.value::text, 60)),
                coalesce((SELECT 'Options: ' || string_agg(format('%s, %s to %s', a.key, a.value ->> 0, a.value ->> 1), '; ' ORDER BY a.key)
                          FROM jsonb_each(allowed) AS a), kind || ' takes no options.'));
        END IF;
    END LOOP;
    IF kind IN ('hnsw', 'hnsw_bit') THEN  -- fewer links than pgvector's default, chosen with more care: less to look at for the same recall (measured)
        given := jsonb_build_object('m', 12, 'ef_construction', greatest(CASE kind WHEN 'hnsw' THEN 160 ELSE 100 END, 2 * (options ->> 'm')::integer));
    END IF;
    given := given || options;
    IF (given ->> 'ef_construction')::integer < 2 * (given ->> 'm')::integer THEN
        PERFORM lore._raise('LO103', format('ef_construction is %s, less than twice m', given ->> 'ef_construction'), 'Leave it out, or make it at least twice m.');
    ELSIF kind = 'vchordrq' THEN  -- its options are one text, in TOML
        RETURN format(' WITH (options = %L)', format(E'residual_quantization = %s\n[build.internal]\nlists = [%s]\n', CASE WHEN rows > 1000000 THEN 'true' ELSE 'false' END, given ->> 'lists'));
    END IF;
    RETURN coalesce((SELECT ' WITH (' || string_agg(format('%I = %s', g.key, g.value), ', ' ORDER BY g.key) || ')' FROM jsonb_each(given) AS g), '');
END
$$;

COMMENT ON FUNCTION lore._index_options(text, bigint, jsonb) IS 'The WITH clause of an index. Raises LO103 for an option that the kind does not take, LO104 for a label of what is no field.';

CREATE FUNCTION lore._index_definition(
    collection lore._collection,
    kind       text,
    options    jsonb,
    rows       bigint,
    name       text,                        -- of the index, without its schema
    apart      text DEFAULT '',             -- or ' CONCURRENTLY'
    further    text DEFAULT ''              -- columns: ', labels'
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c lore._collection := collection;
    k lore._index_kind := lore._index_kind(kind, c.metric);
BEGIN
    RETURN format('CREATE INDEX%s %s ON %s USING %s ((%s) %s.%s%s)%s', apart, name, c.chunks, k.method,
        lore._index_key(k, 'embedding', c.vector_schema, c.dimensions), coalesce(lore._schema_of(k.extension), 'public'), k.opclass, further, lore._index_options(kind, rows, options));
END
$$;

COMMENT ON FUNCTION lore._index_definition(lore._collection, text, jsonb, bigint, text, text, text) IS
    'The statement that makes a vector index. Raises LO103 for an option that the kind does not take.';

CREATE FUNCTION lore._index_memory(
    kind       text,
    rows       bigint,
    dimensions integer,
    options    jsonb
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT greatest(least(b.build_bytes * 1.2, lore._memory() / 4), pg_size_bytes(current_setting('maintenance_work_mem')))::bigint / 1024 || 'kB'
    FROM lore._index_bytes(kind, rows, dimensions, options) AS b
$$;

COMMENT ON FUNCTION lore._index_memory(text, bigint, integer, jsonb) IS 'The maintenance_work_mem that an index is built with: what it needs, of a quarter of the memory at most.';

CREATE FUNCTION lore._require_memory(
    rows       bigint,
    dimensions integer,
    options    jsonb
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given  bigint := pg_size_bytes(lore._index_memory('ivfflat', rows, dimensions, options));
    needed bigint := (SELECT b.build_bytes FROM lore._index_bytes('ivfflat', rows, dimensions, options) AS b);
BEGIN
    IF needed > given THEN  -- pgvector's own error comes after it has read the sample, and names no way out
        PERFORM lore._raise('LO103', format('an ivfflat index of %s lists takes %s of memory to build, and may take %s', coalesce(options ->> 'lists', lore._lists(rows)::text),
            pg_size_pretty(needed), pg_size_pretty(given)), 'Pass fewer with options => ''{"lists": 1000}'', or raise maintenance_work_mem, or effective_cache_size, of which a quarter may be taken.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_memory(bigint, integer, jsonb) IS 'Raises LO103 for more lists of an ivfflat index than memory can hold while it is built.';

REVOKE ALL ON FUNCTION lore._index_options(text, bigint, jsonb), lore._index_definition(lore._collection, text, jsonb, bigint, text, text, text),
    lore._index_memory(text, bigint, integer, jsonb), lore._require_memory(bigint, integer, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._index_options(text, bigint, jsonb), lore._index_definition(lore._collection, text, jsonb, bigint, text, text, text),
    lore._index_memory(text, bigint, integer, jsonb), lore._require_memory(bigint, integer, jsonb) TO lore_reader;
