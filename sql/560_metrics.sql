-- 560_metrics.sql: how good a ranking is, and whether two sets of rankings differ. Needs 100_schema. Reads no table.
-- The formulas are those of trec_eval, so that other tools give the same numbers; the tests compare with ir_measures.

CREATE FUNCTION lore._ranking_metrics(
    keys   text[],                          -- best first; a key that comes again counts once, where it first stands
    grades jsonb,                           -- {"key": grade}, above 0 where relevant
    k      integer,
    OUT ndcg double precision, OUT recall double precision, OUT reciprocal_rank double precision
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Gain is the grade, discount the logarithm to base 2 of the place + 1: Jarvelin and Kekalainen 2002. Summed in the order of the
    -- places, so that rankings of equal worth are equal to the last bit: a paired test would take the rest of a rounding for a difference.
    WITH relevant AS (
        SELECT g.key, g.value::double precision AS grade, row_number() OVER (ORDER BY g.value::double precision DESC) AS ideal
        FROM jsonb_each_text(grades) AS g WHERE g.value::double precision > 0
    ), ranking AS (
        SELECT u.key, row_number() OVER (ORDER BY min(u.n)) AS place FROM unnest(keys) WITH ORDINALITY AS u(key, n) GROUP BY u.key
    ), found AS (
        SELECT f.place, r.grade FROM ranking AS f JOIN relevant AS r USING (key) WHERE f.place <= k
    )
    SELECT coalesce((SELECT sum(f.grade / (ln(f.place + 1) / ln(2)) ORDER BY f.place) FROM found AS f)
               / (SELECT sum(r.grade / (ln(r.ideal + 1) / ln(2)) ORDER BY r.ideal) FROM relevant AS r WHERE r.ideal <= k), 0),
           coalesce((SELECT count(*) FROM found)::double precision / nullif((SELECT count(*) FROM relevant), 0), 0),
           coalesce(1.0::double precision / (SELECT min(f.place) FROM found AS f), 0)
$$;

COMMENT ON FUNCTION lore._ranking_metrics(text[], jsonb, integer) IS
    'nDCG, recall and reciprocal rank of the first k keys of a ranking; 0 without relevant keys.';

CREATE FUNCTION lore._paired_p(
    differences double precision[]          -- of one metric between two systems, one a query
) RETURNS double precision
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n       integer;
    mean    double precision;
    spread  double precision;
    angle   double precision;
    squared double precision;               -- of the angle's cosine
    term    double precision := 1;
    total   double precision := 0;
BEGIN
    SELECT count(*), avg(d), stddev_samp(d) INTO n, mean, spread FROM unnest(differences) AS d;
    IF n < 2 THEN
        RETURN NULL;
    ELSIF spread = 0 THEN
        RETURN CASE WHEN mean = 0 THEN 1 ELSE 0 END;
    END IF;
    -- Student's t with n - 1 degrees of freedom, a finite sum for whole numbers: Abramowitz and Stegun, 26.7.3 and 26.7.4.
    angle := atan(abs(mean) / (spread / sqrt(n)) / sqrt(n - 1));
    squared := cos(angle) ^ 2;
    FOR j IN 1 .. (n - 1) / 2 LOOP
        total := total + term;
        term := term * squared * CASE WHEN n % 2 = 0 THEN 2.0 * j / (2 * j + 1) ELSE (2.0 * j - 1) / (2 * j) END;
        EXIT WHEN term < 1e-18;
    END LOOP;
    RETURN greatest(0, 1 - CASE WHEN n % 2 = 0 THEN 2 / pi() * (angle + sin(angle) * cos(angle) * total) ELSE sin(angle) * total END);
END
$$;

COMMENT ON FUNCTION lore._paired_p(double precision[]) IS
    'Two-sided p-value of a paired t test; NULL for fewer than two differences, 1 where all are 0.';

REVOKE ALL ON FUNCTION lore._ranking_metrics(text[], jsonb, integer), lore._paired_p(double precision[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._ranking_metrics(text[], jsonb, integer), lore._paired_p(double precision[]) TO lore_reader;
