-- 491_unseen.sql: how much of its neighbours a query misses that is not in a graph, beyond what a chunk in it misses. Needs 476_build_index, 490_recall.
-- The links of a chunk in the graph lead to its neighbours, so that the collection's own chunks are found too easily for queries. Some of
-- them are therefore left out of a second index, built of the others in the same way, and searched for there.

CREATE FUNCTION lore._share_condition(
    share double precision                  -- of the documents
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN share < 1 THEN format('d.id * 7919 %% 1000 < %s', 1000 * share) END $$;

COMMENT ON FUNCTION lore._share_condition(double precision) IS 'SQL condition of a filter that has nothing to do with the vectors and lets a share of the documents d through; NULL for all.';

CREATE FUNCTION lore._passing(
    probes lore._probe[],
    k      integer,
    share  double precision
) RETURNS lore._probe[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Of a filter that few pass only 60 are taken: each takes 1 / share as long.
    SELECT (array_agg(ROW(p.embedding, p.own, n.near, NULL)::lore._probe ORDER BY p.place))[:CASE WHEN share < 1 THEN 60 ELSE 10000 END]
    FROM unnest(probes) WITH ORDINALITY AS p(embedding, own, near, documents, place),
         LATERAL (SELECT (array_agg(u.id ORDER BY u.place))[1:k] AS near FROM unnest(p.near, p.documents) WITH ORDINALITY AS u(id, document, place)
                  WHERE share = 1 OR u.document * 7919 % 1000 < 1000 * share) AS n
    WHERE cardinality(n.near) = least(k, cardinality(p.near))
$$;

COMMENT ON FUNCTION lore._passing(lore._probe[], integer, double precision) IS 'Queries with those of their neighbours that pass such a filter.';

CREATE TYPE lore._twin AS (
    collection lore._collection,            -- the same with a copy of its chunks, some left out
    members    lore._probe[],               -- queries by chunks in the copy
    strangers  lore._probe[]                -- queries by chunks left out
);

COMMENT ON TYPE lore._twin IS 'A copy of a collection that lacks some chunks, which are queries.';

CREATE FUNCTION lore._twin(
    collection lore._collection,
    probes     lore._probe[],               -- of chunks; the last three quarters are left out
    share      double precision             -- of the chunks to copy, or more
) RETURNS lore._twin
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    t       lore._twin := ROW(collection, NULL, NULL)::lore._twin;
    inside  integer := greatest(1, cardinality(probes) / 4);  -- the others tell more: in two indexes the same ones err alike
    options jsonb := (SELECT v.options FROM lore_data.vector_indexes AS v WHERE v.collection_id = collection.id);
    memory  text := current_setting('maintenance_work_mem');
    kept    constant text := '((hashint8extended(c.id, 11) & 1023) < %s OR c.id = ANY (%L)) AND c.id <> ALL (%L)';
    chosen  text;
    size    bigint;
BEGIN
    SELECT format(kept, 1024 * share, array_agg(p.own) FILTER (WHERE p.place <= inside), array_agg(p.own) FILTER (WHERE p.place > inside))
    INTO chosen FROM unnest(probes) WITH ORDINALITY AS p(embedding, own, near, documents, place);
    t.collection.chunks := format('lore_data.twin_%s', collection.id);
    EXECUTE format('CREATE UNLOGGED TABLE %s AS SELECT c.id, c.document_id, c.embedding FROM %s AS c WHERE %s', (t.collection).chunks, collection.chunks, chosen);
    EXECUTE format('ANALYZE %s', (t.collection).chunks);
    size := lore._chunk_count(t.collection);
    PERFORM set_config('maintenance_work_mem', lore._index_memory(collection.searched, size, collection.dimensions, options), true);
    PERFORM lore._create_index(lore._index_definition(t.collection, collection.searched, options, size, format('twin_%s_vector', collection.id)));
    PERFORM set_config('maintenance_work_mem', memory, true);
    EXECUTE format('SELECT array_agg(q.probe ORDER BY q.place) FILTER (WHERE q.place <= $2), array_agg(q.probe ORDER BY q.place) FILTER (WHERE q.place > $2)
        FROM (SELECT p.place, ROW(p.embedding, CASE WHEN p.place <= $2 THEN p.own END, n.near, n.documents)::lore._probe AS probe
              FROM unnest($1) WITH ORDINALITY AS p(embedding, own, near, documents, place),
                   LATERAL (SELECT array_agg(c.id ORDER BY c.place) AS near, array_agg(c.document ORDER BY c.place) AS documents
                            FROM unnest(p.near, p.documents) WITH ORDINALITY AS c(id, document, place) WHERE %s) AS n) AS q', chosen)
    INTO t.members, t.strangers USING probes, inside;
    RETURN t;
END
$$;

COMMENT ON FUNCTION lore._twin(lore._collection, lore._probe[], double precision) IS
    'A copy of a collection''s chunks with an index of the same kind, for the time of a transaction, and the queries for it.';

CREATE FUNCTION lore._unseen(
    twin   lore._twin,
    effort integer,
    k      integer,
    share  double precision                -- of the documents, that passes a filter
) RETURNS double precision
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c lore._collection := (twin).collection;
BEGIN
    c.effort := effort;
    RETURN (SELECT m.recall FROM lore._measured(c, lore._passing((twin).members, k, share), k, lore._share_condition(share), NULL) AS m)
         - (SELECT m.recall FROM lore._measured(c, lore._passing((twin).strangers, k, share), k, lore._share_condition(share), NULL) AS m);
END
$$;

COMMENT ON FUNCTION lore._unseen(lore._twin, integer, integer, double precision) IS
    'By how much the recall of queries that are not in the graph is below that of chunks in it.';

REVOKE ALL ON TYPE lore._twin FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._share_condition(double precision), lore._passing(lore._probe[], integer, double precision),
    lore._twin(lore._collection, lore._probe[], double precision), lore._unseen(lore._twin, integer, integer, double precision) FROM PUBLIC;
GRANT USAGE ON TYPE lore._twin TO lore_admin;
GRANT EXECUTE ON FUNCTION lore._share_condition(double precision), lore._passing(lore._probe[], integer, double precision),
    lore._twin(lore._collection, lore._probe[], double precision), lore._unseen(lore._twin, integer, integer, double precision) TO lore_admin;
