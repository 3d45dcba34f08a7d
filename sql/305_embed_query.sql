-- 305_embed_query.sql: the vector of a search's query, while the search does other things. Needs 200_host. Touches no table.

CREATE TYPE lore._query_vector AS (error jsonb, embedding text, notice text);

COMMENT ON TYPE lore._query_vector IS 'What came of embedding a query: an error, or the text of a vector and perhaps a notice.';

CREATE FUNCTION lore._embed_query(
    query text,
    model text,
    ahead boolean                           -- true: ask for the vector and return at once; false: fetch it
) RETURNS lore._query_vector
LANGUAGE plpython3u VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $python$
    if 'lore @VERSION@' not in GD: plpy.execute('SELECT lore._load()')
    return GD['lore @VERSION@'].embed_query(plpy, query, model, ahead)
$python$;

COMMENT ON FUNCTION lore._embed_query(text, text, boolean) IS
    'Asks the model host for the vector of a query, then fetches it: the host works on it while the backend reads the keyword index.';

REVOKE ALL ON TYPE lore._query_vector FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._embed_query(text, text, boolean) FROM PUBLIC;
GRANT USAGE ON TYPE lore._query_vector TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._embed_query(text, text, boolean) TO lore_reader;
