-- 465_documents.sql: documents of a collection as they were added. Needs 400_catalog.

CREATE FUNCTION lore.documents(
    collection text,
    keys       text[] DEFAULT NULL          -- NULL is all
) RETURNS TABLE (key text, content text, metadata jsonb, added_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT d.key, d.content, d.metadata, d.added_at, d.updated_at FROM %s AS d%s ORDER BY d.key',
        (lore._open($1)).documents, CASE WHEN $2 IS NOT NULL THEN ' WHERE d.key = ANY ($1)' ELSE '' END) USING $2;
END
$$;

COMMENT ON FUNCTION lore.documents(text, text[]) IS
    'The documents of a collection with these keys, or all, in the order of their keys; keys that are not there give no row. Raises LO203 unknown collection.';

REVOKE ALL ON FUNCTION lore.documents(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.documents(text, text[]) TO lore_reader;
