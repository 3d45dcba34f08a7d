-- 430_filter.sql: a JSON filter to a jsonpath predicate. Needs 110_errors. Reaches no table.
-- The result is passed to `metadata @@ $n` as a value: nothing of a filter ever becomes SQL. Field names and values enter the
-- jsonpath as JSON strings and numbers. Negation is pushed down to the comparisons, where an undecidable one (a number
-- against a text) counts as false, so that a filter and its $not share out all documents.

CREATE FUNCTION lore._filter_error(
    message text,
    hint    text DEFAULT 'A filter is a JSON object such as {"section": "maintenance", "year": {"$gte": 2020}}.'
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lore._raise('LO104', message, hint);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION lore._filter_error(text, text) IS 'Raises LO104 in the place of an expression.';

CREATE FUNCTION lore._filter_value(
    value    jsonb,
    operator text,
    ordered  boolean                        -- true: only what has an order, numbers and texts
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN jsonb_typeof(value) IN ('string', 'number') OR NOT ordered AND jsonb_typeof(value) IN ('boolean', 'null') THEN value::text
           ELSE lore._filter_error(format('%s cannot compare with %s', operator, left(value::text, 60)),
               CASE WHEN ordered THEN '$gt, $gte, $lt and $lte take a text or a number.'
                    WHEN jsonb_typeof(value) = 'array' THEN 'Use {"$in": [...]} for one of several values.'
                    ELSE 'Compare with a text, a number, true, false or null; reach into objects with "field.subfield".' END) END;
END
$$;

COMMENT ON FUNCTION lore._filter_value(jsonb, text, boolean) IS 'A filter''s value as a jsonpath literal. Raises LO104.';

CREATE FUNCTION lore._filter_test(
    path     text,
    operator text,
    value    jsonb,
    negated  boolean
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    test text;
BEGIN
    IF operator = '$not' THEN
        RETURN lore._filter_field(path, value, NOT negated);
    ELSIF operator IN ('$ne', '$nin') THEN
        RETURN lore._filter_test(path, CASE operator WHEN '$ne' THEN '$eq' ELSE '$in' END, value, NOT negated);
    ELSIF operator = '$exists' THEN
        IF jsonb_typeof(value) <> 'boolean' THEN
            PERFORM lore._filter_error('$exists takes true or false');
        END IF;
        RETURN format(CASE WHEN value::boolean <> negated THEN 'exists(%s)' ELSE '!exists(%s)' END, path);
    ELSIF operator = '$in' THEN
        IF jsonb_typeof(value) <> 'array' OR jsonb_array_length(value) > 1000 THEN
            PERFORM lore._filter_error('$in and $nin take an array of at most 1000 values');
        END IF;
        SELECT coalesce(string_agg(format('%s == %s', path, lore._filter_value(v, '$in', false)), ' || '), '1 == 0')
        INTO test FROM jsonb_array_elements(value) AS v;
    ELSE
        test := CASE operator WHEN '$eq' THEN '==' WHEN '$gt' THEN '>' WHEN '$gte' THEN '>=' WHEN '$lt' THEN '<' WHEN '$lte' THEN '<=' END;
        IF test IS NULL THEN
            PERFORM lore._filter_error(format('"%s" is not an operator', left(operator, 60)),
                'Operators: $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $not on a field; $and, $or, $not above fields.');
        END IF;
        test := format('%s %s %s', path, test, lore._filter_value(value, operator, operator <> '$eq'));
    END IF;
    RETURN CASE WHEN negated THEN format('(!(%s) || ((%1$s) is unknown))', test) ELSE format('(%s)', test) END;
END
$$;

COMMENT ON FUNCTION lore._filter_test(text, text, jsonb, boolean) IS 'One operator on one field as jsonpath. Raises LO104.';

CREATE FUNCTION lore._filter_field(
    path    text,
    tests   jsonb,                          -- a value to equal, or an object of operators
    negated boolean
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF jsonb_typeof(tests) <> 'object' THEN
        RETURN lore._filter_test(path, '$eq', tests, negated);
    ELSIF tests = '{}' THEN
        PERFORM lore._filter_error('a field is compared with nothing: {}', 'Use {"$exists": true} to ask whether a field is there.');
    END IF;
    RETURN '(' || (SELECT string_agg(lore._filter_test(path, t.key, t.value, negated), CASE WHEN negated THEN ' || ' ELSE ' && ' END)
                   FROM jsonb_each(tests) AS t) || ')';
END
$$;

COMMENT ON FUNCTION lore._filter_field(text, jsonb, boolean) IS 'All tests of one field as jsonpath. Raises LO104.';

CREATE FUNCTION lore._filter_part(
    filter  jsonb,
    negated boolean
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part  record;
    parts text[] := '{}';
BEGIN
    IF jsonb_typeof(filter) <> 'object' THEN
        PERFORM lore._filter_error(format('a filter is a JSON object, not %s', left(filter::text, 60)));
    END IF;
    FOR part IN SELECT key, value FROM jsonb_each(filter) LOOP
        IF part.key IN ('$and', '$or') THEN
            IF jsonb_typeof(part.value) <> 'array' OR part.value = '[]' THEN
                PERFORM lore._filter_error(part.key || ' takes an array of one or more filters');
            END IF;
            parts := parts || ('(' || (SELECT string_agg(lore._filter_part(f, negated), CASE WHEN (part.key = '$or') = negated THEN ' && ' ELSE ' || ' END)
                                       FROM jsonb_array_elements(part.value) AS f) || ')');
        ELSIF part.key = '$not' THEN
            parts := parts || lore._filter_part(part.value, NOT negated);
        ELSIF part.key LIKE '$%' THEN
            PERFORM lore._filter_error(format('"%s" stands where the name of a field is expected', left(part.key, 60)),
                'Above fields stand $and, $or and $not; other operators belong to a field: {"year": {"$gte": 2020}}.');
        ELSIF '' = ANY (string_to_array(part.key, '.')) OR part.key = '' THEN
            PERFORM lore._filter_error(format('"%s" is not the name of a field', left(part.key, 60)), 'A field inside a field is written "author.name".');
        ELSIF length(part.key) > 1000 OR part.key LIKE repeat('%.', 20) || '%' THEN  -- it stands in the path once for each value
            PERFORM lore._filter_error(format('the field "%s..." is longer than 1,000 characters or more than 20 levels deep', left(part.key, 60)));
        ELSE
            parts := parts || lore._filter_field('$' || (SELECT string_agg('.' || to_json(n.name)::text, '' ORDER BY n.ordinal)
                FROM unnest(string_to_array(part.key, '.')) WITH ORDINALITY AS n(name, ordinal)), part.value, negated);
        END IF;
    END LOOP;
    RETURN CASE WHEN parts = '{}' THEN CASE WHEN negated THEN '(1 == 0)' ELSE '(1 == 1)' END
                ELSE '(' || array_to_string(parts, CASE WHEN negated THEN ' || ' ELSE ' && ' END) || ')' END;
END
$$;

COMMENT ON FUNCTION lore._filter_part(jsonb, boolean) IS 'A filter or a part of one as jsonpath. Raises LO104.';

REVOKE ALL ON FUNCTION lore._filter_error(text, text), lore._filter_value(jsonb, text, boolean), lore._filter_test(text, text, jsonb, boolean),
    lore._filter_field(text, jsonb, boolean), lore._filter_part(jsonb, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._filter_error(text, text), lore._filter_value(jsonb, text, boolean), lore._filter_test(text, text, jsonb, boolean),
    lore._filter_field(text, jsonb, boolean), lore._filter_part(jsonb, boolean) TO lore_reader;
