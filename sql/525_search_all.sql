-- 525_search_all.sql: one search over several collections. Needs 405_defaults, 520_search.

CREATE FUNCTION lore.search_all(
    collections  text[],
    query        text,
    k            integer DEFAULT 10,        -- rows of all together, 1 to 1000
    mode         text DEFAULT 'hybrid',     -- or 'vector', 'keyword'
    filter       jsonb DEFAULT NULL,        -- on the metadata
    rerank       text DEFAULT NULL,         -- alias of a reranker, or 'default'
    candidates   integer DEFAULT NULL,      -- as in lore.search, for each collection
    per_document integer DEFAULT 1,
    vector       vector DEFAULT NULL,       -- as in lore.search, and so are those that follow
    fusion       text DEFAULT 'score',
    diversity    double precision DEFAULT NULL,
    neighbours   integer DEFAULT 0,
    weights      jsonb DEFAULT NULL,
    expand       text DEFAULT NULL,
    generator    text DEFAULT NULL,
    match        text DEFAULT 'any'
) RETURNS TABLE (
    rank integer, collection text, key text, chunk_id bigint, ordinal integer, heading text, content text, span int4range, metadata jsonb,
    score double precision, vector_score double precision, keyword_score double precision, rerank_score double precision
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    opened  lore._collection[] := ARRAY(SELECT lore._open_to_read(n.name) FROM (SELECT DISTINCT u.name FROM unnest($1) AS u(name)) AS n ORDER BY n.name);
    c       lore._collection;
    wanted  lore._search_options := ROW($3, CASE WHEN $2 IS NULL THEN 'vector' ELSE $4 END, $5, $6, $7, $8, $10, $11, $12, $13, $14, $15, $16, NULL);
    mode    constant text := wanted.mode;
    varied  constant boolean := coalesce($11 > 0, false);
    made    lore._expansion;
    names   text[] := '{}';
    hits    lore._hit[] := '{}';
    found   lore._hit[];
    vectors lore._vectors.vectors%TYPE := '{}';               -- of the hits, where they shall be varied
    near    lore._vectors.vectors%TYPE;
    fused   text;
BEGIN
    IF $1 IS NULL OR $2 IS NULL AND $9 IS NULL THEN
        RETURN;
    END IF;
    PERFORM lore._require_search($2, wanted);
    IF (mode <> 'keyword' OR varied) AND (SELECT count(DISTINCT (u.fingerprint, u.metric)) FROM unnest(opened) AS u) > 1 THEN
        PERFORM lore._raise('LO205', 'the collections were made with different models or metrics, whose scores cannot be compared',
            'Search them one by one, or with mode => ''keyword'' and no diversity.');
    END IF;
    wanted.k := greatest(50, lore._deep(wanted));
    wanted.diversity := NULL;  -- of the rows of all together
    made := ROW(CASE WHEN mode <> 'keyword' AND opened <> '{}' THEN coalesce($9, lore.embed($2, (opened[1]).model, 'query')) END, wanted);
    IF $14 IS NOT NULL AND opened <> '{}' THEN
        made := lore._expand(opened[1], $2, made.embedding, wanted);
    END IF;
    FOREACH c IN ARRAY opened LOOP
        found := lore._search(c, $2, made.embedding, made.wanted);
        names := names || array_fill(c.name, ARRAY[cardinality(found)]);
        hits := hits || found;
        IF varied THEN
            EXECUTE format('SELECT array_agg(c.embedding ORDER BY h.n) FROM unnest($1) WITH ORDINALITY AS h(id, n) LEFT JOIN %s AS c USING (id)', c.chunks)
                INTO near USING ARRAY(SELECT h.chunk_id FROM unnest(found) WITH ORDINALITY AS h(rank, key, chunk_id, ordinal, heading, content, span, metadata, score, vector_score, keyword_score, fusion_score, rerank_score, n) ORDER BY h.n);
            vectors := vectors || near;
        END IF;
    END LOOP;
    -- A search's own score is relative to the candidates of its collection. Here each stage's score is normalised over all of them.
    -- As in lore.search, the arms have weights where both are searched: one alone would come to nothing with a weight of 0.
    fused := CASE WHEN mode <> 'hybrid' THEN lore._normalised(format('h.%s_score', mode))
        WHEN $10 = 'rrf' THEN format('%s::double precision / (60 + rank() OVER (ORDER BY h.vector_score DESC))
            + CASE WHEN h.keyword_score > 0 THEN %s::double precision / (60 + rank() OVER (ORDER BY h.keyword_score DESC)) ELSE 0 END',
            lore._weight('vector', $13), lore._weight('keyword', $13) + lore._weight('wording', $13))
        ELSE format('%s * %s + %s * %s', lore._weight('vector', $13), lore._normalised('h.vector_score'),
            lore._weight('keyword', $13) + lore._weight('wording', $13), lore._normalised('h.keyword_score')) END;
    RETURN QUERY EXECUTE format($sql$
        WITH fused AS (
            SELECT h.*, n.collection, n.vector, %s AS fused
            FROM unnest($1, $3) WITH ORDINALITY AS n(collection, vector, place)
            JOIN unnest($2) WITH ORDINALITY AS h(rank, key, chunk_id, ordinal, heading, content, span, metadata, score, vector_score, keyword_score, fusion_score, rerank_score, place) USING (place)
        ), scored AS (
            SELECT f.*, %s AS total FROM fused AS f
        ), ranked AS (
            SELECT s.*, row_number() OVER (ORDER BY s.total DESC, s.collection, s.key, s.ordinal) AS n FROM scored AS s
        )
        SELECT c.rank::integer, r.collection, r.key, r.chunk_id, r.ordinal, r.heading, r.content, r.span, r.metadata, r.total, r.vector_score, r.keyword_score, r.rerank_score
        FROM %s WITH ORDINALITY AS c(n, rank) JOIN ranked AS r USING (n) ORDER BY 1$sql$,
        fused, CASE WHEN $6 IS NULL THEN 'f.fused' ELSE format('%s + %s * %s', CASE $10 WHEN 'rrf' THEN lore._normalised('f.fused') ELSE 'f.fused' END,
            lore._weight('rerank', $13), lore._normalised('f.rerank_score')) END,
        CASE WHEN varied THEN '(SELECT lore._diverse(array_agg(r.total ORDER BY r.n), array_agg(r.vector ORDER BY r.n), $4, $5) AS chosen FROM ranked AS r WHERE r.n <= $6) AS v, unnest(v.chosen)'
            ELSE 'generate_series(1, $4)' END)
        USING names, hits, vectors, $3, $11, wanted.k;
END
$$;

COMMENT ON FUNCTION lore.search_all(text[], text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer, jsonb, text, text, text) IS
    'The k best chunks of several collections of one model; arguments as of lore.search. score: the sum of the stages'' scores, each normalised over the best 50 or k of every collection, or of reciprocal ranks among them; BM25 scores are by the word statistics of each collection. NULL gives no rows. Raises what lore.search raises, LO205 collections of different models.';

REVOKE ALL ON FUNCTION lore.search_all(text[], text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer, jsonb, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.search_all(text[], text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer, jsonb, text, text, text) TO lore_reader;
