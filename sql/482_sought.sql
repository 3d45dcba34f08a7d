-- 482_sought.sql: which labels of the vector index a search's filter leads to. Needs 400_catalog, 438_labels.

CREATE TYPE lore._sought AS (
    condition text,                         -- SQL on a chunk c, with %s for the filter; NULL where no label tells of it
    share     double precision              -- of the chunks, that have the labels; 1 without a condition
);

COMMENT ON TYPE lore._sought IS 'The labels that a search looks for.';

CREATE FUNCTION lore._sought(
    collection lore._collection,
    filter     jsonb,
    passing    double precision             -- share of the documents that pass the filter
) RETURNS lore._sought
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c      lore._collection := collection;
    fields text[];
    sets   text[];                          -- of fields whose conditions lead to labels
    share  double precision := passing;
BEGIN
    IF c.labelled IS NULL OR c.labelled = '{}' THEN
        RETURN ROW(NULL, 1)::lore._sought;
    END IF;
    -- The index takes one condition on labels. Each field's alone, or, where an $or joins several fields, that of all.
    sets := ARRAY(SELECT ARRAY[f]::text FROM unnest(c.labelled) AS f WHERE lore._filter_labels(ARRAY[f], filter) IS NOT NULL);
    IF sets = '{}' AND lore._filter_labels(c.labelled, filter) IS NOT NULL THEN
        sets := ARRAY[c.labelled::text];
    END IF;
    fields := sets[1];
    IF fields IS NULL THEN
        RETURN ROW(NULL, 1)::lore._sought;
    ELSIF cardinality(sets) > 1 OR (SELECT count(*) FROM jsonb_each(filter)) > 1 THEN  -- the one that the fewest chunks of a sample have
        EXECUTE format('WITH wanted AS MATERIALIZED (SELECT s.fields, lore._filter_labels(s.fields::text[], $1) AS labels FROM unnest($2) AS s(fields)),
                sampled AS MATERIALIZED (SELECT c.labels FROM %s AS c WHERE c.ctid = ANY ($3))
            SELECT w.fields, greatest($4, (count(*) FILTER (WHERE s.labels && w.labels) + 0.5) / (count(*) + 1)) AS share
            FROM wanted AS w LEFT JOIN sampled AS s ON true GROUP BY w.fields ORDER BY 2, 1 LIMIT 1', c.chunks)
        INTO fields, share USING filter, sets, lore._places(c.chunks), passing;
    END IF;
    RETURN ROW(format('c.labels OPERATOR(%s.&&) lore._filter_labels(%s, %%s)', lore._schema_of('vectorscale'),  -- PostgreSQL's own && is none for the index
        replace(quote_literal(fields), '%', '%%')), share)::lore._sought;
END
$$;

COMMENT ON FUNCTION lore._sought(lore._collection, jsonb, double precision) IS 'The condition on labels that a filter implies and that lets the fewest chunks through.';

REVOKE ALL ON TYPE lore._sought FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._sought(lore._collection, jsonb, double precision) FROM PUBLIC;
GRANT USAGE ON TYPE lore._sought TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._sought(lore._collection, jsonb, double precision) TO lore_reader;
