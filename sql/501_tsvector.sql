-- 501_tsvector.sql: chunks by the words of a query where the keyword index is a GIN index on a tsvector. Needs 400_catalog.

CREATE FUNCTION lore._word_shares(
    collection lore._collection,
    lexemes    text[]
) RETURNS double precision[]
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- What ANALYZE keeps: the thousand commonest words. The view shows it to those who may read the table, whole, alone.
    SELECT array_agg(s.share ORDER BY l.ordinal)
    FROM unnest(lexemes) WITH ORDINALITY AS l(lexeme, ordinal)
    LEFT JOIN (SELECT u.* FROM pg_stats AS p, unnest(p.most_common_elems::text::text[], p.most_common_elem_freqs) AS u(lexeme, share)
               WHERE p.schemaname = 'lore_data' AND p.tablename = (collection).name || '_chunks' AND p.attname = 'search') AS s USING (lexeme)
$$;

COMMENT ON FUNCTION lore._word_shares(lore._collection, text[]) IS
    'Share of the chunks that have each stem, as of the last ANALYZE; NULL for one that is not among the commonest.';

CREATE FUNCTION lore._tsvector_scores(
    collection lore._collection,
    query      text,
    path       jsonpath,
    k          integer,
    matching   text DEFAULT NULL,           -- SQL condition on a chunk n: only these, all of them; NULL is any word
    among      bigint[] DEFAULT NULL        -- the documents that pass the filter; NULL: it is tried on each chunk
) RETURNS TABLE (chunk_id bigint, score double precision)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c       lore._collection := collection;
    passing text := CASE WHEN among IS NOT NULL THEN ' AND n.document_id = ANY ($7)'
        WHEN path IS NOT NULL THEN format(' AND (SELECT d.metadata @@ $1 FROM %s AS d WHERE d.id = n.document_id)', c.documents) ELSE '' END;
    few     constant integer := 3000;       -- a word's chunks are counted, and chunks are ranked, up to here
    lexemes text[];
    shares  double precision[];
    total   double precision;
    words   tsquery[];
    weights double precision[];
    wanted  tsquery;
    whole   tsquery;                        -- any word
    ids     bigint[];
    scores  double precision[];
BEGIN
    SELECT array_agg(l.lexeme ORDER BY l.positions[1], l.lexeme) INTO lexemes
    FROM (SELECT u.lexeme, u.positions FROM unnest(to_tsvector(c.language::regconfig, query)) AS u ORDER BY u.positions[1], u.lexeme LIMIT 100) AS l;
    -- A common word is not counted where statistics know it: of many chunks, of which all are asked.
    total := lore._estimated_rows(c.chunks);
    IF total >= 10000 THEN
        shares := lore._word_shares(c, lexemes);
    ELSE
        EXECUTE format('SELECT count(*) FROM %s', c.chunks) INTO total;
    END IF;
    -- Words from the rarest on while together they bring in few chunks (few that pass, where it is known which documents do), but until
    -- there are k; those left out still count in the scores. So a natural question costs what its rare words cost, and no word has to
    -- match. Where even the rarest word stands in more than 12,000 chunks, these are ranked.
    EXECUTE format($sql$
        SELECT array_agg(w.query), array_agg(w.weight), string_agg(w.query::text, ' | ') FILTER (WHERE w.running <= $6 OR w.running - w.chunks < $2), string_agg(w.query::text, ' | ')
        FROM (SELECT l.query, f.chunks, ln(1 + greatest($5 - f.chunks + 0.5, 0) / (f.chunks + 0.5)) AS weight,
                     sum(f.chunks) OVER (ORDER BY f.chunks, l.query::text ROWS UNBOUNDED PRECEDING) AS running
              FROM (SELECT ('''' || replace(replace(u.lexeme, '\', '\\'), '''', '''''') || '''')::tsquery AS query, $5 * u.share AS known
                    FROM unnest($3, $4) AS u(lexeme, share)) AS l,
                   LATERAL (SELECT CASE WHEN l.known IS NOT NULL THEN l.known ELSE
                       (SELECT count(*) FROM (SELECT FROM %s AS n WHERE n.search @@ l.query LIMIT $1) AS m) END AS chunks) AS f
              WHERE f.chunks > 0) AS w$sql$, c.chunks) INTO words, weights, wanted, whole
        USING few, k / coalesce(c.share, 1), lexemes, shares, total, CASE WHEN among IS NULL THEN few ELSE few / coalesce(c.share, 1) END;
    -- ts_rank of one word found n times is sum(1 / i^2, i = 1..n) / (pi^2 / 6), which gives n back: n is close to
    -- 0.607927 / (1 - rank) - 0.607927. t / (t + K) is written 1 - K / (t + K).
    LOOP
        EXECUTE format($sql$
            SELECT array_agg(r.id), array_agg(r.score) FROM (
                SELECT m.id, 2.2 * (%s) AS score
                FROM (SELECT n.id, n.search, 1.2 * (0.25 + 0.75 * n.tokens / avg(n.tokens) OVER ())::float8 AS norm
                      FROM (SELECT n.id, n.search, n.tokens FROM %s AS n WHERE %s%s LIMIT $6) AS n) AS m
                ORDER BY score DESC, m.id LIMIT $2) AS r$sql$,
            (SELECT coalesce(string_agg(format('$4[%s] * (1 - norm / (norm - 0.607927 + 0.607927 / greatest(1 - ts_rank(''{1,1,1,1}'', m.search, $3[%1$s]), 0.0001)))', i), ' + '), '0::float8')
             FROM generate_subscripts(words, 1) AS i), c.chunks, coalesce(matching, 'n.search @@ $5'), passing)
            INTO ids, scores USING path, k, words, weights, wanted, greatest(4 * few, k), among;
        EXIT WHEN path IS NULL OR matching IS NOT NULL OR wanted IS NOT DISTINCT FROM whole OR cardinality(ids) >= k;
        wanted := whole;  -- fewer have passed than such a share of them should
    END LOOP;
    RETURN QUERY SELECT * FROM unnest(ids, scores);
END
$$;

COMMENT ON FUNCTION lore._tsvector_scores(lore._collection, text, jsonpath, integer, text, bigint[]) IS
    'The chunks that match a query best, by a GIN index on a tsvector: rarest words first, and any of them may match.';

REVOKE ALL ON FUNCTION lore._word_shares(lore._collection, text[]), lore._tsvector_scores(lore._collection, text, jsonpath, integer, text, bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._word_shares(lore._collection, text[]), lore._tsvector_scores(lore._collection, text, jsonpath, integer, text, bigint[]) TO lore_reader;
