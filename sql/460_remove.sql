-- 460_remove.sql: documents out of a collection. Needs 415_collection_settings.

CREATE FUNCTION lore.remove(
    collection text,
    keys       text[]
) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c       lore._collection := lore._open_to_write(collection);
    removed integer;
BEGIN
    -- Locked in the order of the keys, as lore._write does, so that the two never deadlock.
    EXECUTE format('WITH locked AS MATERIALIZED (SELECT d.id FROM %1$s AS d WHERE d.key = ANY ($1) ORDER BY d.key FOR UPDATE),
        gone AS (DELETE FROM %1$s AS d USING locked WHERE d.id = locked.id RETURNING d.id)
        SELECT count(*) FROM gone', c.documents) INTO removed USING keys;
    RETURN removed;
END
$$;

COMMENT ON FUNCTION lore.remove(text, text[]) IS
    'Takes documents out of a collection by their keys; how many were there. Raises LO203 unknown collection.';

CREATE FUNCTION lore.remove(
    collection text,
    key        text
) RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT lore.remove(collection, ARRAY[key]) = 1 $$;

COMMENT ON FUNCTION lore.remove(text, text) IS
    'Takes one document out of a collection; whether it was there. Raises LO203 unknown collection.';

REVOKE ALL ON FUNCTION lore.remove(text, text[]), lore.remove(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.remove(text, text[]), lore.remove(text, text) TO lore_writer;
