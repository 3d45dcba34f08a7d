-- 508_fusion.sql: one score from those of the arms and of the wording. Needs 484_weights, 507_wording.

CREATE FUNCTION lore._normalised(
    score text                              -- SQL expression
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT format('coalesce((%1$s - avg(%1$s) OVER ()) / nullif(stddev_pop(%1$s) OVER (), 0), 0)', score) $$;

COMMENT ON FUNCTION lore._normalised(text) IS 'SQL of a score less its mean, over its standard deviation; 0 where all are equal, and where it is not known.';

CREATE FUNCTION lore._fused(
    collection lore._collection,
    wording    text,                        -- SQL expression of the scores of l.texts
    wanted     lore._search_options
) RETURNS text
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- The wording is looked at where the two arms together rank best; elsewhere it counts as the least that was seen.
    SELECT CASE (wanted).fusion WHEN 'rrf' THEN format($sql$fused AS (
    SELECT id, document_id, ordinal, vector_score, keyword_score, %1$s::double precision / (60 + rank() OVER (ORDER BY vector_score DESC))
        + CASE WHEN keyword_score > 0 THEN %2$s::double precision / (60 + rank() OVER (ORDER BY keyword_score DESC)) ELSE 0 END AS fusion_score
    FROM scored
)$sql$, lore._weight('vector', (wanted).weights), lore._weight('keyword', (wanted).weights) + lore._weight('wording', (wanted).weights))
    ELSE format($sql$worded AS MATERIALIZED (
    SELECT w.id, %1$s AS by_wording
    FROM (SELECT array_agg(s.id ORDER BY s.id) AS ids, array_agg(s.text ORDER BY s.id) AS texts
          FROM (SELECT id, text FROM scored ORDER BY by_vector + by_keyword DESC, id LIMIT 100) AS s) AS l,
         unnest(l.ids, %2$s) AS w(id, score)
), fused AS (
    SELECT s.id, s.document_id, s.ordinal, s.vector_score, s.keyword_score,
           %3$s * s.by_vector + %4$s * s.by_keyword + %5$s * coalesce(w.by_wording, min(w.by_wording) OVER ()) AS fusion_score
    FROM scored AS s
    LEFT JOIN worded AS w USING (id)
)$sql$, lore._normalised('w.score'), wording, lore._weight('vector', (wanted).weights), lore._weight('keyword', (wanted).weights), lore._weight('wording', (wanted).weights)) END
$$;

COMMENT ON FUNCTION lore._fused(lore._collection, text, lore._search_options) IS
    'The scored candidates with the sum of their normalised scores: of the vector arm, of the keyword arm, and of the wording. rrf: the sum of 1 / (60 + rank) in the two arms (Cormack, Clarke and Büttcher 2009).';

REVOKE ALL ON FUNCTION lore._normalised(text), lore._fused(lore._collection, text, lore._search_options) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._normalised(text), lore._fused(lore._collection, text, lore._search_options) TO lore_reader;
