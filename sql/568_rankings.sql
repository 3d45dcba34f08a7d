-- 568_rankings.sql: variants of a search run side by side, query by query. Needs 560_metrics, 565_variants.

CREATE TYPE lore._ranking AS (
    variant integer, query_id text, query text, keys text[], ms double precision,
    ndcg double precision, recall double precision, reciprocal_rank double precision
);

COMMENT ON TYPE lore._ranking IS 'What one variant, by its place, found for one query, and how good that is.';

CREATE FUNCTION lore._rankings(
    collections text[],                     -- of each variant
    arguments   jsonb[],                    -- of each variant
    names       text[],                     -- of each variant
    queries     jsonb,
    judgements  jsonb,
    k           integer
) RETURNS lore._ranking[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    calls    text[] := ARRAY(SELECT lore._variant_call(a) FROM unnest(arguments) WITH ORDINALITY AS u(a, n) ORDER BY n);
    test     record;
    variants integer := cardinality(arguments);
    variant  integer;
    started  timestamptz;
    ms       double precision;
    keys     text[];
    hint     text;
    gained   record;
    done     integer := 0;
    told     timestamptz := clock_timestamp();
    rankings lore._ranking[] := '{}';
BEGIN
    FOR test IN
        SELECT q.key AS id, q.value AS query, judgements -> q.key AS grades, count(*) OVER () AS tests
        FROM jsonb_each_text(queries) AS q
        WHERE EXISTS (SELECT FROM jsonb_each_text(judgements -> q.key) AS g WHERE g.value::double precision > 0) ORDER BY q.key COLLATE "C"
    LOOP
        IF done = 0 THEN
            FOR variant IN 1 .. variants LOOP  -- once unmeasured: a model that is loaded now, caches that fill
                BEGIN
                    EXECUTE calls[variant] INTO keys USING collections[variant], test.query, k, arguments[variant];
                EXCEPTION WHEN data_exception OR SQLSTATE 'LO103' OR SQLSTATE 'LO104' OR SQLSTATE 'LO201' OR SQLSTATE 'LO203' OR SQLSTATE 'LO206' THEN
                    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
                    PERFORM lore._raise(CASE WHEN sqlstate LIKE 'LO%' THEN sqlstate ELSE 'LO103' END, format('variant "%s": %s', left(names[variant], 60), sqlerrm),
                        coalesce(nullif(hint, ''), 'Its values must have the types of the arguments of lore.search.'));
                END;
            END LOOP;
        END IF;
        FOR turn IN 0 .. variants - 1 LOOP
            variant := (done + turn) % variants + 1;  -- another one goes first each time: none always finds what the one before it warmed
            started := clock_timestamp();
            EXECUTE calls[variant] INTO keys USING collections[variant], test.query, k, arguments[variant];
            ms := extract(epoch FROM clock_timestamp() - started) * 1000;
            gained := lore._ranking_metrics(keys, test.grades, k);
            rankings := rankings || ROW(variant, test.id, test.query, keys, ms, gained.ndcg, gained.recall, gained.reciprocal_rank)::lore._ranking;
        END LOOP;
        done := done + 1;
        IF clock_timestamp() > told + interval '1 second' THEN
            RAISE NOTICE 'evaluated % of % queries', done, test.tests;
            told := clock_timestamp();
        END IF;
    END LOOP;
    RETURN rankings;
END
$$;

COMMENT ON FUNCTION lore._rankings(text[], jsonb[], text[], jsonb, jsonb, integer) IS
    'What each variant finds for each query that has a relevant document, and the time that takes in the server; a NOTICE a second tells how far it is.';

REVOKE ALL ON TYPE lore._ranking FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._rankings(text[], jsonb[], text[], jsonb, jsonb, integer) FROM PUBLIC;
GRANT USAGE ON TYPE lore._ranking TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._rankings(text[], jsonb[], text[], jsonb, jsonb, integer) TO lore_reader;
