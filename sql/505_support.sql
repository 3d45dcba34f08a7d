-- 505_support.sql: a chunk is the better a hit the better the other chunks of its document are. Needs 405_defaults, 400_catalog.

CREATE FUNCTION lore._supported(
    collection lore._collection,
    k          integer
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Gains are counted from the weakest candidate. Of a document's best n + 1 gains each takes the others; a weaker chunk takes
    -- the best n. A document of few chunks is not held back: its own gain stands, in part, for the chunks that it cannot have;
    -- which is looked up where it can bring a chunk among the first k.
    SELECT format($sql$gained AS (
    SELECT f.*, f.fusion_score - min(f.fusion_score) OVER () AS gain,
           row_number() OVER (PARTITION BY f.document_id ORDER BY f.fusion_score DESC, f.ordinal) AS place,
           row_number() OVER (ORDER BY f.fusion_score DESC, f.id) AS overall
    FROM fused AS f
), supported AS MATERIALIZED (
    SELECT g.id, g.document_id, g.ordinal, g.vector_score, g.keyword_score, g.fusion_score,
           g.gain + %1$s * (
               CASE WHEN g.place <= %2$s + 1 THEN sum(g.gain) FILTER (WHERE g.place <= %2$s + 1) OVER document - g.gain
                    ELSE sum(g.gain) FILTER (WHERE g.place <= %2$s) OVER document END
               + %3$s * g.gain * greatest(0, %2$s + 1 - size.chunks)) AS score
    FROM gained AS g, LATERAL (
        SELECT CASE WHEN g.overall <= %5$s THEN (SELECT count(*) FROM (SELECT FROM %4$s AS c WHERE c.document_id = g.document_id LIMIT %2$s + 1) AS few)
               ELSE %2$s + 1 END AS chunks
    ) AS size
    WINDOW document AS (PARTITION BY g.document_id ORDER BY g.place ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
)$sql$, lore._support('weight'), lore._support('chunks'), lore._support('missing'), (collection).chunks, greatest(50, 5 * k))
$$;

COMMENT ON FUNCTION lore._supported(lore._collection, integer) IS
    'The fused candidates with their score: their own gain in the fusion, and a share of the gains of their document''s other chunks.';

REVOKE ALL ON FUNCTION lore._supported(lore._collection, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._supported(lore._collection, integer) TO lore_reader;
