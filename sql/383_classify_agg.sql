-- 383_classify_agg.sql: how the texts of many rows spread over labels. Needs 372_classify, 380_gather.

CREATE FUNCTION lore._classify_agg_part(
    state lore._gathered
) RETURNS lore._gathered
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    results constant jsonb[] := lore._operated('classify', state.inputs, state.arguments);
BEGIN
    state.parts := state.parts || (SELECT jsonb_agg(jsonb_build_array(g.label, g.decided_by, g.count))
        FROM (SELECT r.one -> 'labels' -> 0, r.one -> 'decided_by', count(*) FROM unnest(results) AS r(one) GROUP BY 1, 2) AS g(label, decided_by, count));
    state.inputs := '{}';
    state.characters := 0;
    RETURN state;
END
$$;

COMMENT ON FUNCTION lore._classify_agg_part(lore._gathered) IS 'Classifies the texts gathered so far, and keeps how many each label has.';

CREATE FUNCTION lore._classify_agg_step(
    state  lore._gathered,
    input  text,
    labels text[],
    model  text
) RETURNS lore._gathered
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most       constant integer := 1000;    -- texts of a part
    characters constant integer := 400000;
BEGIN
    IF state IS NULL THEN
        state := ROW(jsonb_build_object('labels', labels, 'model', model), '{}', 0, '[]', false)::lore._gathered;
    END IF;
    IF input IS NULL OR input !~ '\S' OR labels IS NULL THEN
        RETURN state;
    END IF;
    state.inputs := state.inputs || input;
    state.characters := state.characters + length(input);
    IF cardinality(state.inputs) >= most OR state.characters >= characters THEN
        state := lore._classify_agg_part(state);
    END IF;
    RETURN state;
END
$$;

COMMENT ON FUNCTION lore._classify_agg_step(lore._gathered, text, text[], text) IS 'Step of classify_agg.';

CREATE FUNCTION lore._classify_agg_step(
    state  lore._gathered,
    input  text,
    labels text[]
) RETURNS lore._gathered
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._classify_agg_step(state, input, labels, NULL)
$$;

COMMENT ON FUNCTION lore._classify_agg_step(lore._gathered, text, text[]) IS 'Step of classify_agg.';

CREATE FUNCTION lore._classify_agg_end(
    state lore._gathered
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF cardinality(state.inputs) > 0 THEN
        state := lore._classify_agg_part(state);
    END IF;
    RETURN (
        WITH p AS (SELECT e.part ->> 0 AS label, e.part ->> 1 AS decided_by, (e.part ->> 2)::bigint AS count FROM jsonb_array_elements(state.parts) AS e(part))
        SELECT jsonb_build_object(
            'label', (SELECT label FROM p GROUP BY label ORDER BY sum(count) DESC, label LIMIT 1),
            'counts', (SELECT jsonb_object_agg(c.label, c.count) FROM (SELECT label, sum(count) FROM p GROUP BY label) AS c(label, count)),
            'count', sum(count),
            'decided_by', (SELECT jsonb_object_agg(c.name, c.count) FROM (SELECT decided_by, sum(count) FROM p GROUP BY decided_by) AS c(name, count)))
        FROM p HAVING count(*) > 0);
END
$$;

COMMENT ON FUNCTION lore._classify_agg_end(lore._gathered) IS 'Last step of classify_agg.';

CREATE AGGREGATE lore.classify_agg(input text, labels text[]) (
    SFUNC = lore._classify_agg_step, STYPE = lore._gathered, FINALFUNC = lore._classify_agg_end, PARALLEL = UNSAFE
);

COMMENT ON AGGREGATE lore.classify_agg(text, text[]) IS
    'How the texts of many rows spread over labels: {"label": the most frequent, "counts": {label: texts}, "count": texts, "decided_by": {"embedding": texts, "model": texts}}. Each text is classified as by lore.classify, some hundred together. NULL and blank texts are left out, and no text gives NULL. Raises LO102, LO103 labels empty or twice, LO201 unknown model, LO301 server down, LO302 busy.';

CREATE AGGREGATE lore.classify_agg(input text, labels text[], model text) (
    SFUNC = lore._classify_agg_step, STYPE = lore._gathered, FINALFUNC = lore._classify_agg_end, PARALLEL = UNSAFE
);

COMMENT ON AGGREGATE lore.classify_agg(text, text[], text) IS
    'The same by a language model that is named, or by none: ''extractive''. Raises LO102, LO103, LO201, LO301, LO302.';

REVOKE ALL ON FUNCTION lore._classify_agg_part(lore._gathered), lore._classify_agg_step(lore._gathered, text, text[], text),
    lore._classify_agg_step(lore._gathered, text, text[]), lore._classify_agg_end(lore._gathered),
    lore.classify_agg(text, text[]), lore.classify_agg(text, text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._classify_agg_part(lore._gathered), lore._classify_agg_step(lore._gathered, text, text[], text),
    lore._classify_agg_step(lore._gathered, text, text[]), lore._classify_agg_end(lore._gathered),
    lore.classify_agg(text, text[]), lore.classify_agg(text, text[], text) TO lore_reader;
