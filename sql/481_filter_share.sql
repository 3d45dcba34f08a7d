-- 481_filter_share.sql: how many documents pass a filter, by a sample, and which do. Needs 435_filter_path, 437_filterable, 408_planned.

CREATE FUNCTION lore._places(
    relation text
) RETURNS tid[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The same ones each time; pages at random would be few, and rows on a page are alike.
    RETURN (
        SELECT ('{' || string_agg(format('"(%s,%s)"', (i * p.pages::bigint) / 256, 1 + i * 7919 % p.items), ',') || '}')::tid[]
        FROM (SELECT greatest(c.relpages, 1) AS pages, ceil(greatest(c.reltuples, 1) / greatest(c.relpages, 1))::integer AS items FROM pg_class AS c WHERE c.oid = relation::regclass) AS p,
             generate_series(0, 255) AS i);
END
$$;

COMMENT ON FUNCTION lore._places(text) IS '256 places spread over a table, for a sample of its rows.';

CREATE FUNCTION lore._share(
    collection lore._collection,            -- narrowed to what the filter implies
    filter     jsonb,
    path       jsonpath,                    -- the same
    documents  bigint                       -- of the collection, about
) RETURNS double precision[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c     lore._collection := collection;
    -- The places are part of the plan, which is made anew where the table has grown.
    name  text := concat_ws(' ', 'share', documents, c.documents, c.narrowed);
    found lore._found := lore._run_planned(name, NULL, NULL, filter, NULL, path, NULL, NULL, NULL, NULL);
BEGIN
    IF num_nulls(found.error, found.hits) = 2 THEN
        found := lore._run_planned(name, format('SELECT ARRAY[(count(*) FILTER (WHERE d.metadata @@ $4) + 0.5) / (count(*) + 1), (count(*) FILTER (WHERE %s) + 0.5) / (count(*) + 1)]::text AS hits
            FROM %s AS d WHERE d.ctid = ANY (%L::tid[])', coalesce(format(c.narrowed, '$2'), 'true'), c.documents, lore._places(c.documents)),
            NULL, filter, NULL, path, NULL, NULL, NULL, NULL);
    END IF;
    PERFORM lore._check(found.error);
    RETURN found.hits;
END
$$;

COMMENT ON FUNCTION lore._share(lore._collection, jsonb, jsonpath, bigint) IS 'Shares of the documents, by a sample: of those that pass a filter, and of those that pass what the filter is narrowed to.';

CREATE FUNCTION lore._filter_is_indexed(
    filterable text[],
    filter     jsonb
) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- One index holds all fields, whichever are filterable.
    RETURN filterable <> '{}' AND EXISTS (
        SELECT FROM jsonb_each(filter) AS f
        WHERE CASE WHEN f.key = '$and' THEN EXISTS (SELECT FROM jsonb_array_elements(f.value) AS part WHERE lore._filter_is_indexed(filterable, part))
                   WHEN f.key = '$or' THEN NOT EXISTS (SELECT FROM jsonb_array_elements(f.value) AS part WHERE NOT lore._filter_is_indexed(filterable, part))
                   ELSE f.key <> '$not' AND (jsonb_typeof(f.value) <> 'object' OR f.value ?| ARRAY['$eq', '$in']) END);
END
$$;

COMMENT ON FUNCTION lore._filter_is_indexed(text[], jsonb) IS 'Whether an index of the metadata finds the documents that pass a filter: by an equality.';

CREATE FUNCTION lore._allowed(
    collection lore._collection,            -- narrowed, with the filter in its place
    passing    text                         -- SQL condition on a document d: that it passes the filter
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- IS TRUE keeps a plan that does not know the filter from the index of the metadata, which it would read from end to end for a range.
    RETURN CASE WHEN (collection).narrowed IS NULL AND (collection).indexed THEN passing ELSE concat_ws(' AND ', (collection).narrowed, format('(%s) IS TRUE', passing)) END;
END
$$;

COMMENT ON FUNCTION lore._allowed(lore._collection, text) IS 'SQL condition on a document d that all documents are quickly searched by.';

CREATE FUNCTION lore._allowed_documents(
    collection lore._collection,
    filter     jsonb,
    path       jsonpath,                    -- the same
    tried      double precision             -- rows that the filter would be tried on one by one
) RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c         lore._collection := collection;
    documents bigint[];
BEGIN
    -- Measured, in microseconds: 3 for each row tried; 1.5 for each document that an index of the metadata finds, 0.3 for each that is read.
    IF path IS NULL OR 3 * tried < (CASE WHEN c.indexed OR c.narrowed IS NOT NULL THEN 1.5 * c.share ELSE 0.3 END) * lore._estimated_rows(c.documents) THEN
        RETURN NULL;
    END IF;
    c.narrowed := format(c.narrowed, '$1');
    EXECUTE format('SELECT coalesce(array_agg(d.id), ''{}'') FROM %s AS d WHERE %s', c.documents, lore._allowed(c, 'd.metadata @@ $2')) INTO documents USING filter, path;
    RETURN documents;
END
$$;

COMMENT ON FUNCTION lore._allowed_documents(lore._collection, jsonb, jsonpath, double precision) IS
    'The documents that pass a filter; NULL where there is none, or where it is quicker to try it on what a search gives.';

REVOKE ALL ON FUNCTION lore._places(text), lore._share(lore._collection, jsonb, jsonpath, bigint), lore._filter_is_indexed(text[], jsonb),
    lore._allowed(lore._collection, text), lore._allowed_documents(lore._collection, jsonb, jsonpath, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._places(text), lore._share(lore._collection, jsonb, jsonpath, bigint), lore._filter_is_indexed(text[], jsonb),
    lore._allowed(lore._collection, text), lore._allowed_documents(lore._collection, jsonb, jsonpath, double precision) TO lore_reader;
