-- 474_index_sql.sql: the statements that build a vector index. Needs 473_index_options.

CREATE FUNCTION lore._require_kind(
    collection lore._collection,
    kind       text,
    rows       bigint                       -- NULL: however many
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
    ELSIF (collection).dimensions = 1 THEN
        PERFORM lore._raise('LO103', format('the vectors of collection "%s" have one dimension, which no index is made for', (collection).name), 'Leave it exact.');
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

CREATE FUNCTION lore._require_wanted(
    collection lore._collection,
    index_kind text
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF index_kind <> 'auto' THEN
        PERFORM lore._require_kind(collection, index_kind, NULL), lore._require_extension(index_kind);
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_wanted(lore._collection, text) IS
    'Raises LO103 or LO206 for a kind of index that a collection could not have however many chunks it had.';

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
    number integer := coalesce(substring(c.vector_index FROM '[0-9]+$')::integer, 0) + 1;
    apart  text := CASE WHEN $4 THEN ' CONCURRENTLY' ELSE '' END;
    last   bigint;
    fields text[] := '{}';                  -- that get labels
BEGIN
    PERFORM lore._index_options(chosen, size, $3), lore._require_kind(c, chosen, size);
    IF chosen = 'ivfflat' THEN
        PERFORM lore._require_memory(size, c.dimensions, $3);
    END IF;
    IF chosen = 'diskann' THEN
        fields := CASE WHEN $3 ? 'labels' THEN ARRAY(SELECT DISTINCT jsonb_array_elements_text($3 -> 'labels')) ELSE lore._categories(c, c.filterable) END;
    END IF;
    IF $4 THEN
        RETURN QUERY VALUES (-2, format('SELECT lore._claim_index(%L, %L)', c.name, c.vector_index)), (8, format('SELECT lore._release_index(%L)', c.name));
    END IF;
    IF chosen = 'exact' THEN
        RETURN QUERY SELECT 1, format('SELECT lore._adopt_index(%L, %s, ''exact'', ''{}'', 0, 0, %L)', c.name, number, coalesce($2, c.index_kind));
    ELSE
        EXECUTE format('SELECT coalesce(max(id), 0) FROM %s', c.chunks) INTO last;
        IF fields <> '{}' THEN
            RETURN QUERY VALUES (-1, format('SELECT lore._make_labels(%L, %L)', c.name, fields)), (0, format('SELECT lore._fill_labels(%L, %L)', c.name, fields));
        END IF;
        RETURN QUERY SELECT 1, format('ANALYZE %s, %s', c.documents, c.chunks)
            UNION ALL SELECT 2, format('SET maintenance_work_mem = %L', lore._index_memory(chosen, size, c.dimensions, $3))
            UNION ALL SELECT 3, format('DROP INDEX%s IF EXISTS lore_data.vector_%s_%s', apart, c.id, number)
            UNION ALL SELECT 4, lore._index_definition(c, chosen, $3, size, format('vector_%s_%s', c.id, number), apart, CASE WHEN fields <> '{}' THEN ', labels' ELSE '' END)
            UNION ALL SELECT 5, format('SELECT lore._adopt_index(%L, %s, %L, %L, %s, %s, %L)', c.name, number, chosen,
                CASE WHEN chosen = 'diskann' THEN $3 || jsonb_build_object('labelled', fields, 'of', c.filterable) ELSE $3 END, size, last, coalesce($2, c.index_kind));
    END IF;
    IF fields = '{}' AND lore._has_labels(c) THEN  -- before the index in use goes, for which it waits: a search waits for either
        RETURN QUERY SELECT 6, format('SELECT lore._make_labels(%L, ''{}'')', c.name);
    END IF;
    -- The one that was in use, and what a build left that was ended before its time: writers would go on filling it.
    RETURN QUERY SELECT 7, format('DROP INDEX%s IF EXISTS lore_data.%s', apart, r.relname) FROM pg_index AS i JOIN pg_class AS r ON r.oid = i.indexrelid
        WHERE i.indrelid = c.chunks::regclass AND r.relname ~ format('^vector_%s_[0-9]+$', c.id) AND (chosen = 'exact' OR r.relname <> format('vector_%s_%s', c.id, number)) ORDER BY r.relname;
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
    RETURN QUERY SELECT (row_number() OVER (ORDER BY s.step))::integer, s.statement FROM lore._index_statements(c, $2, coalesce($3, '{}'), true) AS s ORDER BY s.step;
END
$$;

COMMENT ON FUNCTION lore.index_sql(text, text, jsonb) IS
    'The statements that build the vector index of a collection while others read and write: run them in order, each on its own, outside a transaction. `pglore index` does that and shows the progress. The first keeps others from building the same until the last, or the end of the session; it fails with LO305 where one builds already. Raises LO103 unknown kind or option, LO203 unknown collection, LO206 missing extension.';

REVOKE ALL ON FUNCTION lore._require_kind(lore._collection, text, bigint), lore._require_extension(text), lore._require_wanted(lore._collection, text),
    lore._index_statements(lore._collection, text, jsonb, boolean), lore.index_sql(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._require_kind(lore._collection, text, bigint), lore._require_extension(text), lore._require_wanted(lore._collection, text),
    lore._index_statements(lore._collection, text, jsonb, boolean), lore.index_sql(text, text, jsonb) TO lore_reader;
