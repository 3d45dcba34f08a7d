-- 492_tune.sql: the least effort that reaches a recall, found on the collection's own vectors and kept. Needs 490_recall.

CREATE FUNCTION lore.tune(
    collection    text,
    target_recall double precision DEFAULT 0.95,
    k             integer DEFAULT 10,
    sample        integer DEFAULT 300,      -- queries; each is also searched exactly
    queries       vector[] DEFAULT NULL     -- vectors of queries; NULL takes some of the collection's own chunks
) RETURNS TABLE (share double precision, effort integer, recall double precision, ms double precision, reached boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 3
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c       lore._collection := lore._open($1);
    kind    lore._index_kind := lore._index_kind(c.searched, c.metric);
    shares  constant double precision[] := '{1, 0.5, 0.1}';
    probes  lore._probe[];
    few     lore._probe[];
    passing text;
    low     integer;                        -- does not reach it
    high    integer;                        -- does
    found   jsonb := '[]';
    m       record;
BEGIN
    PERFORM lore._require_sample($3, $4);
    PERFORM lore._require_vector(c, q) FROM unnest($5) AS q;
    IF $2 IS NULL OR $2 NOT BETWEEN 0.1 AND 1 THEN
        PERFORM lore._raise('LO103', format('target_recall is %s', coalesce($2::text, 'NULL')), 'target_recall is 0.1 to 1.');
    ELSIF kind.kind IS NULL THEN
        PERFORM lore._raise('LO103', format('collection "%s" has no vector index: its search is exact', c.name), 'lore.build_index makes one.');
    END IF;
    -- Deep enough that k rows of the smallest share are among them.
    probes := lore._probes(c, $4, $5, ceil(1.5 * $3 / shares[3])::integer, NULL, NULL);
    FOREACH share IN ARRAY shares LOOP
        -- A filter that has nothing to do with the vectors lets this share of the documents through.
        passing := CASE WHEN share < 1 THEN format('d.id * 7919 %% 1000 < %s', 1000 * share) END;
        SELECT array_agg(ROW(p.embedding, p.own, n.near, NULL)::lore._probe) INTO few
        FROM unnest(probes) AS p, LATERAL (SELECT (array_agg(u.id ORDER BY u.place))[1:$3] AS near FROM unnest(p.near, p.documents) WITH ORDINALITY AS u(id, document, place)
                                           WHERE share = 1 OR u.document * 7919 % 1000 < 1000 * share) AS n
        WHERE cardinality(n.near) = least($3, cardinality(p.near));
        CONTINUE WHEN few IS NULL;
        IF share < 1 THEN  -- each takes 1 / share as long
            few := few[1:60];
        END IF;
        low := kind.least_effort - 1;
        high := least(kind.most_effort, CASE WHEN c.searched IN ('ivfflat', 'vchordrq') THEN lore._lists(c.built_rows) ELSE 1000 END);
        reached := NULL;
        -- With a filter no less than without: real filters have to do with the vectors, which makes them harder than these.
        c.effort := least(high, greatest(low + 1, lore._filtered_effort(c.searched, c.built_rows, $3, share), CASE WHEN share < 1 THEN effort END));
        LOOP
            SELECT * INTO m FROM lore._measured(c, few, $3, passing, NULL);
            IF m.recall >= $2 OR c.effort = high AND reached IS NULL THEN
                high := c.effort;
                effort := c.effort;
                recall := m.recall;
                ms := m.ms;
                reached := m.recall >= $2;
            ELSE
                low := c.effort;
            END IF;
            EXIT WHEN reached AND (share < 1 OR high - low <= 1 + high / 50) OR NOT reached;
            -- Upwards by doubling, downwards by halves of the ratio.
            c.effort := CASE WHEN reached IS NULL THEN least(high, 2 * c.effort) ELSE greatest(low + 1, least(high - 1, round(sqrt(greatest(low, 1)::float8 * high))))::integer END;
        END LOOP;
        found := found || jsonb_build_object('share', share, 'effort', effort, 'recall', round(recall::numeric, 4), 'ms', round(ms::numeric, 3));
        RETURN NEXT;
    END LOOP;
    UPDATE lore_data.vector_indexes AS v SET tuning = jsonb_build_object('k', $3, 'target', $2, 'sample', cardinality(probes), 'bands', found, 'tuned_at', now())
    WHERE v.collection_id = c.id;
END
$$;

COMMENT ON FUNCTION lore.tune(text, double precision, integer, integer, vector[]) IS
    'Finds the least effort of the vector index that reaches a recall at k, without a filter and for filters that let a half and a tenth of the rows pass, and keeps it: lore.search uses it from then on. reached is false where even the most effort falls short. Raises LO103 argument out of range or no index, LO203 unknown collection, LO205 vector of another size.';

REVOKE ALL ON FUNCTION lore.tune(text, double precision, integer, integer, vector[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.tune(text, double precision, integer, integer, vector[]) TO lore_admin;
