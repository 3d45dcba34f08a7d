-- 474_index_sql.sql: the statements that build a vector index. Needs 472_index_estimate.

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
    given   jsonb := CASE WHEN kind IN ('ivfflat', 'vchordrq') THEN jsonb_build_object('lists', lore._lists(rows)) ELSE '{}' END || options;
BEGIN
    IF jsonb_typeof(options) <> 'object' THEN
        PERFORM lore._raise('LO103', 'options is not a JSON object', 'Pass options such as {"m": 16}.');
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
    IF kind = 'vchordrq' THEN  -- its options are one text, in TOML
        RETURN format(' WITH (options = %L)', format(E'residual_quantization = %s\n[build.internal]\nlists = [%s]\n', CASE WHEN rows > 1000000 THEN 'true' ELSE 'false' END, given ->> 'lists'));
    END IF;
    RETURN coalesce((SELECT ' WITH (' || string_agg(format('%I = %s', g.key, g.value), ', ' ORDER BY g.key) || ')' FROM jsonb_each(given) AS g), '');
END
$$;

COMMENT ON FUNCTION lore._index_options(text, bigint, jsonb) IS 'The WITH clause of an index. Raises LO103 for an option that the kind does not take.';

CREATE FUNCTION lore._require_kind(
    collection lore._collection,
    kind       text,
    rows       bigint
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    k lore._index_kind := lore._index_kind(kind, (collection).metric);
BEGIN
    IF kind = 'exact' THEN
        RETURN;
    ELSIF k.kind IS NULL THEN
        PERFORM lore._raise('LO103', format('"%s" is no kind of index', left(kind, 60)), 'Kinds: auto, exact, hnsw, hnsw_bit, ivfflat, diskann, vchordrq.');
    ELSIF (collection).dimensions > k.max_dimensions THEN
        PERFORM lore._raise('LO103', format('%s takes at most %s dimensions, and the vectors of collection "%s" have %s', kind, k.max_dimensions,
            (collection).name, (collection).dimensions), 'hnsw_bit, diskann and exact take up to 16,000.');
    ELSIF k.trained AND rows < 1000 THEN
        PERFORM lore._raise('LO103', format('%s learns from the rows that it is built on, and collection "%s" has %s chunks', kind, (collection).name, rows),
            'Add the documents first; below 1,000 chunks exact search is quicker than any index.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_kind(lore._collection, text, bigint) IS
    'Raises LO103 unknown kind, too many dimensions, or nothing to learn from.';

CREATE FUNCTION lore._require_extension(
    kind text
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    extension text := (lore._index_kind(kind, 'cosine')).extension;
BEGIN
    IF extension IS NOT NULL AND lore._schema_of(extension) IS NULL THEN
        PERFORM lore._raise('LO206', format('an index of kind %s needs the extension %s', kind, extension),
            format('CREATE EXTENSION %s, or choose hnsw or hnsw_bit.', extension));
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_extension(text) IS 'Raises LO206 where the extension of a kind of index is not installed.';

CREATE FUNCTION lore._index_statements(
    collection   lore._collection,
    kind         text,
    options      jsonb,
    concurrently boolean
) RETURNS TABLE (step integer, statement text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c      lore._collection := $1;
    size   bigint := lore._chunk_count(c);
    chosen text := CASE coalesce($2, c.index_kind) WHEN 'auto' THEN lore._choose_kind(size, c.dimensions, lore._memory(), lore._schema_of('vectorscale') IS NOT NULL)
                   ELSE coalesce($2, c.index_kind) END;
    k      lore._index_kind := lore._index_kind(chosen, c.metric);
    number integer := coalesce(substring(c.vector_index FROM '[0-9]+$')::integer, 0) + 1;
    apart  text := CASE WHEN $4 THEN ' CONCURRENTLY' ELSE '' END;
    clause text := lore._index_options(chosen, size, $3);
    memory bigint;
    last   bigint;
BEGIN
    PERFORM lore._require_kind(c, chosen, size);
    IF chosen = 'exact' THEN
        RETURN QUERY SELECT 1, format('SELECT lore._adopt_index(%L, %s, ''exact'', ''{}'', 0, 0, %L)', c.name, number, coalesce($2, c.index_kind));
    ELSE
        SELECT least(b.build_bytes * 1.2, lore._memory() / 4) INTO memory FROM lore._index_bytes(chosen, size, c.dimensions, $3) AS b;
        EXECUTE format('SELECT coalesce(max(id), 0) FROM %s', c.chunks) INTO last;
        RETURN QUERY SELECT 1, format('ANALYZE %s, %s', c.documents, c.chunks)
            UNION ALL SELECT 2, format('SET maintenance_work_mem = %L', greatest(memory, pg_size_bytes(current_setting('maintenance_work_mem'))) / 1024 || 'kB')
            UNION ALL SELECT 3, format('DROP INDEX%s IF EXISTS lore_data.vector_%s_%s', apart, c.id, number)
            UNION ALL SELECT 4, format('CREATE INDEX%s vector_%s_%s ON %s USING %s ((%s) %s.%s)%s', apart, c.id, number, c.chunks, k.method,
                format(k.key, 'embedding', c.vector_schema, c.dimensions), coalesce(lore._schema_of(k.extension), 'public'), k.opclass, clause)
            UNION ALL SELECT 5, format('SELECT lore._adopt_index(%L, %s, %L, %L, %s, %s, %L)', c.name, number, chosen, $3, size, last, coalesce($2, c.index_kind));
    END IF;
    IF c.vector_index IS NOT NULL THEN
        RETURN QUERY SELECT 6, format('DROP INDEX%s IF EXISTS %s', apart, c.vector_index);
    END IF;
END
$$;

COMMENT ON FUNCTION lore._index_statements(lore._collection, text, jsonb, boolean) IS 'The rows of lore.index_sql; without concurrently they can be run in one transaction.';

CREATE FUNCTION lore.index_sql(
    collection text,
    kind       text DEFAULT 'auto',         -- exact, hnsw, hnsw_bit, ivfflat, diskann, vchordrq; NULL is the collection's own
    options    jsonb DEFAULT '{}'           -- of the kind: {"m": 16}
) RETURNS TABLE (step integer, statement text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 5
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c lore._collection := lore._open($1);
BEGIN
    PERFORM lore._require_extension(coalesce($2, c.index_kind));
    RETURN QUERY SELECT s.step, s.statement FROM lore._index_statements(c, $2, coalesce($3, '{}'), true) AS s ORDER BY s.step;
END
$$;

COMMENT ON FUNCTION lore.index_sql(text, text, jsonb) IS
    'The statements that build the vector index of a collection while others read and write: run them in order, each on its own, outside a transaction. `pglore index` does that and shows the progress. Raises LO103 unknown kind or option, LO203 unknown collection, LO206 missing extension.';

REVOKE ALL ON FUNCTION lore._index_options(text, bigint, jsonb), lore._require_kind(lore._collection, text, bigint), lore._require_extension(text),
    lore._index_statements(lore._collection, text, jsonb, boolean), lore.index_sql(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._index_options(text, bigint, jsonb), lore._require_kind(lore._collection, text, bigint), lore._require_extension(text),
    lore._index_statements(lore._collection, text, jsonb, boolean), lore.index_sql(text, text, jsonb) TO lore_reader;
