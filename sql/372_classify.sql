-- 372_classify.sql: which label fits a text, or which of them do. Needs 370_operate. VOLATILE as 371_matches says.

CREATE FUNCTION lore._classified(
    inputs    text[],
    labels    text[],
    arguments jsonb,
    bearing   boolean DEFAULT false
) RETURNS jsonb[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN inputs IS NOT NULL AND labels IS NOT NULL THEN
        lore._operated('classify', inputs, arguments || jsonb_build_object('labels', labels), bearing) END
$$;

COMMENT ON FUNCTION lore._classified(text[], text[], jsonb, boolean) IS
    'Results of classify for an array: {"labels", "scores", "decided_by"}. NULL inputs or labels give NULL.';

CREATE FUNCTION lore.classify(
    input        text,
    labels       text[],                    -- at most 10,000; the language model is given the 50 nearest
    model        text DEFAULT NULL,         -- alias of a language model; NULL is the default generator, 'extractive' is none
    embedder     text DEFAULT NULL,         -- alias; NULL is the default embedder
    descriptions text[] DEFAULT NULL,       -- what each label means, in the order of labels
    instruction  text DEFAULT NULL,         -- what matters, for the language model
    agreement    double precision DEFAULT 0.95 -- of what the embedding decides, the share on which the model agrees; 1 asks the model about all
) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (lore._classified(ARRAY[input], labels, jsonb_build_object('model', model, 'embedder', embedder,
        'descriptions', descriptions, 'instruction', instruction, 'agreement', agreement)))[1] -> 'labels' ->> 0
$$;

COMMENT ON FUNCTION lore.classify(text, text[], text, text, text[], text, double precision) IS
    'The label that fits a text best. As with lore.matches, the embedding decides where it is sure, and the language model the rest; without one the embedding alone decides, and a NOTICE tells. Raises LO101 empty input, LO102 input too long or too many labels, LO103 labels empty or twice, LO201 unknown model, LO301 server down, LO302 busy.';

CREATE FUNCTION lore.classify(
    inputs       text[],                    -- NULL elements stay NULL
    labels       text[],
    model        text DEFAULT NULL,
    embedder     text DEFAULT NULL,
    descriptions text[] DEFAULT NULL,
    instruction  text DEFAULT NULL,
    agreement    double precision DEFAULT 0.95,
    sample       integer DEFAULT NULL       -- texts that the model is asked about to learn from; NULL is a fifth, 100 to 300
) RETURNS text[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN inputs IS NOT NULL AND labels IS NOT NULL THEN ARRAY(
        SELECT r.one -> 'labels' ->> 0
        FROM unnest(lore._classified(inputs, labels, jsonb_build_object('model', model, 'embedder', embedder, 'descriptions', descriptions,
            'instruction', instruction, 'agreement', agreement, 'sample', sample))) WITH ORDINALITY AS r(one, n) ORDER BY r.n) END
$$;

COMMENT ON FUNCTION lore.classify(text[], text[], text, text, text[], text, double precision, integer) IS
    'The same of an array, in its order: one call; a NOTICE tells how many the embedding and the model decided. The error of an element names its place. Raises LO101, LO102, LO103, LO201, LO301, LO302.';

CREATE FUNCTION lore.classify_multiple(
    input        text,
    labels       text[],
    model        text DEFAULT NULL,
    embedder     text DEFAULT NULL,
    descriptions text[] DEFAULT NULL,
    instruction  text DEFAULT NULL,
    agreement    double precision DEFAULT 0.95
) RETURNS text[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN r.one IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(r.one -> 'labels')) END
    FROM (SELECT (lore._classified(ARRAY[input], labels, jsonb_build_object('model', model, 'embedder', embedder, 'descriptions', descriptions,
        'instruction', instruction, 'agreement', agreement, 'multiple', true)))[1] OFFSET 0) AS r(one)
$$;

COMMENT ON FUNCTION lore.classify_multiple(text, text[], text, text, text[], text, double precision) IS
    'All labels that fit a text, the nearest first; none is {}. For many texts at once: lore.classify_result with multiple. Raises as lore.classify: LO101, LO102, LO103, LO201, LO301, LO302.';

CREATE FUNCTION lore.classify_result(
    inputs       text[],
    labels       text[],
    model        text DEFAULT NULL,
    embedder     text DEFAULT NULL,
    descriptions text[] DEFAULT NULL,
    instruction  text DEFAULT NULL,
    agreement    double precision DEFAULT 0.95,
    sample       integer DEFAULT NULL,
    multiple     boolean DEFAULT false      -- any number of labels, instead of one
) RETURNS TABLE (ordinal integer, label text, score double precision, decided_by text, error text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.n::integer, l.label, (r.one -> 'scores' ->> l.label)::double precision, r.one ->> 'decided_by', lore._failure(r.one)
    FROM unnest(lore._classified(inputs, labels, jsonb_build_object('model', model, 'embedder', embedder, 'descriptions', descriptions,
        'instruction', instruction, 'agreement', agreement, 'sample', sample, 'multiple', multiple), true)) WITH ORDINALITY AS r(one, n)
        LEFT JOIN LATERAL jsonb_array_elements_text(r.one -> 'labels') WITH ORDINALITY AS l(label, n) ON true
    ORDER BY r.n, l.n
$$;

COMMENT ON FUNCTION lore.classify_result(text[], text[], text, text, text[], text, double precision, integer, boolean) IS
    'A row for each label that a text of an array was given: the label, how near it is by the embedding (0 to 1; over all labels 1 together unless multiple), and who decided: embedding or model. A text without a label has a row with NULL, one that failed alone its error in a column. Raises LO102, LO103, LO201, LO301, LO302.';

CREATE FUNCTION lore.classify_scores(
    input        text,
    labels       text[],
    embedder     text DEFAULT NULL,
    descriptions text[] DEFAULT NULL
) RETURNS TABLE (label text, score double precision)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 20
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.key, s.value::double precision
    FROM jsonb_each_text((lore._classified(ARRAY[input], labels, jsonb_build_object('model', 'extractive', 'embedder', embedder,
        'descriptions', descriptions)))[1] -> 'scores') AS s
    ORDER BY s.value::double precision DESC, s.key
$$;

COMMENT ON FUNCTION lore.classify_scores(text, text[], text, text[]) IS
    'How near the labels are to a text by the embedding, the nearest first: at most 20, of all labels 1 together. No language model is asked. Raises LO101, LO102, LO103, LO201, LO302.';

REVOKE ALL ON FUNCTION lore._classified(text[], text[], jsonb, boolean),
    lore.classify(text, text[], text, text, text[], text, double precision), lore.classify(text[], text[], text, text, text[], text, double precision, integer),
    lore.classify_multiple(text, text[], text, text, text[], text, double precision),
    lore.classify_result(text[], text[], text, text, text[], text, double precision, integer, boolean),
    lore.classify_scores(text, text[], text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._classified(text[], text[], jsonb, boolean),
    lore.classify(text, text[], text, text, text[], text, double precision), lore.classify(text[], text[], text, text, text[], text, double precision, integer),
    lore.classify_multiple(text, text[], text, text, text[], text, double precision),
    lore.classify_result(text[], text[], text, text, text[], text, double precision, integer, boolean),
    lore.classify_scores(text, text[], text, text[]) TO lore_reader;
