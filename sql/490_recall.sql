-- 490_recall.sql: how much of what exact search finds the vector index finds, on the collection's own vectors. Needs 489_probes.

CREATE FUNCTION lore._probing(
    collection lore._collection,
    passing    text,                        -- SQL condition on a document d, or NULL; $3 is the path
    k          integer,
    own        boolean                      -- $2, a query's own chunk, is among what is found
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('WITH %s SELECT (array_agg(id ORDER BY distance + 0, id) FILTER (WHERE id IS DISTINCT FROM $2))[1:%s] FROM vector_arm',
        array_to_string(lore._vector_arm(collection, '$1', passing, k + own::integer), ', '), k)
$$;

COMMENT ON FUNCTION lore._probing(lore._collection, text, integer, boolean) IS 'The statement that finds the chunks next to a query $1 as a search does.';

CREATE FUNCTION lore._measured(
    collection lore._collection,
    probes     lore._probe[],
    k integer, passing text, path jsonpath,
    searched   boolean DEFAULT false        -- as lore.search does: exactly, where the index gives fewer than k
) RETURNS TABLE (recall double precision, ms double precision)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
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
    c       lore._collection := collection;
    arm     text;
    whole   text;                           -- the same, exactly
    p       lore._probe;
    found   bigint[];
    started timestamptz;
    times   double precision[];
    shares  double precision[];
    hits    double precision;
    equal   text := format('SELECT count(*) FROM %1$s AS c WHERE c.id = ANY ($2) AND (c.embedding OPERATOR(%2$s.%3$s) $1) + 0 <= (SELECT t.embedding OPERATOR(%2$s.%3$s) $1 FROM %1$s AS t WHERE t.id = $3)',
        c.chunks, c.vector_schema, lore._operator(c.metric));
BEGIN
    c.effort := lore._effort(c, k);
    arm := lore._probing(c, passing, k, probes[1].own IS NOT NULL);
    c.searched := 'exact';
    whole := CASE WHEN searched THEN lore._probing(c, passing, k, probes[1].own IS NOT NULL) END;
    FOREACH p IN ARRAY coalesce(probes, '{}') LOOP
        CONTINUE WHEN coalesce(cardinality(p.near), 0) = 0;
        started := clock_timestamp();
        EXECUTE arm INTO found USING p.embedding, p.own, path;
        IF whole IS NOT NULL AND coalesce(cardinality(found), 0) < least(k, cardinality(p.near)) THEN
            EXECUTE whole INTO found USING p.embedding, p.own, path;
        END IF;
        times := times || 1000 * extract(epoch FROM clock_timestamp() - started)::float8;
        hits := (SELECT count(*) FROM unnest(p.near[1:k]) AS n WHERE n = ANY (found));
        IF hits < least(k, cardinality(p.near)) THEN  -- copies of a text are all as near: whichever come are true neighbours
            EXECUTE equal INTO hits USING p.embedding, found, p.near[least(k, cardinality(p.near))];
        END IF;
        shares := shares || least(1, hits / least(k, cardinality(p.near)));
    END LOOP;
    SELECT avg(s) INTO recall FROM unnest(shares) AS s;
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) INTO ms FROM unnest(times) AS t;
    RETURN NEXT;
END
$$;

COMMENT ON FUNCTION lore._measured(lore._collection, lore._probe[], integer, text, jsonpath, boolean) IS 'Mean recall at k and median milliseconds of the vector arm.';

CREATE FUNCTION lore.recall(
    collection text,
    k          integer DEFAULT 10,
    sample     integer DEFAULT 100,         -- queries; each is also searched exactly
    filter     jsonb DEFAULT NULL,
    queries    vector[] DEFAULT NULL        -- vectors of queries; NULL takes some of the collection's own chunks
) RETURNS TABLE (recall double precision, searched text, effort integer, sampled integer, ms double precision)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c       lore._collection := lore._open_to_read($1);
    path    jsonpath := lore._filter($4);
    passing text := CASE WHEN path IS NOT NULL THEN 'd.metadata @@ $3' WHEN c.guarded THEN 'true' END;
    probes  lore._probe[];
BEGIN
    PERFORM lore._require_sample($2, $3, $5);
    PERFORM lore._require_vector(c, q) FROM unnest($5) AS q;
    c := lore._planned(c, $4, path, $2);
    c.sought := format(c.sought, quote_literal($4) || '::jsonb');
    c.narrowed := format(c.narrowed, quote_literal($4) || '::jsonb');
    probes := lore._probes(c, $3, $5, $2, passing, path);
    SELECT c.searched, CASE WHEN c.searched <> 'exact' THEN lore._effort(c, $2) END INTO searched, effort;
    sampled := (SELECT count(*) FROM unnest(probes) AS p WHERE cardinality(p.near) > 0);
    SELECT m.recall, m.ms INTO recall, ms FROM lore._measured(c, probes, $2, passing, path, true) AS m;
    IF $5 IS NULL AND path IS NULL AND c.searched <> 'exact' AND recall IS NOT NULL THEN  -- what new queries miss beyond, by lore.tune
        recall := least(1, greatest(0, recall - coalesce((c.tuning -> 'bands' -> 0 ->> 'unseen')::float8, 0)));
    END IF;
    RETURN NEXT;
END
$$;

COMMENT ON FUNCTION lore.recall(text, integer, integer, jsonb, vector[]) IS
    'Share of the k true neighbours that a search by vector finds as lore.search goes about it, for a filter too; how it was searched, with what effort, and the median milliseconds. Chunks as queries are found more easily in a graph than new ones; what lore.tune saw of that is taken off. NULL where nothing passes the filter. Raises LO103 argument out of range, LO104 bad filter, LO203 unknown collection, LO205 vector of another size.';

REVOKE ALL ON FUNCTION lore._probing(lore._collection, text, integer, boolean), lore._measured(lore._collection, lore._probe[], integer, text, jsonpath, boolean),
    lore.recall(text, integer, integer, jsonb, vector[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._probing(lore._collection, text, integer, boolean), lore._measured(lore._collection, lore._probe[], integer, text, jsonpath, boolean), lore.recall(text, integer, integer, jsonb, vector[]) TO lore_reader;
