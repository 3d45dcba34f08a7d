-- 438_labels.sql: labels of documents, for filters on categories: small numbers that a diskann index holds beside the vectors.
-- Needs 435_filter_path. A label is a hash of a field and a value: the same in every database, with no dictionary to keep. Two values
-- may share one: labels say where to look, and the filter itself what passes.

CREATE FUNCTION lore._label(
    field text,
    value jsonb                             -- a text, a number, true, false or null
) RETURNS smallint
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Of 4,096: each is an entry point of the index that every scan reads. 1.0 equals 1. Not jsonb_hash: it may change with the server.
    SELECT ((get_byte(h.hash, 0) * 256 + get_byte(h.hash, 1)) % 4096)::smallint
    FROM (SELECT sha256(convert_to(jsonb_build_array(field, CASE jsonb_typeof(value) WHEN 'number' THEN to_jsonb(trim_scale(value::numeric)) ELSE value END)::text, 'UTF8')) AS hash) AS h
$$;

COMMENT ON FUNCTION lore._label(text, jsonb) IS 'The label of a value of a field, 0 to 4095.';

CREATE FUNCTION lore._field_path(
    field text
) RETURNS jsonpath
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT ('$' || (SELECT string_agg('.' || to_json(n.name)::text, '' ORDER BY n.ordinal) FROM unnest(string_to_array(field, '.')) WITH ORDINALITY AS n(name, ordinal)) || '[*]')::jsonpath $$;

COMMENT ON FUNCTION lore._field_path(text) IS 'What a filter on a field compares, one by one: arrays are opened on the way, and at the end.';

CREATE FUNCTION lore._labels(
    fields   text[],
    metadata jsonb
) RETURNS smallint[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(DISTINCT lore._label(f.field, v.value)), '{}')
    FROM unnest(fields) AS f(field), jsonb_path_query(metadata, lore._field_path(f.field)) AS v(value)
    WHERE jsonb_typeof(v.value) NOT IN ('object', 'array')
$$;

COMMENT ON FUNCTION lore._labels(text[], jsonb) IS 'The labels of a document, ascending.';

CREATE FUNCTION lore._filter_labels(
    fields text[],                          -- whose conditions count
    filter jsonb
) RETURNS smallint[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part   record;
    wanted smallint[];
    fewest smallint[];
BEGIN
    FOR part IN SELECT e.key, e.value FROM jsonb_each(filter) AS e WHERE e.key IN ('$and', '$or') OR e.key = ANY (fields) LOOP
        IF part.key = '$and' THEN  -- any one of them holds for all that pass
            wanted := (SELECT l.labels FROM jsonb_array_elements(part.value) AS f, LATERAL (SELECT lore._filter_labels(fields, f) AS labels) AS l
                       WHERE l.labels IS NOT NULL ORDER BY cardinality(l.labels) LIMIT 1);
        ELSIF part.key = '$or' THEN  -- what passes may be anywhere if one of them says nothing
            wanted := (SELECT CASE WHEN bool_and(l.labels IS NOT NULL) THEN array_agg(DISTINCT u.label) FILTER (WHERE u.label IS NOT NULL) END
                       FROM jsonb_array_elements(part.value) AS f, LATERAL (SELECT lore._filter_labels(fields, f) AS labels) AS l LEFT JOIN LATERAL unnest(l.labels) AS u(label) ON true);
        ELSIF jsonb_typeof(part.value) <> 'object' THEN
            wanted := ARRAY[lore._label(part.key, part.value)];
        ELSIF part.value ? '$eq' THEN
            wanted := ARRAY[lore._label(part.key, part.value -> '$eq')];
        ELSIF part.value ? '$in' THEN  -- -1 is no document's: an empty array is no condition for an index
            wanted := coalesce((SELECT array_agg(DISTINCT lore._label(part.key, v)) FROM jsonb_array_elements(part.value -> '$in') AS v), '{-1}');
        ELSE
            wanted := NULL;
        END IF;
        IF fewest IS NULL OR cardinality(wanted) < cardinality(fewest) THEN
            fewest := wanted;
        END IF;
    END LOOP;
    RETURN fewest;
END
$$;

COMMENT ON FUNCTION lore._filter_labels(text[], jsonb) IS
    'Labels of which each document that passes a filter has one or more; NULL where the fields say nothing of it. Of a filter that lore._filter takes.';

REVOKE ALL ON FUNCTION lore._label(text, jsonb), lore._field_path(text), lore._labels(text[], jsonb), lore._filter_labels(text[], jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._label(text, jsonb), lore._field_path(text), lore._labels(text[], jsonb), lore._filter_labels(text[], jsonb) TO lore_reader;
