-- 507_wording.sql: how much of a query's very wording stands in the best candidates. Needs 400_catalog, 405_defaults.
-- BM25 counts stems wherever they stand, and no stop words. Among the best candidates, which share the subject, the forms of the
-- words and their order tell more: "before the war" in a row, "disobedience" and not "disobedient".

CREATE FUNCTION lore._query_words(
    collection lore._collection,
    query      text,
    OUT words   text[],                     -- in the order of the query, the first 64
    OUT weights double precision[]          -- inverse document frequency of the word's stem; NULL where it is not known
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c     lore._collection := collection;
    stems text[];                           -- NULL for a stop word, which no keyword index knows
BEGIN
    SELECT array_agg(w.word ORDER BY w.ordinal), array_agg((tsvector_to_array(to_tsvector(c.language::regconfig, w.word)))[1] ORDER BY w.ordinal)
    INTO words, stems
    FROM (SELECT m.found[1] AS word, m.ordinal FROM regexp_matches(lower(left(query, 4000)), '[[:alnum:]_]+', 'g') WITH ORDINALITY AS m(found, ordinal)
          WHERE length(m.found[1]) <= 100 ORDER BY m.ordinal LIMIT 64) AS w;
    IF c.keyword = 'bm25' AND words IS NOT NULL THEN
        -- The BM25 score of the word alone as a text: its inverse document frequency times 2.2 / (1 + 1.2 * (0.25 + 0.75 / length)).
        PERFORM set_config('search_path', format('pg_catalog, %s, pg_temp', c.keyword_schema), true);
        EXECUTE format('SELECT array_agg(CASE WHEN w.stem IS NOT NULL THEN nullif((1.3 / 2.2) * -(w.word OPERATOR(%1$s.<@>) %1$s.to_bm25query(w.word, %2$L)), 0) END ORDER BY w.ordinal)
            FROM (SELECT u.* FROM unnest($1, $2) WITH ORDINALITY AS u(word, stem, ordinal)) AS w', c.keyword_schema, c.keyword_index) INTO weights USING words, stems;
    ELSE
        weights := array_fill(NULL::double precision, ARRAY[coalesce(cardinality(words), 0)]);
    END IF;
    words := coalesce(words, '{}');
END
$$;

COMMENT ON FUNCTION lore._query_words(lore._collection, text) IS 'The words of a query with their weights.';

CREATE FUNCTION lore._wording(
    words   text[],
    weights double precision[],             -- NULL: by how few of the texts have the word
    texts   text[]
) RETURNS double precision[]
LANGUAGE plpython3u STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $python$
    if 'lore @VERSION@' not in GD: plpy.execute('SELECT lore._load()')
    return GD['lore @VERSION@'].wording(words, weights, texts)
$python$;

COMMENT ON FUNCTION lore._wording(text[], double precision[], text[]) IS
    'For each text the weights of the query''s words that stand in it, of its pairs and of its triples in a row: the mean weight of their words.';

CREATE FUNCTION lore.wording_scores(
    collection text,
    query      text,
    texts      text[]
) RETURNS double precision[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    asked record;
BEGIN
    IF query IS NULL OR texts IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM lore._require_query(query);
    IF array_ndims(texts) > 1 THEN
        PERFORM lore._raise('LO103', format('the array of texts has %s dimensions', array_ndims(texts)), 'Pass a one-dimensional array.');
    END IF;
    asked := lore._query_words(lore._open($1), query);
    RETURN lore._wording(asked.words, asked.weights, texts);
END
$$;

COMMENT ON FUNCTION lore.wording_scores(text, text, text[]) IS
    'How much of a query''s wording stands in each of some texts: its words, each by its rarity, and again for each two and three of them in a row. Raises LO101 empty query, LO103 array of arrays, LO203 unknown collection.';

REVOKE ALL ON FUNCTION lore._query_words(lore._collection, text), lore._wording(text[], double precision[], text[]),
    lore.wording_scores(text, text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._query_words(lore._collection, text), lore._wording(text[], double precision[], text[]),
    lore.wording_scores(text, text, text[]) TO lore_reader;
