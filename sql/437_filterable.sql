-- 437_filterable.sql: indexes for filters on named fields of the metadata. Needs 400_catalog, 435_filter_path.

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
BEGIN
    IF fields IS NULL OR array_ndims(fields) > 1 OR cardinality(fields) > 32 OR array_position(fields, NULL) IS NOT NULL THEN
        PERFORM lore._raise('LO103', 'filterable is not an array of up to 32 names of fields', 'Pass fields of the metadata: filterable => ''{section,year}''.');
    END IF;
    FOREACH field IN ARRAY fields LOOP
        PERFORM lore._filter(jsonb_build_object(field, 1));  -- raises LO104 for what no filter can name
    END LOOP;
    IF fields <> '{}' AND to_regclass('lore_data.' || name) IS NULL THEN
        -- One index serves equality on every field, at any depth and inside arrays; its entries are hashes of path and value.
        EXECUTE format('CREATE INDEX %I ON %s USING gin (metadata jsonb_path_ops) WITH (fastupdate = off)', name, c.documents);
    ELSIF fields = '{}' THEN
        EXECUTE format('DROP INDEX IF EXISTS lore_data.%I', name);
    END IF;
    UPDATE lore_data.collections AS n SET filterable = fields WHERE n.id = c.id;
END
$$;

COMMENT ON FUNCTION lore._set_filterable(lore._collection, text[]) IS 'Makes or drops the indexes of a collection''s filters. Raises LO103, LO104 for what is no field.';

REVOKE ALL ON FUNCTION lore._set_filterable(lore._collection, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._set_filterable(lore._collection, text[]) TO lore_admin;
