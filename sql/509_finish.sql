-- 509_finish.sql: what is done to the rows of a search at its end: diversity, neighbours. Needs 400_catalog, 483_search_options.

CREATE FUNCTION lore._diverse(
    scores    double precision[],
    vectors   vector[],                     -- of the same chunks
    k         integer,
    diversity double precision
) RETURNS integer[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    best   integer;
    chosen integer[] := '{}';
    likest double precision[] := array_fill(0::double precision, ARRAY[coalesce(cardinality(scores), 0)]);
    gains  double precision[];
BEGIN
    -- Maximal marginal relevance (Carbonell and Goldstein 1998): scores are scaled to 0..1 over the candidates, likeness is the cosine.
    SELECT array_agg(coalesce((s.score - s.low) / nullif(s.high - s.low, 0), CASE WHEN s.score IS NOT NULL THEN 1 END) ORDER BY s.n) INTO gains
    FROM (SELECT u.score, u.n, min(u.score) OVER () AS low, max(u.score) OVER () AS high FROM unnest(scores) WITH ORDINALITY AS u(score, n)) AS s;
    LOOP
        SELECT u.n INTO best FROM unnest(gains, likest) WITH ORDINALITY AS u(gain, like_, n)
        WHERE u.gain IS NOT NULL ORDER BY (1 - diversity) * u.gain - diversity * u.like_ DESC, u.n LIMIT 1;
        EXIT WHEN best IS NULL;
        chosen := chosen || best;
        EXIT WHEN cardinality(chosen) >= k;
        -- Those chosen have no gain any more; the others know the likest of the chosen.
        EXECUTE format('SELECT array_agg(CASE WHEN u.n <> $5 THEN u.gain END ORDER BY u.n), array_agg(greatest(u.like_, 1 - (u.vector OPERATOR(%s.<=>) $4)) ORDER BY u.n)
            FROM unnest($1, $2, $3) WITH ORDINALITY AS u(gain, like_, vector, n)', lore._schema_of('vector')) INTO gains, likest USING gains, likest, vectors, vectors[best], best;
    END LOOP;
    RETURN chosen;
END
$$;

COMMENT ON FUNCTION lore._diverse(double precision[], vector[], integer, double precision) IS
    'Places of k of some chunks, best first by maximal marginal relevance; never of one whose score is NULL.';

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
DECLARE
    c       lore._collection := lore._open($1);
    ids     bigint[];
    gains   double precision[];             -- of a chunk that comes again, or is NULL, NULL
    vectors lore._vectors.vectors%TYPE;
BEGIN
    IF $4 < 1 THEN
        PERFORM lore._raise('LO103', format('k is %s', $4), 'k is 1 or more.');
    ELSIF $5 IS NULL OR $5 NOT BETWEEN 0 AND 1 THEN
        PERFORM lore._raise('LO103', format('diversity is %s', coalesce($5::text, 'NULL')), 'diversity is 0 to 1.');
    END IF;
    EXECUTE format('SELECT array_agg(u.id ORDER BY u.n), array_agg(CASE WHEN u.again = 1 AND u.id IS NOT NULL THEN u.score END ORDER BY u.n), array_agg(c.embedding ORDER BY u.n)
        FROM (SELECT a.*, row_number() OVER (PARTITION BY a.id ORDER BY a.n) AS again FROM unnest($1, $2) WITH ORDINALITY AS a(id, score, n)) AS u LEFT JOIN %s AS c USING (id)', c.chunks)
        INTO ids, gains, vectors USING $2, $3;
    RETURN QUERY SELECT ids[d.n], d.place::integer FROM unnest(lore._diverse(gains, vectors, $4, $5)) WITH ORDINALITY AS d(n, place);
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

REVOKE ALL ON FUNCTION lore._diverse(double precision[], vector[], integer, double precision), lore.diverse(text, bigint[], double precision[], integer, double precision),
    lore._finished(lore._collection, text, lore._search_options) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._diverse(double precision[], vector[], integer, double precision), lore.diverse(text, bigint[], double precision[], integer, double precision),
    lore._finished(lore._collection, text, lore._search_options) TO lore_reader;
