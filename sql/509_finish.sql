-- 509_finish.sql: what is done to the rows of a search at its end: diversity, neighbours. Needs 400_catalog, 483_search_options.

CREATE FUNCTION lore.diverse(
    collection text,
    chunk_ids  bigint[],
    scores     double precision[],          -- of the same chunks
    k          integer DEFAULT 10,
    diversity  double precision DEFAULT 0.3 -- 0: by score alone; 1: by unlikeness to those chosen before alone
) RETURNS TABLE (chunk_id bigint, place integer)
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c      lore._collection := lore._open($1);
    chosen bigint;
    likest double precision[] := array_fill(0::double precision, ARRAY[coalesce(cardinality($2), 0)]);
    gains  double precision[];
BEGIN
    IF $4 < 1 THEN
        PERFORM lore._raise('LO103', format('k is %s', $4), 'k is 1 or more.');
    ELSIF $5 IS NULL OR $5 NOT BETWEEN 0 AND 1 THEN
        PERFORM lore._raise('LO103', format('diversity is %s', coalesce($5::text, 'NULL')), 'diversity is 0 to 1.');
    END IF;
    -- Maximal marginal relevance (Carbonell and Goldstein 1998): scores are scaled to 0..1 over the candidates, likeness is the cosine.
    SELECT array_agg(coalesce((s.score - s.low) / nullif(s.high - s.low, 0), 1) ORDER BY s.n) INTO gains
    FROM (SELECT u.score, u.n, min(u.score) OVER () AS low, max(u.score) OVER () AS high FROM unnest($3) WITH ORDINALITY AS u(score, n)) AS s;
    FOR n IN 1 .. least($4, coalesce(cardinality($2), 0)) LOOP
        SELECT u.id INTO chosen FROM unnest($2, gains, likest) WITH ORDINALITY AS u(id, gain, like_, n)
        WHERE u.gain IS NOT NULL ORDER BY (1 - $5) * u.gain - $5 * u.like_ DESC, u.n LIMIT 1;
        EXIT WHEN chosen IS NULL;
        chunk_id := chosen;
        place := n;
        RETURN NEXT;
        -- Those chosen have no gain any more; the others know the likest of the chosen.
        EXECUTE format('SELECT array_agg(CASE WHEN u.id <> $4 THEN u.gain END ORDER BY u.n), array_agg(greatest(u.like_, 1 - (c.embedding OPERATOR(%1$s.<=>) o.embedding)) ORDER BY u.n)
            FROM unnest($1, $2, $3) WITH ORDINALITY AS u(id, gain, like_, n) LEFT JOIN %2$s AS c USING (id) LEFT JOIN (SELECT embedding FROM %2$s WHERE id = $4) AS o ON true',
            c.vector_schema, c.chunks) INTO gains, likest USING $2, gains, likest, chosen;
    END LOOP;
END
$$;

COMMENT ON FUNCTION lore.diverse(text, bigint[], double precision[], integer, double precision) IS
    'k of some chunks, best first by maximal marginal relevance: each has a good score and is unlike those before it. Raises LO103 bad argument, LO203 unknown collection.';

CREATE FUNCTION lore._finished(
    collection lore._collection,
    statement  text,                        -- of a search
    wanted     lore._search_options
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c       lore._collection := collection;
    columns constant text := 'h.score, h.vector_score, h.keyword_score, h.fusion_score, h.rerank_score';
BEGIN
    IF wanted.diversity > 0 THEN
        statement := format($sql$WITH likely AS MATERIALIZED (
%1$s
)
SELECT v.place AS rank, h.key, h.chunk_id, h.ordinal, h.heading, h.content, h.span, h.metadata, %2$s
FROM (SELECT array_agg(chunk_id ORDER BY rank) AS ids, array_agg(score ORDER BY rank) AS scores FROM likely) AS l,
     lore.diverse(%3$L, l.ids, l.scores, %4$s, %5$s) AS v
JOIN likely AS h USING (chunk_id)
ORDER BY v.place$sql$, statement, columns, c.name, wanted.k, wanted.diversity);
    END IF;
    IF wanted.neighbours > 0 THEN
        statement := format($sql$WITH found AS MATERIALIZED (
%1$s
)
SELECT h.rank, h.key, h.chunk_id, h.ordinal, h.heading, substr(d.content, lower(w.span) + 1, upper(w.span) - lower(w.span)) AS content, w.span, h.metadata, %2$s
FROM found AS h
JOIN %3$s AS d USING (key)
CROSS JOIN LATERAL (
    SELECT int4range(min(lower(n.span)), max(upper(n.span))) AS span
    FROM %4$s AS n WHERE n.document_id = d.id AND n.ordinal BETWEEN h.ordinal - %5$s AND h.ordinal + %5$s
) AS w
ORDER BY h.rank$sql$, statement, columns, c.documents, c.chunks, wanted.neighbours);
    END IF;
    RETURN statement;
END
$$;

COMMENT ON FUNCTION lore._finished(lore._collection, text, lore._search_options) IS
    'The statement of a search with diversity, and with the text that stands before and behind each chunk.';

REVOKE ALL ON FUNCTION lore.diverse(text, bigint[], double precision[], integer, double precision),
    lore._finished(lore._collection, text, lore._search_options) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.diverse(text, bigint[], double precision[], integer, double precision),
    lore._finished(lore._collection, text, lore._search_options) TO lore_reader;
