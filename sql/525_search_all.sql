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
    weights      jsonb DEFAULT NULL,        -- as in lore.search
    expand       text DEFAULT NULL,         -- likewise
    generator    text DEFAULT NULL,         -- likewise
    match        text DEFAULT 'any'         -- likewise
) RETURNS TABLE (
    rank integer, collection text, key text, chunk_id bigint, ordinal integer, heading text, content text, span int4range, metadata jsonb,
    score double precision, vector_score double precision, keyword_score double precision, rerank_score double precision
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    opened lore._collection[] := ARRAY(SELECT lore._open_to_read(n.name) FROM (SELECT DISTINCT u.name FROM unnest($1) AS u(name)) AS n ORDER BY n.name);
    c      lore._collection;
    wanted lore._search_options := ROW($3, $4, $5, $6, $7, $8, 'score', NULL, 0, $9, $10, $11, $12, NULL);
    made   lore._expansion;
    names  text[] := '{}';
    hits   lore._hit[] := '{}';
    found  lore._hit[];
BEGIN
    IF $1 IS NULL OR $2 IS NULL THEN
        RETURN;
    END IF;
    PERFORM lore._require_search($2, wanted);
    IF $4 <> 'keyword' AND (SELECT count(DISTINCT (u.fingerprint, u.metric)) FROM unnest(opened) AS u) > 1 THEN
        PERFORM lore._raise('LO205', 'the collections were made with different models or metrics, whose scores cannot be compared',
            'Search them one by one, or with mode => ''keyword''.');
    END IF;
    wanted.k := greatest($3, 50);
    made := ROW(CASE WHEN $4 <> 'keyword' AND opened <> '{}' THEN lore.embed($2, (opened[1]).model, 'query') END, wanted);
    IF $10 IS NOT NULL AND opened <> '{}' THEN
        made := lore._expand(opened[1], $2, made.embedding, wanted);
    END IF;
    FOREACH c IN ARRAY opened LOOP
        found := lore._search(c, $2, made.embedding, made.wanted);
        names := names || array_fill(c.name, ARRAY[cardinality(found)]);
        hits := hits || found;
    END LOOP;
    -- A search's own score is relative to the candidates of its collection. Here each stage's score is normalised over all of them.
    RETURN QUERY EXECUTE format($sql$
        SELECT (row_number() OVER (ORDER BY s.total DESC, s.collection, s.key, s.ordinal))::integer,
               s.collection, s.key, s.chunk_id, s.ordinal, s.heading, s.content, s.span, s.metadata, s.total, s.vector_score, s.keyword_score, s.rerank_score
        FROM (SELECT h.*, n.collection, %s AS total
              FROM unnest($1) WITH ORDINALITY AS n(collection, place)
              JOIN unnest($2) WITH ORDINALITY AS h(rank, key, chunk_id, ordinal, heading, content, span, metadata, score, vector_score, keyword_score, fusion_score, rerank_score, place) USING (place)) AS s
        ORDER BY 1 LIMIT $3$sql$,
        -- As in lore.search, the arms have weights where both are searched: one alone would come to nothing with a weight of 0.
        concat_ws(' + ', CASE WHEN $4 <> 'keyword' THEN format('%s * %s', CASE $4 WHEN 'hybrid' THEN lore._weight('vector', $9) ELSE 1 END, lore._normalised('h.vector_score')) END,
            CASE WHEN $4 <> 'vector' THEN format('%s * %s', CASE $4 WHEN 'hybrid' THEN lore._weight('keyword', $9) + lore._weight('wording', $9) ELSE 1 END, lore._normalised('h.keyword_score')) END,
            CASE WHEN $6 IS NOT NULL THEN format('%s * %s', lore._weight('rerank', $9), lore._normalised('h.rerank_score')) END))
        USING names, hits, $3;
END
$$;

COMMENT ON FUNCTION lore.search_all(text[], text, integer, text, jsonb, text, integer, integer, jsonb, text, text, text) IS
    'The k best chunks of several collections of one model. score: the sum of the stages'' scores, each normalised over the best 50 or k of every collection; BM25 scores are by the word statistics of each collection. NULL gives no rows. Raises what lore.search raises, LO205 collections of different models.';

REVOKE ALL ON FUNCTION lore.search_all(text[], text, integer, text, jsonb, text, integer, integer, jsonb, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.search_all(text[], text, integer, text, jsonb, text, integer, integer, jsonb, text, text, text) TO lore_reader;
