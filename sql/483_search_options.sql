-- 483_search_options.sql: what lore.search takes and refuses. Needs 110_errors, 400_catalog.

CREATE TYPE lore._search_options AS (
    k            integer,
    mode         text,
    filter       jsonb,
    rerank       text,                      -- alias of a reranker, 'default', or NULL for none
    candidates   integer,                   -- NULL: what suits
    per_document integer,                   -- NULL: no limit
    fusion       text,
    diversity    double precision,
    neighbours   integer,
    weights      jsonb,                     -- by stage; NULL: the default ones
    expand       text,                      -- queries, hypothetical, or NULL for none
    generator    text,                      -- that expands; NULL: the default one
    match        text,                      -- of the words: any, all, phrase, prefix or fuzzy
    wordings     text[]                     -- others of the query, searched beside it: what expand => 'queries' leads to
);

COMMENT ON TYPE lore._search_options IS 'The arguments of lore.search but for the collection and the query.';

CREATE FUNCTION lore._require_search(
    query  text,
    wanted lore._search_options
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    w lore._search_options := wanted;
BEGIN
    PERFORM lore._require_query(query);
    IF w.k IS NULL OR w.k NOT BETWEEN 1 AND 1000 THEN
        PERFORM lore._raise('LO103', format('k is %s', coalesce(w.k::text, 'NULL')), 'k is 1 to 1000.');
    ELSIF w.mode IS NULL OR w.mode NOT IN ('hybrid', 'vector', 'keyword') THEN
        PERFORM lore._raise('LO103', format('mode is "%s"', coalesce(left(w.mode, 60), 'NULL')), 'mode is hybrid, vector or keyword.');
    ELSIF w.candidates NOT BETWEEN 1 AND 10000 THEN
        PERFORM lore._raise('LO103', format('candidates is %s', w.candidates), 'candidates is 1 to 10,000.');
    ELSIF w.per_document < 1 THEN
        PERFORM lore._raise('LO103', format('per_document is %s', w.per_document), 'per_document is 1 or more, or NULL for no limit.');
    ELSIF w.fusion IS NULL OR w.fusion NOT IN ('score', 'rrf') THEN
        PERFORM lore._raise('LO103', format('fusion is "%s"', coalesce(left(w.fusion, 60), 'NULL')), 'fusion is score or rrf.');
    ELSIF w.diversity NOT BETWEEN 0 AND 1 THEN
        PERFORM lore._raise('LO103', format('diversity is %s', w.diversity), 'diversity is 0 to 1.');
    ELSIF w.neighbours IS NULL OR w.neighbours NOT BETWEEN 0 AND 100 THEN
        PERFORM lore._raise('LO103', format('neighbours is %s', coalesce(w.neighbours::text, 'NULL')), 'neighbours is 0 to 100.');
    ELSIF w.expand NOT IN ('queries', 'hypothetical') THEN
        PERFORM lore._raise('LO103', format('expand is "%s"', left(w.expand, 60)), 'expand is queries or hypothetical, or NULL for none.');
    ELSIF w.expand IS NOT NULL AND query IS NULL THEN
        PERFORM lore._raise('LO103', 'there is no query to expand', 'Pass the text of the query, with its vector if you like, or leave expand out.');
    ELSIF w.rerank IS NOT NULL AND query IS NULL THEN
        PERFORM lore._raise('LO103', 'there is no query to rerank by', 'Pass the text of the query beside its vector, or leave rerank out.');
    ELSIF w.expand = 'hypothetical' AND w.mode = 'keyword' THEN
        PERFORM lore._raise('LO103', 'expand => ''hypothetical'' changes the vector of a query, which mode => ''keyword'' does not look at', 'Take another mode, or expand => ''queries''.');
    END IF;
    PERFORM lore._require_match(w.match);
    IF w.mode = 'vector' AND w.match <> 'any' THEN
        PERFORM lore._raise('LO103', format('match => ''%s'' is about words, which mode => ''vector'' does not look at', w.match), 'Take mode => ''hybrid'' or ''keyword'', and a query.');
    END IF;
    IF w.weights IS NOT NULL THEN
        PERFORM lore._require_weights(w.weights);
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_search(text, lore._search_options) IS
    'Raises LO101 empty query, LO102 query too long, LO103 argument out of range.';

CREATE FUNCTION lore._require_vector(
    collection lore._collection,
    embedding  vector
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    numbers constant real[] := embedding::real[];
BEGIN
    IF cardinality(numbers) <> (collection).dimensions THEN
        PERFORM lore._raise('LO205', format('the vector has %s dimensions, those of collection "%s" have %s', cardinality(numbers),
            (collection).name, (collection).dimensions), format('Embed the query with model "%s".', (collection).model));
    ELSIF 65504::real < ANY (numbers) OR -65504::real > ANY (numbers) THEN  -- the same whether there is an index or not
        PERFORM lore._raise('LO103', 'a number of the vector is beyond 65,504, the largest of the half precision that indexes hold',
            CASE (collection).metric WHEN 'l2' THEN 'Pass a vector that is as long as those of the collection.' ELSE 'Scale the vector: the order comes from its direction.' END);
    ELSIF (collection).metric <> 'l2' AND 0.0001::real > ALL (numbers) AND -0.0001::real < ALL (numbers) THEN
        -- The cosine of zeros is not a number, nor is then any score; what is nearly zero is zero in half precision.
        PERFORM lore._raise('LO103', 'all numbers of the vector are 0, or nearer to 0 than 0.0001, which has no direction to compare',
            format('Embed the query with model "%s", or scale the vector.', (collection).model));
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_vector(lore._collection, vector) IS 'Raises LO205 for a vector of another size than the collection''s, LO103 for one with a number beyond half precision, or, unless the metric is l2, without a direction.';

CREATE FUNCTION lore._require_sample(
    k       integer,
    sample  integer,
    queries vector[]                        -- NULL: the collection's own chunks
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF k IS NULL OR k NOT BETWEEN 1 AND 1000 THEN
        PERFORM lore._raise('LO103', format('k is %s', coalesce(k::text, 'NULL')), 'k is 1 to 1000.');
    ELSIF sample IS NULL OR sample NOT BETWEEN 1 AND 10000 THEN
        PERFORM lore._raise('LO103', format('sample is %s', coalesce(sample::text, 'NULL')), 'sample is 1 to 10,000 queries.');
    ELSIF cardinality(queries) = 0 OR EXISTS (SELECT FROM unnest(queries) AS q WHERE q IS NULL) THEN
        PERFORM lore._raise('LO103', 'queries is empty, or one of them is NULL', 'Pass vectors of queries, or leave them out for chunks of the collection.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_sample(integer, integer, vector[]) IS 'Raises LO103 argument out of range.';

REVOKE ALL ON TYPE lore._search_options FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._require_search(text, lore._search_options),
    lore._require_vector(lore._collection, vector), lore._require_sample(integer, integer, vector[]) FROM PUBLIC;
GRANT USAGE ON TYPE lore._search_options TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._require_search(text, lore._search_options),
    lore._require_vector(lore._collection, vector), lore._require_sample(integer, integer, vector[]) TO lore_reader;
