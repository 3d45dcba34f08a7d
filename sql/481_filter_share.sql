-- 481_filter_share.sql: how many documents pass a filter, by a sample, and whether an index finds them. Needs 435_filter_path.

CREATE FUNCTION lore._places(
    relation text
) RETURNS tid[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- The same ones each time; pages at random would be few, and rows on a page are alike.
    SELECT ('{' || string_agg(format('"(%s,%s)"', (i * p.pages::bigint) / 256, 1 + i * 7919 % p.items), ',') || '}')::tid[]
    FROM (SELECT greatest(c.relpages, 1) AS pages, ceil(greatest(c.reltuples, 1) / greatest(c.relpages, 1))::integer AS items FROM pg_class AS c WHERE c.oid = relation::regclass) AS p,
         generate_series(0, 255) AS i
$$;

COMMENT ON FUNCTION lore._places(text) IS '256 places spread over a table, for a sample of its rows.';

CREATE FUNCTION lore._share(
    collection lore._collection,
    path       jsonpath
) RETURNS double precision
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    share double precision;
BEGIN
    EXECUTE format('SELECT (count(*) FILTER (WHERE d.metadata @@ $1) + 0.5) / (count(*) + 1) FROM %s AS d WHERE d.ctid = ANY ($2)',
        (collection).documents) INTO share USING path, lore._places((collection).documents);
    RETURN share;
END
$$;

COMMENT ON FUNCTION lore._share(lore._collection, jsonpath) IS 'Share of the documents that pass a filter, by a sample.';

CREATE FUNCTION lore._filter_is_indexed(
    filterable text[],
    filter     jsonb
) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM jsonb_each(filter) AS f
                   WHERE f.key = ANY (filterable) AND (jsonb_typeof(f.value) <> 'object' OR f.value ?| ARRAY['$eq', '$in']))
$$;

COMMENT ON FUNCTION lore._filter_is_indexed(text[], jsonb) IS 'Whether an index of the metadata finds the documents that pass a filter: an equality on a filterable field.';

REVOKE ALL ON FUNCTION lore._places(text), lore._share(lore._collection, jsonpath), lore._filter_is_indexed(text[], jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._places(text), lore._share(lore._collection, jsonpath), lore._filter_is_indexed(text[], jsonb) TO lore_reader;
