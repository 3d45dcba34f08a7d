-- 484_weights.sql: how much each stage of a search counts. Needs 110_errors, 405_defaults.

CREATE FUNCTION lore._weight(
    stage   text,
    weights jsonb                           -- of the search; NULL, or without the stage, is the default
) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce((weights ->> stage)::double precision, lore._weight(stage)) $$;

COMMENT ON FUNCTION lore._weight(text, jsonb) IS 'Weight of a stage''s normalised score in a search.';

CREATE FUNCTION lore._require_weights(
    weights jsonb
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hint constant text := 'weights is such as {"vector": 1, "keyword": 0.5, "wording": 0.5, "rerank": 1}; each is 0, or 0.000001 to 1000.';
    given record;
BEGIN
    IF jsonb_typeof(weights) <> 'object' THEN
        PERFORM lore._raise('LO103', 'weights is not a JSON object', hint);
    END IF;
    FOR given IN SELECT w.key, w.value FROM jsonb_each(weights) AS w LOOP
        IF lore._weight(given.key) IS NULL THEN
            PERFORM lore._raise('LO103', format('weights names "%s", which is no stage', left(given.key, 60)), hint);
        -- Compared as numeric: what comes through is no surprise as a double.
        ELSIF jsonb_typeof(given.value) <> 'number' OR NOT (given.value::numeric = 0 OR given.value::numeric BETWEEN 0.000001 AND 1000) THEN
            PERFORM lore._raise('LO103', format('the weight of %s is %s', given.key, left(given.value::text, 60)), hint);
        END IF;
    END LOOP;
    IF lore._weight('vector', weights) + lore._weight('keyword', weights) + lore._weight('wording', weights) = 0 THEN
        PERFORM lore._raise('LO103', 'the weights of vector, keyword and wording are all 0', hint);
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_weights(jsonb) IS 'Raises LO103 for weights that cannot be.';

REVOKE ALL ON FUNCTION lore._weight(text, jsonb), lore._require_weights(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._weight(text, jsonb), lore._require_weights(jsonb) TO lore_reader;
