-- 503_bm25_match.sql: which chunks match a query in all its words, in a row, or by a beginning, by a BM25 index.
-- Such an index knows neither "and" nor order, but gives all chunks of a word in about 2 us each: the sets of the words are
-- intersected, from the rarest on, and what is left is read where the words alone do not decide. Needs 410_keyword_index,
-- 412_vocabulary, 502_match.

CREATE FUNCTION lore._bm25_having(
    collection lore._collection,
    words      text,
    among      bigint[],                    -- chunks; NULL is all
    documents  bigint[]                     -- of the chunks; NULL is all
) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off
AS $$
DECLARE
    c     lore._collection := collection;
    found bigint[];
    most  bigint := greatest(100000, 2 * lore._estimated_rows(c.chunks));  -- with a limit the index is quicker
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %s, pg_temp', c.keyword_schema), true);
    LOOP
        EXECUTE format('SELECT coalesce(array_agg(n.id), ''{}'') FROM (SELECT n.id FROM %2$s AS n WHERE %3$s
            ORDER BY n.search OPERATOR(%1$s.<@>) %1$s.to_bm25query($1, %4$L) LIMIT %5$s) AS n', c.keyword_schema, c.chunks,
            concat_ws(' AND ', 'true', CASE WHEN among IS NOT NULL THEN '(n.id IN (SELECT unnest($2))) IS TRUE' END,
                CASE WHEN documents IS NOT NULL THEN '(n.document_id = ANY ($3)) IS TRUE' END),
            c.keyword_index, most) INTO found USING words, among, documents;
        EXIT WHEN cardinality(found) < most;
        most := 10 * most;
    END LOOP;
    RETURN found;
END
$$;

COMMENT ON FUNCTION lore._bm25_having(lore._collection, text, bigint[], bigint[]) IS 'All chunks that have any of some words, by a BM25 index.';

CREATE FUNCTION lore._bm25_matching(
    collection lore._collection,
    match      lore._match,
    documents  bigint[],                    -- of the chunks; NULL is all
    OUT ids       bigint[],
    OUT condition text                      -- which of them match; NULL is all
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c    lore._collection := collection;
    word text;
    sure boolean := (match).stems::text !~ '<(-|\d+)>';
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %s, pg_temp', c.keyword_schema), true);
    FOR word IN EXECUTE format('SELECT w FROM unnest($1) AS w ORDER BY w OPERATOR(%1$s.<@>) %1$s.to_bm25query(w, %2$L), w', c.keyword_schema, c.keyword_index) USING (match).words LOOP
        IF cardinality(ids) <= 50 THEN  -- reading these costs less
            sure := false;
            EXIT;
        END IF;
        ids := lore._bm25_having(c, word, ids, CASE WHEN ids IS NULL THEN documents END);
        sure := sure AND length(to_tsvector(c.language::regconfig, word)) = 1;
    END LOOP;
    IF (match).pattern IS NOT NULL AND ids IS NULL THEN
        ids := lore._begun(c, match, documents);
    ELSIF (match).pattern IS NOT NULL OR NOT sure THEN
        condition := lore._match_condition(c, match, sure);
    END IF;
END
$$;

COMMENT ON FUNCTION lore._bm25_matching(lore._collection, lore._match, bigint[]) IS 'The chunks that match, or may, by a BM25 index: no other does.';

CREATE FUNCTION lore._begun(
    collection lore._collection,
    match      lore._match,
    documents  bigint[]                     -- of the chunks; NULL is all
) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c      lore._collection := collection;
    -- Where the beginning has more than letters, its first parts are words of their own: "pg" of "pg_cl"; but "l" of "l'éco" is none.
    first  text := regexp_replace((match).beginning, '[[:alnum:]]+$', '');
    known  lore._vocabulary_words;
    likely text;
    reads  text := format('to_tsvector(%L::regconfig, n.search)', c.language);
    found  bigint[];
BEGIN
    -- It has no words without letters.
    SELECT string_agg(k.words, ' '), CASE WHEN bool_and(k.built_to IS NOT NULL AND b.beginning ~ '[[:alpha:]]') THEN min(k.built_to) END INTO known.words, known.built_to
    FROM (SELECT CASE WHEN numnode(plainto_tsquery(c.language::regconfig, first)) > 0 THEN (match).beginning
              ELSE coalesce(substring((match).beginning FROM '[[:alnum:]]+$'), (match).beginning) END UNION SELECT (match).token) AS b(beginning),
         lore._known_words(c, b.beginning) AS k;
    likely := concat_ws(' ', known.words, nullif(first, ''), (match).beginning);
    -- What the vocabulary does not know is read: does a word begin so, and is it more than a stop word?
    EXECUTE format('SELECT coalesce(array_agg(n.id), ''{}'') FROM %s AS n WHERE (n.search ~* $1%s) AND (%s)%s', c.chunks,
        CASE WHEN (match).whole IS NOT NULL THEN format(' OR n.id = ANY ($2) AND %s @@ $3', reads) ELSE '' END,
        CASE WHEN known.built_to IS NOT NULL THEN format('n.id = ANY ($4) OR n.id > $5 AND %s @@ $6', reads) ELSE reads || ' @@ $6' END,
        CASE WHEN documents IS NOT NULL THEN ' AND n.document_id = ANY ($7)' ELSE '' END)
        INTO found USING (match).pattern, CASE WHEN (match).whole IS NOT NULL THEN lore._bm25_having(c, (match).beginning, NULL, documents) END, (match).whole,
            CASE WHEN known.built_to IS NOT NULL THEN lore._bm25_having(c, likely, NULL, documents) END, known.built_to, (match).stems, documents;
    RETURN found;
END
$$;

COMMENT ON FUNCTION lore._begun(lore._collection, lore._match, bigint[]) IS
    'The chunks of a BM25 index that have a word which begins so, or that word itself. Without a vocabulary every text is read.';

REVOKE ALL ON FUNCTION lore._bm25_having(lore._collection, text, bigint[], bigint[]), lore._bm25_matching(lore._collection, lore._match, bigint[]),
    lore._begun(lore._collection, lore._match, bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._bm25_having(lore._collection, text, bigint[], bigint[]), lore._bm25_matching(lore._collection, lore._match, bigint[]),
    lore._begun(lore._collection, lore._match, bigint[]) TO lore_reader;
