-- 565_variants.sql: ways to search, named, as data: {"default": {}, "vector": {"mode": "vector"}}. Needs 520_search.

CREATE FUNCTION lore._search_arguments() RETURNS TABLE (name text, type regtype)
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Read from the signature, so that a new argument of lore.search is known here at once.
    SELECT p.proargnames[i], p.proargtypes[i - 1]::regtype
    FROM pg_proc AS p, generate_series(1, p.pronargs) AS i
    WHERE p.pronamespace = 'lore'::regnamespace AND p.proname = 'search' AND p.proargnames[1] = 'collection'
      AND p.proargtypes[0] = 'text'::regtype AND p.proargnames[i] NOT IN ('query', 'k', 'vector')
    ORDER BY i
$$;

COMMENT ON FUNCTION lore._search_arguments() IS 'The arguments of lore.search that a variant may set, with their types.';

CREATE FUNCTION lore._require_variants(
    variants json                           -- json, not jsonb: the order counts
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    variant record;
    wrong   text;
    names   text[] := '{}';
BEGIN
    IF variants IS NULL OR json_typeof(variants) <> 'object' OR variants::jsonb = '{}' THEN
        PERFORM lore._raise('LO103', 'variants is not a JSON object of objects', 'variants is such as {"default": {}, "vector": {"mode": "vector"}}.');
    END IF;
    FOR variant IN SELECT v.key, v.value::jsonb AS value FROM json_each(variants) AS v LOOP
        IF jsonb_typeof(variant.value) <> 'object' THEN
            PERFORM lore._raise('LO103', format('variant "%s" is not a JSON object', left(variant.key, 60)), 'A variant holds arguments of lore.search, such as {"mode": "vector"}.');
        ELSIF variant.key = ANY (names) THEN
            PERFORM lore._raise('LO103', format('there are two variants "%s"', left(variant.key, 60)), 'Give each a name of its own.');
        END IF;
        names := names || variant.key;
        SELECT a INTO wrong FROM jsonb_object_keys(variant.value) AS a WHERE NOT EXISTS (SELECT FROM lore._search_arguments() AS s WHERE s.name = a) LIMIT 1;
        IF FOUND THEN
            PERFORM lore._raise('LO103', format('variant "%s" sets "%s", which it cannot', left(variant.key, 60), left(wrong, 60)),
                format('A variant may set these arguments of lore.search: %s.', (SELECT string_agg(s.name, ', ') FROM lore._search_arguments() AS s)));
        END IF;
    END LOOP;
    IF cardinality(names) > 100 THEN
        PERFORM lore._raise('LO103', format('there are %s variants, more than 100', cardinality(names)), 'Evaluate them in several calls.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_variants(json) IS 'Raises LO103 for what is not a set of variants of lore.search.';

CREATE FUNCTION lore._variant_call(
    variant jsonb                           -- checked by _require_variants
) RETURNS text
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Names and types come from the catalog; values stay in the parameter: $1 collection, $2 query, $3 k, $4 the variant.
    SELECT 'SELECT coalesce(array_agg(s.key ORDER BY s.rank), ''{}'') FROM lore.search(collection => $1, query => $2, k => $3' || coalesce(string_agg(
        format(CASE WHEN a.type = 'jsonb'::regtype THEN ', %1$I => nullif($4 -> %1$L, ''null'')'
                    WHEN t.typcategory = 'A' THEN ', %1$I => CASE jsonb_typeof($4 -> %1$L) WHEN ''array'' THEN (SELECT array_agg(e) FROM jsonb_array_elements_text($4 -> %1$L) AS e) END::%2$s'
                    ELSE ', %1$I => ($4 ->> %1$L)::%2$s' END, a.name, a.type::text), '' ORDER BY a.name), '') || ') AS s'
    FROM lore._search_arguments() AS a JOIN pg_type AS t ON t.oid = a.type
    WHERE a.name <> 'collection' AND variant ? a.name
$$;

COMMENT ON FUNCTION lore._variant_call(jsonb) IS
    'The statement that gives the keys found by lore.search with a variant''s arguments; its values are parameters.';

REVOKE ALL ON FUNCTION lore._search_arguments(), lore._require_variants(json), lore._variant_call(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._search_arguments(), lore._require_variants(json), lore._variant_call(jsonb) TO lore_reader;
