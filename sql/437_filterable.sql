-- 437_filterable.sql: indexes for filters on named fields of the metadata. Needs 400_catalog, 435_filter_path.

CREATE FUNCTION lore._range_key(
    field    text,
    metadata text                           -- SQL expression
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A row of a B-tree has 2,704 bytes at most: of texts and objects, which no range of numbers holds, nothing is kept, and of arrays
    -- and of numbers that are too long only that they are there.
    RETURN format('CASE WHEN jsonb_typeof(%1$s -> %2$L) = ''number'' AND length(%1$s ->> %2$L) <= 1000 THEN %1$s -> %2$L WHEN jsonb_typeof(%1$s -> %2$L) IN (''number'', ''array'') THEN ''[0]''::jsonb END',
        metadata, field);
END
$$;

COMMENT ON FUNCTION lore._range_key(text, text) IS 'SQL expression of what the index for ranges of numbers on a field holds of a document''s metadata.';

CREATE FUNCTION lore._set_filterable(
    collection lore._collection,
    fields     text[]
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    c     lore._collection := collection;
    name  text := format('filter_%s_1', c.id);
    field text;
    place bigint;
    old   regclass;
BEGIN
    IF fields IS NULL OR array_ndims(fields) > 1 OR cardinality(fields) > 32 OR array_position(fields, NULL) IS NOT NULL THEN
        PERFORM lore._raise('LO103', 'filterable is not an array of up to 32 names of fields', 'Pass fields of the metadata: filterable => ''{section,year}''.');
    END IF;
    fields := ARRAY(SELECT f.field FROM unnest(fields) WITH ORDINALITY AS f(field, place) GROUP BY f.field ORDER BY min(f.place));  -- each once
    FOREACH field IN ARRAY fields LOOP
        PERFORM lore._filter(jsonb_build_object(field, 1));  -- raises LO104 for what no filter can name
    END LOOP;
    IF fields <> '{}' AND to_regclass('lore_data.' || name) IS NULL THEN
        -- One index serves equality on every field, at any depth and inside arrays; its entries are hashes of path and value.
        EXECUTE format('CREATE INDEX %I ON %s USING gin (metadata jsonb_path_ops) WITH (fastupdate = off)', name, c.documents);
    END IF;
    FOR old IN SELECT i.indexrelid FROM pg_index AS i JOIN pg_class AS r ON r.oid = i.indexrelid
               WHERE i.indrelid = c.documents::regclass AND r.relname LIKE 'filter\_%' AND (fields = '{}' OR r.relname <> name) LOOP
        EXECUTE format('DROP INDEX %s', old);
    END LOOP;
    -- Ranges of numbers, on fields at the top. Texts are ordered otherwise by an index than by a filter.
    FOR field, place IN SELECT f.field, f.place FROM unnest(fields) WITH ORDINALITY AS f(field, place) WHERE f.field !~ '\.' LOOP
        EXECUTE format('CREATE INDEX filter_%s_%s ON %s ((%s))', c.id, place + 1, c.documents, lore._range_key(field, 'metadata'));
    END LOOP;
    UPDATE lore_data.collections AS n SET filterable = fields WHERE n.id = c.id;
END
$$;

COMMENT ON FUNCTION lore._set_filterable(lore._collection, text[]) IS 'Makes or drops the indexes of a collection''s filters. Raises LO103, LO104 for what is no field.';

CREATE FUNCTION lore._narrowed(
    filterable text[],
    filter     jsonb
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- What a range of numbers implies. jsonb orders numbers, true, arrays that hold something: an array may hold a number that is in the
    -- range, so all that come after true are let through. The filter stays a parameter: other numbers, same plan.
    RETURN (
        SELECT string_agg(format('(%s OR (%s) > ''true'')', f.bounds, f.key), ' AND ' ORDER BY f.key)
        FROM (SELECT r.key, string_agg(format('(%s) %s (%%1$s -> %s -> %L)', r.key, o.operator, replace(quote_literal(e.key), '%', '%%'), o.name), ' AND ' ORDER BY o.name) AS bounds
              FROM jsonb_each(filter) AS e, replace(lore._range_key(e.key, 'd.metadata'), '%', '%%') AS r(key),
                   (VALUES ('$gt', '>'), ('$gte', '>='), ('$lt', '<'), ('$lte', '<=')) AS o(name, operator)
              WHERE e.key = ANY (filterable) AND e.key !~ '\.' AND jsonb_typeof(e.value) = 'object' AND jsonb_typeof(e.value -> o.name) = 'number'
              GROUP BY r.key) AS f);
END
$$;

COMMENT ON FUNCTION lore._narrowed(text[], jsonb) IS 'SQL condition on a document d, with %1$s for the filter, that the filter implies and an index of a filterable field serves; NULL for none.';

REVOKE ALL ON FUNCTION lore._range_key(text, text), lore._narrowed(text[], jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._range_key(text, text), lore._narrowed(text[], jsonb) TO lore_reader;
REVOKE ALL ON FUNCTION lore._set_filterable(lore._collection, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._set_filterable(lore._collection, text[]) TO lore_admin;
