-- 408_planned.sql: a search's statements, planned once in a session. Needs 200_host. Planning them anew takes longer than running them.

CREATE TYPE lore._found AS (error jsonb, hits text);

COMMENT ON TYPE lore._found IS 'What came of a search: an error, or the text of an array of lore._hit; neither where its statement has no plan yet.';

CREATE FUNCTION lore._run_planned(
    name      text,                         -- of the plan: all that the statement was made from
    statement text,                         -- NULL: only if it has a plan
    query     text,                         -- $1
    filter    jsonb,                        -- $2
    embedding text,                         -- $3, a vector
    path      jsonpath,                     -- $4
    chunks    text,                         -- $5, those of the keyword arm, an array
    scores    text,                         -- $6, of the same chunks
    words     text[],                       -- $7, those of the query
    weights   double precision[]            -- $8, of the same words
) RETURNS lore._found
LANGUAGE plpython3u VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $python$
    if 'lore @VERSION@' not in GD: plpy.execute('SELECT lore._load()')
    return GD['lore @VERSION@'].run_planned(plpy, name, statement, [query, filter, embedding, path, chunks, scores, words, weights])
$python$;

COMMENT ON FUNCTION lore._run_planned(text, text, text, jsonb, text, jsonpath, text, text, text[], double precision[]) IS
    'Runs the statement of a search with the caller''s rights, errors as data. The session keeps its plan under the name.';

REVOKE ALL ON TYPE lore._found FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._run_planned(text, text, text, jsonb, text, jsonpath, text, text, text[], double precision[]) FROM PUBLIC;
GRANT USAGE ON TYPE lore._found TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._run_planned(text, text, text, jsonb, text, jsonpath, text, text, text[], double precision[]) TO lore_reader;
