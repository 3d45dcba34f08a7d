-- 520_search.sql: search. Needs 410_keyword_index, 483_search_options, 485_search_plan, 408_planned.

CREATE TYPE lore._hit AS (
    rank integer, key text, chunk_id bigint, ordinal integer, heading text, content text, span int4range, metadata jsonb,
    score double precision, vector_score double precision, keyword_score double precision, fusion_score double precision, rerank_score double precision
);

COMMENT ON TYPE lore._hit IS 'A row of lore.search.';

CREATE FUNCTION lore._search(
    collection lore._collection,
    query      text,
    embedding  vector,                      -- of the query; NULL: it is made
    wanted     lore._search_options
) RETURNS lore._hit[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
-- What the statement sets for its index is undone when the function returns.
SET hnsw.ef_search = 40
SET hnsw.iterative_scan = off
SET ivfflat.probes = 1
SET ivfflat.iterative_scan = off
SET diskann.query_search_list_size = 100
SET diskann.query_rescore = 50
SET vchordrq.probes = ''
SET jit = off
AS $$
DECLARE
    path   jsonpath := lore._filter(wanted.filter);
    passed jsonb := wanted.filter;
    c      lore._collection := collection;
    at     text := embedding;
    wide   integer := lore._wide(collection, wanted);
    worded integer;                         -- as wide, for the keyword arm
    share  double precision;                -- of the documents, that pass the filter
    words  text[];                          -- of the query
    weights double precision[];             -- of its words
    ids    bigint[];                        -- of the keyword arm
    scores double precision[];
    chunks bigint;
    name   text;
    found  lore._found;
    hits   lore._hit[];
BEGIN
    PERFORM lore._require_search(query, wanted);
    IF embedding IS NOT NULL THEN
        PERFORM lore._require_vector(c, embedding);
    END IF;
    IF wanted.expand IS NOT NULL OR wanted.wordings IS NOT NULL THEN
        RETURN lore._search_expanded(c, query, embedding, wanted);
    END IF;
    IF wanted.mode <> 'vector' THEN
        PERFORM lore._ready_keyword_index(c);  -- first: an index in use cannot be built
    END IF;
    IF wanted.mode = 'hybrid' THEN
        SELECT q.words, q.weights INTO words, weights FROM lore._query_words(c, query) AS q;
    END IF;
    IF wanted.mode <> 'keyword' AND at IS NULL THEN
        at := lore.embed(query, c.model, 'query');
    END IF;
    IF path IS NOT NULL THEN
        c := lore._planned(c, passed, path, wide);
    END IF;
    share := c.share;
    worded := lore._keyword_wide(c, wanted, wide);
    wanted.filter := NULL;  -- a parameter: other filters have the same plan
    LOOP
        IF wanted.mode <> 'vector' THEN
            c.share := share;
            SELECT array_agg(s.chunk_id), array_agg(s.score) INTO ids, scores FROM lore._keyword_scores(c, query, passed, path, worded, wanted.match) AS s;
        END IF;
        c.share := NULL;  -- nor does it depend on this
        name := concat_ws(' ', c, wanted, wide, path IS NULL);
        found := lore._run_planned(name, NULL, query, passed, at, path, ids::text, scores::text, words, weights);
        IF num_nulls(found.error, found.hits) = 2 THEN  -- its first time in this session
            IF path IS NULL AND wanted.mode <> 'keyword' THEN
                c := lore._planned(c, NULL, NULL, wide);
            END IF;
            found := lore._run_planned(name, format('SELECT coalesce(array_agg(ROW(s.*)::lore._hit ORDER BY s.rank), ''{}'')::text AS hits FROM (%s) AS s',
                lore._search_statement(c, '$1', format('$3::%s.vector', c.vector_schema), CASE WHEN path IS NOT NULL THEN '$2' END, '$4',
                    'unnest($5::bigint[], $6::double precision[])', 'lore._wording($7, $8, l.texts)', wanted, wide)),
                query, passed, at, path, ids::text, scores::text, words, weights);
        END IF;
        PERFORM lore._check(found.error);
        hits := found.hits;
        EXIT WHEN cardinality(hits) >= wanted.k OR cardinality(hits) >= lore._most_rows(c, path, wanted);
        IF c.searched <> 'exact' AND wanted.mode <> 'keyword' AND wanted.match IN ('any', 'fuzzy') THEN  -- an index can stop before k chunks have passed the filter
            c.searched := 'exact';
            wide := greatest(wide, 100);
            worded := wide;
            CONTINUE;
        END IF;
        -- Where a few documents hold most candidates, per_document leaves too little, and row-level security of what the words found: look wider.
        EXIT WHEN (c.guarded AND cardinality(ids) >= worded) IS NOT TRUE AND NOT EXISTS (SELECT FROM unnest(hits) AS h GROUP BY h.key HAVING count(*) >= wanted.per_document);
        IF chunks IS NULL THEN
            chunks := lore._chunk_count(c);
        END IF;
        EXIT WHEN wide >= chunks;
        wide := least(wide::bigint * 100, chunks);
        worded := wide;
    END LOOP;
    RETURN hits;
END
$$;

COMMENT ON FUNCTION lore._search(lore._collection, text, vector, lore._search_options) IS
    'The rows of a search; the query''s vector is made where it is NULL.';

CREATE FUNCTION lore.search(
    collection   text,
    query        text,
    k            integer DEFAULT 10,        -- rows, 1 to 1000
    mode         text DEFAULT 'hybrid',     -- or 'vector', 'keyword'
    filter       jsonb DEFAULT NULL,        -- on the metadata: {"year": {"$gte": 2020}}
    rerank       text DEFAULT NULL,         -- alias of a reranker, or 'default'
    candidates   integer DEFAULT NULL,      -- chunks that each arm offers to the fusion; NULL is 100, beside a filter 50, and what k takes where only vectors count
    per_document integer DEFAULT 1,         -- most rows of one document; NULL is no limit
    vector       vector DEFAULT NULL,       -- of the query, where the caller has it; without a query text only vectors count
    fusion       text DEFAULT 'score',      -- or 'rrf': reciprocal ranks of the two arms
    diversity    double precision DEFAULT NULL,  -- 0 to 1: how much a chunk loses for its likeness to those before it
    neighbours   integer DEFAULT 0,         -- chunks before and behind each whose text is given with it
    weights      jsonb DEFAULT NULL,        -- of the stages: {"vector": 1, "keyword": 0.5, "wording": 0.5, "rerank": 1}
    expand       text DEFAULT NULL,         -- by a language model: 'queries', other wordings, or 'hypothetical', a passage that would answer
    generator    text DEFAULT NULL,         -- alias of that model; NULL is the default generator
    match        text DEFAULT 'any'         -- of the query's words; or what every row must have of them: 'all', 'phrase', 'prefix'; or 'fuzzy'
) RETURNS TABLE (
    rank integer, key text, chunk_id bigint, ordinal integer, heading text, content text, span int4range, metadata jsonb,
    score double precision, vector_score double precision, keyword_score double precision, fusion_score double precision, rerank_score double precision
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF $2 IS NOT NULL OR $9 IS NOT NULL THEN
        RETURN QUERY SELECT h.* FROM unnest(lore._search(lore._open_to_read($1), $2, $9,
            ROW($3, CASE WHEN $2 IS NULL THEN 'vector' ELSE $4 END, $5, $6, $7, $8, $10, $11, $12, $13, $14, $15, $16, NULL)::lore._search_options)) AS h;
    END IF;
END
$$;

COMMENT ON FUNCTION lore.search(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer, jsonb, text, text, text) IS
    'The k best chunks of a collection for a query, best first, with every stage''s score; NULL query without a vector gives no rows. Raises LO101 empty query, LO102 query too long, LO103 bad argument, LO104 bad filter, LO201 unknown model, LO206 expand without a language model, LO203 unknown collection, LO205 vector of another size.';

REVOKE ALL ON TYPE lore._hit FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._search(lore._collection, text, vector, lore._search_options),
    lore.search(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer, jsonb, text, text, text) FROM PUBLIC;
GRANT USAGE ON TYPE lore._hit TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._search(lore._collection, text, vector, lore._search_options),
    lore.search(text, text, integer, text, jsonb, text, integer, integer, vector, text, double precision, integer, jsonb, text, text, text) TO lore_reader;
