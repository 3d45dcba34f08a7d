-- 562_golden.sql: golden sets, queries and judgements kept under a name. Needs 400_catalog.

CREATE FUNCTION lore._require_test(
    queries    jsonb,
    judgements jsonb
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong text;
BEGIN
    IF queries IS NULL OR jsonb_typeof(queries) <> 'object' OR queries = '{}' THEN
        PERFORM lore._raise('LO103', 'queries is not a JSON object of texts', 'queries is such as {"q1": "how to reclaim space"}: jsonb_object_agg(id, text) makes it of a table.');
    ELSIF judgements IS NULL OR jsonb_typeof(judgements) <> 'object' THEN
        PERFORM lore._raise('LO103', 'judgements is not a JSON object of objects', 'judgements is such as {"q1": {"vacuum": 1}}: grades of documents by key, above 0 where relevant.');
    END IF;
    SELECT q.key INTO wrong FROM jsonb_each(queries) AS q WHERE jsonb_typeof(q.value) <> 'string' LIMIT 1;
    IF FOUND THEN
        PERFORM lore._raise('LO103', format('query "%s" is not a text', left(wrong, 60)), 'queries is such as {"q1": "how to reclaim space"}.');
    END IF;
    SELECT q.key INTO wrong FROM jsonb_each_text(queries) AS q WHERE q.value !~ '\S' AND judgements -> q.key <> '{}' LIMIT 1;
    IF FOUND THEN
        PERFORM lore._raise('LO101', format('query "%s" is empty', left(wrong, 60)), 'Give it a text with at least one visible character, or leave it out.');
    END IF;
    SELECT q.key INTO wrong FROM jsonb_each_text(queries) AS q WHERE length(q.value) > 32000 AND judgements -> q.key <> '{}' LIMIT 1;
    IF FOUND THEN
        PERFORM lore._raise('LO102', format('query "%s" has more than 32,000 characters', left(wrong, 60)), 'Search with a question or a paragraph, not with a document.');
    END IF;
    SELECT q.key INTO wrong FROM jsonb_object_keys(queries) AS q(key) WHERE octet_length(q.key) > 2000 LIMIT 1;  -- it stands in an index
    IF FOUND THEN
        PERFORM lore._raise('LO103', format('the identifier "%s..." of a query is longer than 2,000 bytes', left(wrong, 60)), 'Give it a shorter one.');
    END IF;
    SELECT j.key INTO wrong FROM jsonb_each(judgements) AS j WHERE NOT queries ? j.key LIMIT 1;
    IF FOUND THEN
        PERFORM lore._raise('LO103', format('there are judgements of "%s", which is no query', left(wrong, 60)), 'Use the same identifiers in queries and judgements.');
    END IF;
    SELECT j.key INTO wrong FROM jsonb_each(judgements) AS j,
        LATERAL jsonb_each(CASE jsonb_typeof(j.value) WHEN 'object' THEN nullif(j.value, '{}') ELSE '{"": ""}' END) AS g
    WHERE NOT CASE jsonb_typeof(g.value) WHEN 'number' THEN g.value = '0' OR abs(g.value::numeric) BETWEEN 0.000001 AND 1000000 ELSE false END LIMIT 1;
    IF FOUND THEN
        PERFORM lore._raise('LO103', format('the judgements of query "%s" are not grades by key', left(wrong, 60)), 'judgements is such as {"q1": {"vacuum": 1}}: numbers, above 0 and up to a million where relevant.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_test(jsonb, jsonb) IS 'Raises LO103 for queries and judgements that cannot be a test, LO101 for an empty query, LO102 for one that is too long.';

CREATE FUNCTION lore.add_golden(
    name       text,                        -- of the golden set, which is made where it is not there
    queries    jsonb,                       -- {"q1": "how to reclaim space"}; one that is there is replaced
    judgements jsonb                        -- {"q1": {"vacuum": 1}}: grades by document key, above 0 where relevant
) RETURNS integer
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    written integer;
BEGIN
    PERFORM lore._require_catalog();
    IF $1 IS NULL OR $1 !~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,47}$' THEN
        PERFORM lore._raise('LO103', format('"%s" cannot be the name of a golden set', coalesce(left($1, 60), 'NULL')),
            'A name has 1 to 48 letters of a-z and A-Z, digits, "_", "-" and ".", and starts with a letter, a digit or "_".');
    END IF;
    PERFORM lore._require_test($2, $3);
    INSERT INTO lore_data.golden (name, query_id, query, judgements)
    SELECT $1, q.key, q.value, coalesce($3 -> q.key, '{}') FROM jsonb_each_text($2) AS q
    ON CONFLICT ON CONSTRAINT golden_pkey DO UPDATE SET query = excluded.query, judgements = excluded.judgements, changed_at = now();
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END
$$;

COMMENT ON FUNCTION lore.add_golden(text, jsonb, jsonb) IS
    'Puts queries with their judgements into a golden set, for lore.evaluate(collection, golden => name); the number of queries written. It belongs to no collection. Raises LO101 empty query, LO102 query too long, LO103 bad argument, LO202 no catalog.';

CREATE FUNCTION lore.drop_golden(
    name      text,
    if_exists boolean DEFAULT false
) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lore._require_catalog();
    DELETE FROM lore_data.golden AS g WHERE g.name = $1;
    IF NOT FOUND AND NOT $2 THEN
        PERFORM lore._raise('LO103', format('there is no golden set "%s"', coalesce(left($1, 60), 'NULL')), 'SELECT DISTINCT name FROM lore.golden lists them; lore.add_golden makes one.');
    END IF;
    RETURN FOUND;
END
$$;

COMMENT ON FUNCTION lore.drop_golden(text, boolean) IS
    'Deletes a golden set; false if there was none and if_exists is true. Raises LO103 no such golden set, LO202 no catalog.';

CREATE FUNCTION lore._golden() RETURNS TABLE (name text, query_id text, query text, judgements jsonb, changed_at timestamptz)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lore._require_catalog();
    RETURN QUERY SELECT g.name, g.query_id, g.query, g.judgements, g.changed_at FROM lore_data.golden AS g ORDER BY g.name, g.query_id;
END
$$;

COMMENT ON FUNCTION lore._golden() IS 'The rows of lore.golden. Raises LO202 no catalog.';

CREATE VIEW lore.golden AS SELECT * FROM lore._golden();

COMMENT ON VIEW lore.golden IS 'The golden sets, one row a query. Raises LO202 before `pglore init`.';
COMMENT ON COLUMN lore.golden.name IS 'Name of the golden set.';
COMMENT ON COLUMN lore.golden.query_id IS 'What the query is called in it.';
COMMENT ON COLUMN lore.golden.query IS 'Text of the query.';
COMMENT ON COLUMN lore.golden.judgements IS 'Grades of documents by key, above 0 where relevant.';
COMMENT ON COLUMN lore.golden.changed_at IS 'When it was written last.';

REVOKE ALL ON lore.golden FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._require_test(jsonb, jsonb), lore.add_golden(text, jsonb, jsonb), lore.drop_golden(text, boolean), lore._golden() FROM PUBLIC;
GRANT SELECT ON lore.golden TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._require_test(jsonb, jsonb), lore._golden() TO lore_reader;
GRANT EXECUTE ON FUNCTION lore.add_golden(text, jsonb, jsonb), lore.drop_golden(text, boolean) TO lore_writer;
