-- 379_similarity_join.sql: pairs of texts of two arrays that are alike. Needs 370_operate. VOLATILE as 371_matches says.

CREATE FUNCTION lore.similarity_join(
    left_inputs  text[],                    -- NULL elements have no partners
    right_inputs text[],                    -- NULL elements are nobody's; at most 5,000
    k            integer DEFAULT 1,         -- partners of each left text, at most; up to 1,000
    min_score    double precision DEFAULT NULL, -- cosine that a pair has at least; NULL is any
    condition    text DEFAULT NULL,         -- what must hold of a pair, asked of the language model: 'both name the same company'
    model        text DEFAULT NULL,         -- alias of a language model; NULL is the default generator, 'extractive' is none
    embedder     text DEFAULT NULL          -- alias; NULL is the default embedder
) RETURNS TABLE (left_ordinal integer, right_ordinal integer, left_input text, right_input text, score double precision, decided_by text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
    WITH others AS MATERIALIZED (
        SELECT array_agg(o.input ORDER BY o.n) AS inputs, array_agg(o.n::integer ORDER BY o.n) AS places
        FROM unnest(right_inputs) WITH ORDINALITY AS o(input, n) WHERE o.input IS NOT NULL
    )
    SELECT r.n::integer, o.places[(p.pair ->> 0)::integer], (left_inputs)[array_lower(left_inputs, 1) + r.n - 1],
           o.inputs[(p.pair ->> 0)::integer], (p.pair ->> 1)::double precision, r.one ->> 'decided_by'
    FROM others AS o, unnest(CASE WHEN left_inputs IS NOT NULL AND o.inputs IS NOT NULL THEN
            lore._operated('similarity_join', left_inputs, jsonb_build_object('partners', o.inputs, 'k', k, 'min_score', min_score,
                'condition', condition, 'model', model, 'embedder', embedder)) END) WITH ORDINALITY AS r(one, n),
        jsonb_array_elements(r.one -> 'partners') WITH ORDINALITY AS p(pair, n)
    ORDER BY r.n, p.n
$$;

COMMENT ON FUNCTION lore.similarity_join(text[], text[], integer, double precision, text, text, text) IS
    'For each text of one array the k texts of another that are most like it, by the cosine of their vectors, places from 1. With a condition a language model confirms each pair; without one there, the embedding alone decides, and a NOTICE tells. For tables with an index: lore.search. Raises LO101 empty input, LO102 input too long, LO103 bad argument, LO201 unknown model, LO301 server down, LO302 busy.';

REVOKE ALL ON FUNCTION lore.similarity_join(text[], text[], integer, double precision, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.similarity_join(text[], text[], integer, double precision, text, text, text) TO lore_reader;
