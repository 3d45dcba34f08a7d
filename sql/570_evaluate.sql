-- 570_evaluate.sql: how well a collection is searched, by judged queries. Needs 562_golden, 568_rankings.

CREATE FUNCTION lore._missing(
    collection text,
    judgements jsonb
) RETURNS integer
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing integer;
BEGIN
    EXECUTE format('SELECT count(DISTINCT g.key) FROM jsonb_each($1) AS j, jsonb_each_text(j.value) AS g
        WHERE g.value::double precision > 0 AND NOT EXISTS (SELECT FROM %s AS d WHERE d.key = g.key)', (lore._open(collection)).documents)
        INTO missing USING judgements;
    RETURN missing;
END
$$;

COMMENT ON FUNCTION lore._missing(text, jsonb) IS 'Number of relevant documents that a collection does not hold.';

CREATE TYPE lore._evaluation AS (
    variant text, judged integer, ndcg double precision, recall double precision, mrr double precision,
    p50_ms double precision, p95_ms double precision, p99_ms double precision,
    ndcg_p double precision, recall_p double precision, mrr_p double precision, missing integer, evaluation bigint
);

COMMENT ON TYPE lore._evaluation IS 'A row of lore.evaluate.';

CREATE FUNCTION lore._summary(
    rankings lore._ranking[]
) RETURNS TABLE (variant integer, summary lore._evaluation)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.variant, ROW(NULL, count(*), avg(r.ndcg), avg(r.recall), avg(r.reciprocal_rank),
        percentile_cont(0.5) WITHIN GROUP (ORDER BY r.ms), percentile_cont(0.95) WITHIN GROUP (ORDER BY r.ms), percentile_cont(0.99) WITHIN GROUP (ORDER BY r.ms),
        lore._paired_p(array_agg(r.ndcg - f.ndcg) FILTER (WHERE r.variant > 1)), lore._paired_p(array_agg(r.recall - f.recall) FILTER (WHERE r.variant > 1)),
        lore._paired_p(array_agg(r.reciprocal_rank - f.reciprocal_rank) FILTER (WHERE r.variant > 1)), NULL, NULL)::lore._evaluation
    FROM unnest(rankings) AS r JOIN unnest(rankings) AS f ON f.query_id = r.query_id AND f.variant = 1
    GROUP BY r.variant
$$;

COMMENT ON FUNCTION lore._summary(lore._ranking[]) IS 'Means, percentiles and p-values of each variant.';

CREATE FUNCTION lore.evaluate(
    collection text,
    queries    jsonb DEFAULT NULL,          -- {"q1": "how to reclaim space"}
    judgements jsonb DEFAULT NULL,          -- {"q1": {"vacuum": 1}}: grades by document key, above 0 where relevant
    k          integer DEFAULT 10,
    variants   json DEFAULT '{"default": {}}',  -- arguments of lore.search by name; the first is what the others are compared with
    golden     text DEFAULT NULL,           -- a golden set in the place of queries and judgements
    keep       boolean DEFAULT NULL         -- in lore.evaluations; NULL: where the caller may write there
) RETURNS TABLE (
    variant text, judged integer, ndcg double precision, recall double precision, mrr double precision,
    p50_ms double precision, p95_ms double precision, p99_ms double precision,
    ndcg_p double precision, recall_p double precision, mrr_p double precision, missing integer, evaluation bigint
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 2
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c           lore._collection := lore._open($1);
    tests       jsonb := $2;
    grades      jsonb := $3;
    names       text[];
    arguments   jsonb[];
    collections text[];
    rankings    lore._ranking[];
    results     lore._evaluation[];
    kept        boolean := coalesce($7, current_setting('transaction_read_only') = 'off' AND has_table_privilege('lore_data.evaluation_queries', 'INSERT'));
BEGIN
    IF $6 IS NOT NULL THEN
        IF $2 IS NOT NULL OR $3 IS NOT NULL THEN
            PERFORM lore._raise('LO103', 'there are both a golden set and queries or judgements', 'Pass golden, or queries and judgements.');
        END IF;
        SELECT jsonb_object_agg(g.query_id, g.query), jsonb_object_agg(g.query_id, g.judgements) INTO tests, grades FROM lore_data.golden AS g WHERE g.name = $6;
        IF tests IS NULL THEN
            PERFORM lore._raise('LO103', format('there is no golden set "%s"', left($6, 60)), 'SELECT DISTINCT name FROM lore.golden lists them; lore.add_golden makes one.');
        END IF;
    END IF;
    PERFORM lore._require_test(tests, grades), lore._require_variants($5);
    IF $4 IS NULL OR $4 NOT BETWEEN 1 AND 1000 THEN
        PERFORM lore._raise('LO103', format('k is %s', coalesce($4::text, 'NULL')), 'k is 1 to 1000.');
    END IF;
    SELECT array_agg(v.key ORDER BY v.n), array_agg(v.value::jsonb ORDER BY v.n), array_agg(coalesce(v.value ->> 'collection', $1) ORDER BY v.n)
    INTO names, arguments, collections FROM json_each($5) WITH ORDINALITY AS v(key, value, n);
    rankings := lore._rankings(collections, arguments, names, tests, grades, $4);
    IF rankings = '{}' THEN
        PERFORM lore._raise('LO103', 'no query has a relevant document', 'Give at least one query a document with a grade above 0 in judgements.');
    END IF;
    SELECT array_agg(ROW(names[s.variant], (s.summary).judged, (s.summary).ndcg, (s.summary).recall, (s.summary).mrr, (s.summary).p50_ms, (s.summary).p95_ms,
        (s.summary).p99_ms, (s.summary).ndcg_p, (s.summary).recall_p, (s.summary).mrr_p, lore._missing(collections[s.variant], grades), NULL)::lore._evaluation ORDER BY s.variant)
    INTO results FROM lore._summary(rankings) AS s;
    IF kept THEN
        results := lore._keep_evaluations(results, collections, arguments, rankings, $6,
            (SELECT md5(jsonb_object_agg(q.key, jsonb_build_array(q.value, grades -> q.key))::text) FROM jsonb_each(tests) AS q WHERE grades -> q.key <> '{}'), $4);
    END IF;
    RETURN QUERY SELECT r.* FROM unnest(results) AS r;
END
$$;

COMMENT ON FUNCTION lore.evaluate(text, jsonb, jsonb, integer, json, text, boolean) IS
    'One row a variant of lore.search: means of nDCG, recall and reciprocal rank of the first k documents, latency in the server in ms, p-values of paired t tests against the first variant, and how many relevant documents the collection does not hold. Queries without a relevant document are left out. Raises LO103 bad argument, LO203 unknown collection, and what lore.search raises.';

REVOKE ALL ON TYPE lore._evaluation FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._missing(text, jsonb), lore._summary(lore._ranking[]), lore.evaluate(text, jsonb, jsonb, integer, json, text, boolean) FROM PUBLIC;
GRANT USAGE ON TYPE lore._evaluation TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._missing(text, jsonb), lore._summary(lore._ranking[]), lore.evaluate(text, jsonb, jsonb, integer, json, text, boolean) TO lore_reader;
