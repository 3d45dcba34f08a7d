-- 513_candidates.sql: the chunks that the arms of a search offer, with their words. Needs 470_index_kinds.

CREATE FUNCTION lore._worded_text(
    collection lore._collection
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- A BM25 index is made on this very text.
    SELECT CASE WHEN (collection).keyword = 'bm25' THEN 'c.search'
        ELSE format('concat_ws(E''\n'', (SELECT d.metadata ->> ''title'' FROM %s AS d WHERE d.id = c.document_id), c.heading, c.content)', (collection).documents) END
$$;

COMMENT ON FUNCTION lore._worded_text(lore._collection) IS 'SQL expression of all words of a chunk c, those of its title and heading among them.';

CREATE FUNCTION lore._candidates(
    collection lore._collection,
    mode       text,
    match      text,
    words      text                         -- SQL expression of all words of a chunk c
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c        lore._collection := collection;
    distance text := CASE WHEN mode = 'keyword' THEN 'NULL::double precision'
                     ELSE format('c.embedding OPERATOR(%s.%s) (SELECT embedding FROM query)', c.vector_schema, lore._operator(c.metric)) END;
    near     constant text := 'SELECT id, document_id, ordinal, text, distance FROM vector_arm';  -- where the arm carries them
    read     text := format('SELECT c.id, c.document_id, c.ordinal, %s AS text, %s AS distance FROM %%s AS a JOIN %s AS c USING (id)', words, distance, c.chunks);
BEGIN
    IF mode = 'keyword' OR mode = 'hybrid' AND match IN ('all', 'phrase', 'prefix') THEN
        RETURN format(read, 'keyword_arm');
    ELSIF c.searched = 'exact' THEN
        RETURN format(read, CASE mode WHEN 'vector' THEN 'vector_arm' ELSE '(SELECT id FROM vector_arm UNION SELECT id FROM keyword_arm)' END);
    ELSIF mode = 'vector' THEN
        RETURN near;
    END IF;
    RETURN format(E'%s\n              UNION ALL ' || read, near, '(SELECT id FROM keyword_arm EXCEPT SELECT id FROM vector_arm)');
END
$$;

COMMENT ON FUNCTION lore._candidates(lore._collection, text, text, text) IS
    'The union of the arms as a subquery: id, document, ordinal, words and distance of each chunk.';

CREATE FUNCTION lore._most_rows(
    collection lore._collection,
    path       jsonpath,                    -- of the filter; NULL is none
    wanted     lore._search_options
) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    documents bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT FROM %s AS d%s LIMIT $2) AS few', (collection).documents, CASE WHEN path IS NOT NULL THEN ' WHERE d.metadata @@ $1' ELSE '' END)
        INTO documents USING path, wanted.k;
    RETURN least(wanted.k, documents * wanted.per_document);
END
$$;

COMMENT ON FUNCTION lore._most_rows(lore._collection, jsonpath, lore._search_options) IS
    'Rows that a search can have at most: fewer than k where fewer documents are there, or pass the filter.';

REVOKE ALL ON FUNCTION lore._most_rows(lore._collection, jsonpath, lore._search_options), lore._worded_text(lore._collection), lore._candidates(lore._collection, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._most_rows(lore._collection, jsonpath, lore._search_options), lore._worded_text(lore._collection), lore._candidates(lore._collection, text, text, text) TO lore_reader;
