-- 320_similarity.sql: how alike two texts are. Needs 200_host.

CREATE FUNCTION lore.similarity(
    a     text,
    b     text,
    model text DEFAULT NULL                 -- alias; NULL is the default embedder
) RETURNS double precision
LANGUAGE sql STABLE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN a IS NOT NULL AND b IS NOT NULL
           THEN (lore._call('similarity', jsonb_build_object('a', a, 'b', b, 'model', model)) ->> 'similarity')::double precision END
$$;

COMMENT ON FUNCTION lore.similarity(text, text, text) IS
    'Cosine of the vectors of two texts, -1 to 1. Raises LO101 empty input, LO102 input too long, LO201 unknown model.';

REVOKE ALL ON FUNCTION lore.similarity(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.similarity(text, text, text) TO lore_reader;
