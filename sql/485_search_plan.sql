-- 485_search_plan.sql: how a search goes about it: how many chunks to look for, and whether a filter comes before the nearest
-- neighbours (few rows pass: these are compared exactly) or after (the index gives rows until enough have passed).
-- Needs 480_vector_arm, 481_filter_share.

CREATE FUNCTION lore._estimated_rows(
    relation text
) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT greatest(c.reltuples, 1) FROM pg_class AS c WHERE c.oid = relation::regclass);
END
$$;

COMMENT ON FUNCTION lore._estimated_rows(text) IS 'Rows of a table as of its last ANALYZE or VACUUM.';

CREATE FUNCTION lore._wide(
    collection lore._collection,
    wanted     lore._search_options
) RETURNS integer
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    w    lore._search_options := wanted;
    deep integer := CASE WHEN wanted.diversity > 0 THEN lore._deep(wanted) ELSE wanted.k END;
BEGIN
    IF w.candidates IS NOT NULL THEN
        RETURN greatest(deep, w.candidates);
    ELSIF w.mode <> 'vector' OR w.rerank IS NOT NULL OR (collection).searched = 'exact' THEN
        RETURN greatest(deep, CASE WHEN w.filter = '{}' OR w.filter IS NULL THEN 100 ELSE 50 END);  -- of a part, fewer are as good, and each costs more
    ELSIF coalesce(w.per_document >= deep, true) THEN
        RETURN deep;
    END IF;
    -- Without a fusion or a reranker only the limit on rows of a document needs more than k: as many times as a document has chunks, up to 4.
    RETURN (SELECT deep * least(4, ceil(greatest(c.reltuples, 1) / greatest(d.reltuples, 1)))
            FROM pg_class AS c, pg_class AS d WHERE c.oid = (collection).chunks::regclass AND d.oid = (collection).documents::regclass);
END
$$;

COMMENT ON FUNCTION lore._wide(lore._collection, lore._search_options) IS 'Chunks that each arm of a search looks for.';

CREATE FUNCTION lore._keyword_wide(
    collection lore._collection,
    wanted     lore._search_options,
    wide       integer
) RETURNS integer
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A BM25 index gives chunks in 2 microseconds each, of which a narrow filter turns most away: 3,000 of them will do, if k have passed.
    RETURN CASE WHEN wanted.candidates IS NOT NULL THEN wide ELSE least(wide, greatest(lore._deep(wanted), ceil(3000 * coalesce((collection).share, 1)))) END;
END
$$;

COMMENT ON FUNCTION lore._keyword_wide(lore._collection, lore._search_options, integer) IS 'Chunks that the keyword arm of a search looks for: with a narrow filter not as many as the other.';

CREATE FUNCTION lore._deep(
    wanted lore._search_options
) RETURNS integer
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN (wanted).diversity > 0 THEN least(1000, greatest(50, 5 * (wanted).k)) ELSE (wanted).k END;
END
$$;

COMMENT ON FUNCTION lore._deep(lore._search_options) IS 'Rows of a search before some are chosen for their diversity.';

CREATE FUNCTION lore._planned(
    collection lore._collection,
    filter     jsonb,
    path       jsonpath,                    -- the same; NULL is none
    wide       integer
) RETURNS lore._collection
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c         lore._collection := collection;
    documents bigint;
    shares    double precision[];
    share     double precision;             -- of the documents, that pass the filter
    spared    double precision;             -- microseconds that exact search takes
    given     double precision;             -- rows that the index gives until enough have passed
    band      jsonb;
    l         lore._sought;
BEGIN
    IF path IS NOT NULL THEN
        c.narrowed := lore._narrowed(c.filterable, filter);
        c.indexed := lore._filter_is_indexed(c.filterable, filter);
        documents := lore._estimated_rows(c.documents);
        IF c.searched <> 'exact' OR documents > 1000 THEN
            shares := lore._share(c, filter, path, documents);
            c.share := shares[1];
            IF shares[2] > (CASE WHEN c.indexed THEN 2 * c.share ELSE 0.2 END) THEN  -- of two indexes the one that finds fewer; or none
                c.narrowed := NULL;
            END IF;
        END IF;
    END IF;
    IF c.searched = 'exact' THEN
        RETURN c;
    END IF;
    share := coalesce(c.share, 1);
    -- Of the bands that lore.tune measured, the one with the largest share of rows that is not above this filter's.
    band := (SELECT b FROM jsonb_array_elements(c.tuning -> 'bands') AS b
             ORDER BY (b ->> 'share')::float8 <= share DESC, CASE WHEN (b ->> 'share')::float8 <= share THEN -(b ->> 'share')::float8 ELSE (b ->> 'share')::float8 END LIMIT 1);
    c.effort := band ->> 'effort';
    IF c.effort IS NOT NULL AND c.searched IN ('hnsw_bit', 'diskann') THEN
        c.effort := least(1000, ceil(c.effort * sqrt(greatest(1, wide / (c.tuning ->> 'k')::float8))));  -- tuned for fewer rows
    END IF;
    IF path IS NOT NULL THEN
        c.effort := greatest(c.effort, lore._filtered_effort(c.searched, c.lists, wide, share));
        -- Microseconds, measured: 2 for each chunk looked up and compared exactly; 1 for each document that an index of the metadata finds,
        -- or 0.5 for each whose metadata is read where none does; 13 for each row that the vector index gives and the filter is tried on.
        spared := 2 * share * lore._estimated_rows(c.chunks) + CASE WHEN c.indexed OR c.narrowed IS NOT NULL THEN share ELSE 0.5 END * documents;
        SELECT * INTO l FROM lore._sought(c, filter, share);
        given := lore._fetched(c.searched, c.effort, wide, true) * l.share / share;
        IF spared < 2 * 13 * given  -- the share is a guess, and a wrong one costs exact search less
           -- What lore.tune measured, where it had to look at much.
           OR (band ->> 'exact_ms')::float8 * share / (band ->> 'share')::float8 + (CASE WHEN c.indexed OR c.narrowed IS NOT NULL THEN 0 ELSE 0.0003 * documents END) < (band ->> 'ms')::float8 THEN
            c.searched := 'exact';
            RETURN c;
        END IF;
        -- Where what passes is far from the query, the index gives in vain: for half the time of an exact search. Powers of two, since
        -- each number has a plan of its own.
        c.scanned := least(20000, 2 ^ round(log(2, greatest(2.5 * given, spared / 26)::numeric)));
        c.sought := l.condition;
        -- The order of diskann is only as good as the rows that are looked at together; of ivfflat's lists the nearest hold less of what passes.
        c.effort := CASE c.searched WHEN 'diskann' THEN least(1000, 50 * ceil(c.effort * CASE WHEN l.condition IS NULL THEN 1 ELSE 2 * l.share END / (50 * share)))
                                    WHEN 'ivfflat' THEN least(c.lists, ceil(1.5 * c.effort)) ELSE c.effort END;
    END IF;
    RETURN c;
END
$$;

COMMENT ON FUNCTION lore._planned(lore._collection, jsonb, jsonpath, integer) IS
    'A collection with how it is to be searched this time: by its index, with what effort, or exactly.';

REVOKE ALL ON FUNCTION lore._estimated_rows(text), lore._wide(lore._collection, lore._search_options), lore._deep(lore._search_options),
    lore._keyword_wide(lore._collection, lore._search_options, integer), lore._planned(lore._collection, jsonb, jsonpath, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._estimated_rows(text), lore._wide(lore._collection, lore._search_options), lore._deep(lore._search_options),
    lore._keyword_wide(lore._collection, lore._search_options, integer), lore._planned(lore._collection, jsonb, jsonpath, integer) TO lore_reader;
