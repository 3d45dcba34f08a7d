-- 504_match_scores.sql: the chunks that match a query in all its words, in a row, or by a beginning, with their BM25 scores.
-- Needs 501_tsvector, 502_match, 503_bm25_match.

CREATE FUNCTION lore._untagged(
    query text
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    cut text := query;
    tag text;
BEGIN
    FOR tag IN SELECT DISTINCT t.token FROM ts_parse('default', query) AS t WHERE t.tokid = 13 LOOP
        cut := replace(cut, tag, ' ');
    END LOOP;
    RETURN CASE WHEN cut ~ '[[:alnum:]]' THEN cut ELSE query END;
END
$$;

COMMENT ON FUNCTION lore._untagged(text) IS
    'A query without its tags, whose words no index knows: "List<String> names" as "List names". Of tags alone the words stay.';

CREATE FUNCTION lore._completed(
    collection lore._collection,
    query      text,
    match      lore._match,
    ids        bigint[]                     -- chunks to look into; NULL is those that match
) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c     lore._collection := collection;
    words text;
BEGIN
    IF (match).pattern IS NULL THEN
        RETURN $2;
    END IF;
    EXECUTE format('SELECT string_agg(w.word, '' '' ORDER BY w.chunks DESC, w.word) FROM (
        SELECT lower(f.word[1]) AS word, count(DISTINCT t.id) AS chunks
        FROM (SELECT n.id, concat_ws(E''\n'', n.heading, n.content) AS content FROM %s AS n WHERE %s LIMIT 300) AS t, regexp_matches(t.content, $2, ''gi'') AS f(word)
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20) AS w', c.chunks, CASE WHEN ids IS NULL THEN lore._match_condition(c, match) ELSE 'n.id = ANY ($1)' END)
        INTO words USING ids, format('(%s\w*)', (match).pattern);
    RETURN concat_ws(' ', nullif(array_to_string((match).words, ' '), ''), coalesce(words, (match).beginning));
END
$$;

COMMENT ON FUNCTION lore._completed(lore._collection, text, lore._match, bigint[]) IS
    'The query that chunks are ranked by: for a beginning the words that begin so, the commonest in 300 of the chunks.';

CREATE FUNCTION lore._match_scores(
    collection lore._collection,
    query      text,
    path       jsonpath,
    among      bigint[],                    -- the documents that pass it; NULL: it is tried on each chunk that matches
    k          integer,
    match      text                         -- all, phrase or prefix
) RETURNS TABLE (chunk_id bigint, score double precision)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off
AS $$
DECLARE
    c      lore._collection := collection;
    m      lore._match := lore._matched(c, lore._untagged(query), match);
    found  record;
    ranked text;
BEGIN
    IF m.stems IS NULL THEN
        RETURN;
    ELSIF c.keyword = 'tsvector' THEN
        RETURN QUERY SELECT s.chunk_id, greatest(s.score, 1e-6) FROM lore._tsvector_scores(c, lore._completed(c, query, m, NULL), path, k, lore._match_condition(c, m), among) AS s;
        RETURN;
    END IF;
    PERFORM lore._ready_keyword_index(c);
    PERFORM set_config('search_path', format('pg_catalog, %s, pg_temp', c.keyword_schema), true);
    found := lore._bm25_matching(c, m, among);
    ranked := lore._completed(c, query, m, found.ids);
    -- Few are scored one by one, in 0.1 ms each; else the index gives chunks, the best first, until k have matched. Those that have
    -- none of the words of the ranking, which a beginning may leave, come last.
    RETURN QUERY EXECUTE format(CASE
        WHEN cardinality(found.ids) <= 100 THEN 'SELECT n.id, greatest(-(n.search OPERATOR(%1$s.<@>) %1$s.to_bm25query($1, %2$L)), 1e-6) AS score
            FROM %3$s AS n WHERE n.id = ANY ($2)%4$s ORDER BY score DESC, n.id LIMIT $3'
        ELSE 'WITH scanned AS MATERIALIZED (SELECT s.* FROM (SELECT n.id, -%1$s.bm25_get_current_score() AS score FROM %3$s AS n
                WHERE (n.id IN (SELECT unnest($2))) IS TRUE%4$s ORDER BY n.search OPERATOR(%1$s.<@>) %1$s.to_bm25query($1, %2$L) LIMIT %5$s) AS s)
            SELECT * FROM scanned' || CASE WHEN m.pattern IS NOT NULL THEN
            ' UNION ALL (SELECT n.id, 1e-6::double precision FROM %3$s AS n
                WHERE n.id = ANY ($2) AND n.id NOT IN (SELECT id FROM scanned)%4$s LIMIT $3 - (SELECT count(*) FROM scanned))' ELSE '' END END,
        c.keyword_schema, c.keyword_index, c.chunks, coalesce(' AND ' || found.condition, '')
            || CASE WHEN among IS NULL AND path IS NOT NULL THEN format(' AND (SELECT d.metadata @@ $4 FROM %s AS d WHERE d.id = n.document_id)', c.documents) ELSE '' END, k)
        USING ranked, found.ids, k, path;
END
$$;

COMMENT ON FUNCTION lore._match_scores(lore._collection, text, jsonpath, bigint[], integer, text) IS
    'The chunks that match a query in all its words, in a row, or by a beginning of the last, best first.';

REVOKE ALL ON FUNCTION lore._untagged(text), lore._completed(lore._collection, text, lore._match, bigint[]), lore._match_scores(lore._collection, text, jsonpath, bigint[], integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._untagged(text), lore._completed(lore._collection, text, lore._match, bigint[]), lore._match_scores(lore._collection, text, jsonpath, bigint[], integer, text) TO lore_reader;
