-- 572_evaluations.sql: what evaluations found, kept and listed, so that a change of model or settings shows its effect. Needs 570_evaluate.

CREATE FUNCTION lore._keep_evaluations(
    results     lore._evaluation[],
    collections text[],
    arguments   jsonb[],
    rankings    lore._ranking[],
    golden      text,
    test        text,
    k           integer
) RETURNS lore._evaluation[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    baseline bigint;
    made     bigint;
    r        lore._evaluation;
    reranker record;
BEGIN
    FOR i IN 1 .. cardinality(results) LOOP
        r := results[i];
        SELECT m.alias, m.fingerprint INTO reranker FROM lore.models AS m
        WHERE arguments[i] ->> 'rerank' IS NOT NULL AND m.task = 'rerank' AND (m.alias = arguments[i] ->> 'rerank' OR arguments[i] ->> 'rerank' = 'default' AND m.is_default);
        INSERT INTO lore_data.evaluations (version, collection, variant, arguments, baseline, golden, test, k, judged, ndcg, recall, mrr, p50_ms, p95_ms, p99_ms,
            ndcg_p, recall_p, mrr_p, missing, model, fingerprint, reranker, reranker_fingerprint, settings)
        SELECT '@VERSION@', c.name, r.variant, arguments[i] - 'collection', baseline, golden, test, k, r.judged, r.ndcg, r.recall, r.mrr, r.p50_ms, r.p95_ms, r.p99_ms,
            r.ndcg_p, r.recall_p, r.mrr_p, r.missing, c.model, c.fingerprint, reranker.alias, reranker.fingerprint, to_jsonb(c) - '{id,name,model,fingerprint,documents,chunks,vector_schema,keyword_schema,effort}'::text[]
        FROM lore._open(collections[i]) AS c
        RETURNING id INTO made;
        INSERT INTO lore_data.evaluation_queries (evaluation, query_id, query, keys, ms, ndcg, recall, reciprocal_rank)
        SELECT made, n.query_id, n.query, n.keys, n.ms, n.ndcg, n.recall, n.reciprocal_rank FROM unnest(rankings) AS n WHERE n.variant = i;
        r.evaluation := made;
        results[i] := r;
        baseline := coalesce(baseline, made);
    END LOOP;
    RETURN results;
END
$$;

COMMENT ON FUNCTION lore._keep_evaluations(lore._evaluation[], text[], jsonb[], lore._ranking[], text, text, integer) IS
    'Stores the results of an evaluation, and returns them with their numbers in lore.evaluations.';

CREATE FUNCTION lore._evaluations() RETURNS TABLE (
    evaluation bigint, evaluated_at timestamptz, evaluated_by text, collection text, variant text, arguments jsonb, golden text, test text, k integer, judged integer,
    ndcg double precision, recall double precision, mrr double precision, p50_ms double precision, p95_ms double precision, p99_ms double precision,
    ndcg_change double precision, recall_change double precision, mrr_change double precision, baseline bigint,
    ndcg_p double precision, recall_p double precision, mrr_p double precision, missing integer,
    model text, fingerprint text, reranker text, reranker_fingerprint text, settings jsonb, version text
)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lore._require_catalog();
    RETURN QUERY SELECT e.id, e.evaluated_at, e.evaluated_by, e.collection, e.variant, e.arguments, e.golden, e.test, e.k, e.judged, e.ndcg, e.recall, e.mrr, e.p50_ms, e.p95_ms, e.p99_ms,
        e.ndcg - lag(e.ndcg) OVER before, e.recall - lag(e.recall) OVER before, e.mrr - lag(e.mrr) OVER before, e.baseline, e.ndcg_p, e.recall_p, e.mrr_p, e.missing,
        e.model, e.fingerprint, e.reranker, e.reranker_fingerprint, e.settings, e.version
    FROM lore_data.evaluations AS e WINDOW before AS (PARTITION BY e.collection, e.variant, e.test, e.k ORDER BY e.id) ORDER BY e.id;
END
$$;

COMMENT ON FUNCTION lore._evaluations() IS 'The rows of lore.evaluations. Raises LO202 no catalog.';

CREATE FUNCTION lore._evaluation_queries() RETURNS TABLE (
    evaluation bigint, query_id text, query text, keys text[], ms double precision, ndcg double precision, recall double precision, reciprocal_rank double precision
)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lore._require_catalog();
    RETURN QUERY SELECT q.evaluation, q.query_id, q.query, q.keys, q.ms, q.ndcg, q.recall, q.reciprocal_rank FROM lore_data.evaluation_queries AS q;
END
$$;

COMMENT ON FUNCTION lore._evaluation_queries() IS 'The rows of lore.evaluation_queries. Raises LO202 no catalog.';

CREATE VIEW lore.evaluations AS SELECT * FROM lore._evaluations();
CREATE VIEW lore.evaluation_queries AS SELECT * FROM lore._evaluation_queries();

COMMENT ON VIEW lore.evaluations IS 'What evaluations found, one row a variant, in the order in which they were made. Raises LO202 before `pglore init`.';
COMMENT ON COLUMN lore.evaluations.evaluation IS 'Number of the evaluation.';
COMMENT ON COLUMN lore.evaluations.evaluated_at IS 'When it was made.';
COMMENT ON COLUMN lore.evaluations.evaluated_by IS 'Role that made it.';
COMMENT ON COLUMN lore.evaluations.collection IS 'Collection that was searched; it may be gone since.';
COMMENT ON COLUMN lore.evaluations.variant IS 'Name of the variant.';
COMMENT ON COLUMN lore.evaluations.arguments IS 'Arguments of lore.search that it set.';
COMMENT ON COLUMN lore.evaluations.golden IS 'The golden set, where one was named.';
COMMENT ON COLUMN lore.evaluations.test IS 'Hash of queries and judgements: equal where results can be compared.';
COMMENT ON COLUMN lore.evaluations.k IS 'Documents that were looked at for each query.';
COMMENT ON COLUMN lore.evaluations.judged IS 'Queries that have a relevant document.';
COMMENT ON COLUMN lore.evaluations.ndcg IS 'Mean normalised discounted cumulative gain.';
COMMENT ON COLUMN lore.evaluations.recall IS 'Mean share of the relevant documents that were found.';
COMMENT ON COLUMN lore.evaluations.mrr IS 'Mean reciprocal rank of the first relevant document.';
COMMENT ON COLUMN lore.evaluations.p50_ms IS 'Median time of a search in the server.';
COMMENT ON COLUMN lore.evaluations.p95_ms IS '95th percentile of that time.';
COMMENT ON COLUMN lore.evaluations.p99_ms IS '99th percentile of that time.';
COMMENT ON COLUMN lore.evaluations.ndcg_change IS 'Since the evaluation before of the same collection, variant, test and k.';
COMMENT ON COLUMN lore.evaluations.recall_change IS 'Likewise.';
COMMENT ON COLUMN lore.evaluations.mrr_change IS 'Likewise.';
COMMENT ON COLUMN lore.evaluations.baseline IS 'Evaluation that the p-values compare with: the first variant of the same call.';
COMMENT ON COLUMN lore.evaluations.ndcg_p IS 'Two-sided p-value of a paired t test on nDCG.';
COMMENT ON COLUMN lore.evaluations.recall_p IS 'Likewise on recall.';
COMMENT ON COLUMN lore.evaluations.mrr_p IS 'Likewise on reciprocal rank.';
COMMENT ON COLUMN lore.evaluations.missing IS 'Relevant documents that the collection did not hold.';
COMMENT ON COLUMN lore.evaluations.model IS 'Alias of the embedder.';
COMMENT ON COLUMN lore.evaluations.fingerprint IS 'Fingerprint of the embedder.';
COMMENT ON COLUMN lore.evaluations.reranker IS 'Alias of the reranker; NULL where none was used.';
COMMENT ON COLUMN lore.evaluations.reranker_fingerprint IS 'Fingerprint of the reranker.';
COMMENT ON COLUMN lore.evaluations.settings IS 'Settings of the collection and its indexes, as it was searched.';
COMMENT ON COLUMN lore.evaluations.version IS 'Version of the extension.';
COMMENT ON VIEW lore.evaluation_queries IS 'What evaluations found for each query; of one''s own evaluations, or of all for lore_admin. Raises LO202 before `pglore init`.';
COMMENT ON COLUMN lore.evaluation_queries.evaluation IS 'Number of the evaluation in lore.evaluations.';
COMMENT ON COLUMN lore.evaluation_queries.query_id IS 'What the query is called.';
COMMENT ON COLUMN lore.evaluation_queries.query IS 'Text of the query.';
COMMENT ON COLUMN lore.evaluation_queries.keys IS 'Keys of the documents found, best first.';
COMMENT ON COLUMN lore.evaluation_queries.ms IS 'Time of the search in the server.';
COMMENT ON COLUMN lore.evaluation_queries.ndcg IS 'Normalised discounted cumulative gain.';
COMMENT ON COLUMN lore.evaluation_queries.recall IS 'Share of the relevant documents that were found.';
COMMENT ON COLUMN lore.evaluation_queries.reciprocal_rank IS 'Reciprocal rank of the first relevant document; 0 where none was found.';

REVOKE ALL ON lore.evaluations, lore.evaluation_queries FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._keep_evaluations(lore._evaluation[], text[], jsonb[], lore._ranking[], text, text, integer), lore._evaluations(), lore._evaluation_queries() FROM PUBLIC;
GRANT SELECT ON lore.evaluations, lore.evaluation_queries TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._keep_evaluations(lore._evaluation[], text[], jsonb[], lore._ranking[], text, text, integer), lore._evaluations(), lore._evaluation_queries() TO lore_reader;
