-- 435_filter_path.sql: the way into 430_filter, with its bounds.

CREATE FUNCTION lore._filter(
    filter jsonb                            -- NULL and {} let every document through
) RETURNS jsonpath
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whole   text := filter;
    deepest integer;
BEGIN
    IF filter IS NULL OR filter = '{}' THEN
        RETURN NULL;
    ELSIF length(whole) > 65536 THEN
        PERFORM lore._filter_error('the filter is longer than 65,536 characters');
    END IF;
    IF length(whole) - length(translate(whole, '{[', '')) > 20 THEN
        SELECT max(depth) INTO deepest FROM (
            SELECT sum(CASE WHEN bracket[1] IN ('{', '[') THEN 1 ELSE -1 END) OVER (ORDER BY ordinal) AS depth
            FROM regexp_matches(regexp_replace(whole, '"([^"\\]|\\.)*"', '', 'g'), '[][{}]', 'g') WITH ORDINALITY AS b(bracket, ordinal)) AS d;
        IF deepest > 20 THEN
            PERFORM lore._filter_error('the filter is nested more than 20 levels deep');
        END IF;
    END IF;
    RETURN lore._filter_part(filter, false)::jsonpath;
END
$$;

COMMENT ON FUNCTION lore._filter(jsonb) IS
    'A filter as a jsonpath predicate for metadata @@ ..., NULL where it lets everything through. Raises LO104 bad filter.';

REVOKE ALL ON FUNCTION lore._filter(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._filter(jsonb) TO lore_reader;
