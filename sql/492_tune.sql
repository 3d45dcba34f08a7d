-- 492_tune.sql: the least effort that reaches a recall, found on the collection's own vectors and kept. Needs 491_unseen.

CREATE FUNCTION lore.tune(
    collection    text,
    target_recall double precision DEFAULT 0.95,
    k             integer DEFAULT 10,
    sample        integer DEFAULT 1000,     -- queries, fewer for a large k or for few chunks; each is also searched exactly
    queries       vector[] DEFAULT NULL     -- vectors of queries; NULL takes some of the collection's own chunks, and for a graph builds another without some
) RETURNS TABLE (share double precision, effort integer, recall double precision, ms double precision, reached boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 3
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c       lore._collection := lore._open_to_write($1);  -- nobody builds another index, alters or drops it meanwhile
    kind    lore._index_kind := lore._index_kind(c.searched, c.metric);
    shares  constant double precision[] := '{1, 0.5, 0.1}';
    size    bigint := greatest(1, lore._chunk_count(c));
    copied  double precision;               -- share of them
    depth   integer;                        -- neighbours of each query
    probes  lore._probe[];
    twin    lore._twin;
    few     lore._probe[];
    unseen  double precision;               -- what a new query misses beyond these
    low     integer;                        -- does not reach it
    high    integer;                        -- does
    found   jsonb := '[]';
    band    jsonb;
    beyond  double precision;               -- unseen, at the effort found
    exact   lore._collection := c;
    spared  double precision;               -- milliseconds of an exact search with such a filter
    m       record;
BEGIN
    PERFORM lore._require_sample($3, $4, $5);
    PERFORM lore._require_vector(c, q) FROM unnest($5) AS q;
    IF $2 IS NULL OR $2 NOT BETWEEN 0.1 AND 1 THEN
        PERFORM lore._raise('LO103', format('target_recall is %s', coalesce($2::text, 'NULL')), 'target_recall is 0.1 to 1.');
    ELSIF kind.kind IS NULL THEN
        PERFORM lore._raise('LO103', format('collection "%s" has no vector index: its search is exact', c.name), 'lore.build_index makes one.');
    -- Over rows that it has changed itself, as labels do, PostgreSQL lets a transaction use no index: what is measured were exact.
    ELSIF EXISTS (SELECT FROM pg_index AS i WHERE i.indexrelid = to_regclass(c.vector_index) AND i.indcheckxmin
                  AND age(i.xmin) <= age(pg_snapshot_xmin(pg_current_snapshot())::xid)) THEN
        PERFORM lore._raise('LO305', format('the index of collection "%s" is so new that no search of this transaction can use it', c.name), 'COMMIT what built it, and tune then.');
    END IF;
    copied := CASE WHEN kind.linked AND $5 IS NULL THEN least(1, greatest(100000, size / 4) / size::float8) END;
    IF copied > 0 THEN  -- three quarters are left out of the copy, which must stay nearly as large: in a smaller graph new queries miss less
        sample := least($4, greatest(100, size / 5));
    END IF;
    -- Deep enough that k rows of the smallest share are among them, in a copy without most of the queries' own chunks as well.
    depth := ceil(1.5 * $3 / shares[3] / coalesce(copied * greatest(0.25, 1 - 0.75 * $4 / size), 1));
    probes := lore._probes(c, least($4, greatest(100, 3000000 / depth)), $5, depth, NULL, NULL);  -- in memory
    IF cardinality(probes) < 2 THEN
        copied := NULL;
    ELSIF copied > 0 THEN
        twin := lore._twin(c, probes, copied);
        probes := probes[:cardinality(twin.members)];
    END IF;
    FOREACH share IN ARRAY shares LOOP
        few := lore._passing(probes, $3, share);
        CONTINUE WHEN few IS NULL;
        -- A search looks at no fewer than k: what is found for k is kept for smaller ones too.
        low := greatest(kind.least_effort, CASE WHEN c.searched NOT IN ('ivfflat', 'vchordrq') THEN least($3, kind.most_effort) END) - 1;
        high := least(kind.most_effort, CASE WHEN c.searched IN ('ivfflat', 'vchordrq') THEN c.lists ELSE 1000 END);
        reached := NULL;
        -- With a filter no less than without: real filters have to do with the vectors, which makes them harder than these.
        c.effort := least(high, greatest(low + 1, lore._filtered_effort(c.searched, c.lists, $3, share), CASE WHEN share < 1 THEN effort END));
        LOOP
            SELECT * INTO m FROM lore._measured(c, few, $3, lore._share_condition(share), NULL);
            unseen := CASE WHEN copied > 0 THEN lore._unseen(twin, c.effort, $3, share) END;
            m.recall := least(1, greatest(0, m.recall - coalesce(unseen, 0)));
            IF m.recall >= $2 OR c.effort = high AND reached IS NULL THEN
                high := c.effort;
                effort := c.effort;
                recall := m.recall;
                ms := m.ms;
                reached := m.recall >= $2;
                beyond := unseen;
            ELSE
                low := c.effort;
            END IF;
            EXIT WHEN reached AND (share < 1 OR high - low <= 1 + high / 50) OR NOT reached;
            -- Upwards by doubling, downwards by halves of the ratio.
            c.effort := CASE WHEN reached IS NULL THEN least(high, 2 * c.effort) ELSE greatest(low + 1, least(high - 1, round(sqrt(greatest(low, 1)::float8 * high))))::integer END;
        END LOOP;
        band := jsonb_build_object('share', share, 'effort', effort, 'ms', round(ms::numeric, 3), 'unseen', round(beyond::numeric, 4));
        IF share < 1 THEN
            exact.searched := 'exact';
            exact.effort := NULL;
            spared := (SELECT e.ms FROM lore._measured(exact, few[:20], $3, lore._share_condition(share), NULL) AS e);
            band := band || jsonb_build_object('exact_ms', round(spared::numeric, 3));
            IF spared < ms THEN
                SELECT NULL, 1, spared, true INTO effort, recall, ms, reached;
            END IF;
        END IF;
        found := found || (band || jsonb_build_object('recall', round(recall::numeric, 4)));
        RETURN NEXT;
        effort := (band ->> 'effort')::integer;
    END LOOP;
    IF copied > 0 THEN
        EXECUTE format('DROP TABLE %s', (twin.collection).chunks);
    END IF;
    UPDATE lore_data.vector_indexes AS v SET tuning = jsonb_build_object('k', $3, 'target', $2, 'rows', size, 'sample', cardinality(probes) + coalesce(cardinality(twin.strangers), 0), 'bands', found, 'tuned_at', now())
    WHERE v.collection_id = c.id;
END
$$;

COMMENT ON FUNCTION lore.tune(text, double precision, integer, integer, vector[]) IS
    'Finds the least effort of the vector index that reaches a recall at k, without a filter and for filters that let a half and a tenth of the rows pass, and keeps it: lore.search uses it from then on. Where an exact search of what passes such a filter is quicker, that is what lore.search does; effort is NULL then. Without queries, a graph (hnsw, hnsw_bit) is built once more without some of the chunks, which are then queries that it does not know; of more than 400,000 chunks, with a quarter of them. reached is false where even the most effort falls short. Raises LO103 argument out of range or no index, LO203 unknown collection, LO205 vector of another size, LO305 where the transaction cannot use the index yet, or has read the collection while another session builds one.';

REVOKE ALL ON FUNCTION lore.tune(text, double precision, integer, integer, vector[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.tune(text, double precision, integer, integer, vector[]) TO lore_admin;
