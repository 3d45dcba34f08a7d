-- 478_maintain.sql: vector indexes kept fit: what is missing, broken, outgrown. Needs 476_build_index.

CREATE FUNCTION lore._index_state(
    collection text DEFAULT NULL            -- NULL: all of them
) RETURNS TABLE (collection_name text, kind text, wanted text, target text, rows bigint, changed double precision, valid boolean, reason text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c  lore._collection;
    v  record;
    k  lore._index_kind;
BEGIN
    FOR c IN SELECT o.* FROM lore_data.collections AS n, LATERAL lore._open(n.name) AS o WHERE ($1 IS NULL OR n.name = $1) AND lore._may_read(o) ORDER BY n.name LOOP
        SELECT * INTO v FROM lore_data.vector_indexes AS i WHERE i.collection_id = c.id;
        collection_name := c.name;
        kind := coalesce(v.kind, 'exact');
        wanted := c.index_kind;
        EXECUTE format('SELECT count(*), (count(*) FILTER (WHERE id > $1))::float8 / greatest(count(*), 1) FROM %s', c.chunks) INTO rows, changed USING coalesce(v.built_to, 0);
        target := CASE WHEN wanted = 'auto' THEN lore._choose_kind(rows, c.dimensions, lore._memory(), lore._schema_of('vectorscale') IS NOT NULL) ELSE wanted END;
        valid := c.searched = kind;
        k := lore._index_kind(target, c.metric);
        reason := CASE
            WHEN target = 'exact' OR k.trained AND rows < 1000 THEN NULL
            WHEN kind = 'exact' THEN CASE WHEN rows > 0 THEN format('has %s chunks and no vector index', rows) END
            WHEN NOT valid THEN 'has a vector index that is missing or was not built to its end'
            WHEN k.trained AND kind = target AND changed > 0.5 THEN format('has an index that was built before %s %% of its chunks came', round(100 * changed))
            WHEN kind = 'diskann' AND target = kind AND NOT v.options ? 'labels' AND coalesce(v.options -> 'of', '[]') <> to_jsonb(c.filterable) THEN
                'has an index whose labels are not those of its filterable fields'
            WHEN kind <> target AND (wanted <> 'auto' OR changed > 0.5) THEN format('has an index of kind %s where %s suits', kind, target) END;
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION lore._index_state(text) IS 'A collection''s vector index, or each''s, and the reason why it should be built, if any.';

CREATE FUNCTION lore.maintain(
    collection text DEFAULT NULL            -- NULL: all of them
) RETURNS TABLE (name text, action text, reason text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    s       record;
    outworn text[];
BEGIN
    PERFORM lore._require_catalog();
    IF $1 IS NOT NULL THEN
        PERFORM lore._open($1);
    END IF;
    BEGIN  -- the locks of who reads all end here: with them it would hold up others that it waits for
        outworn := ARRAY(SELECT i.collection_name FROM lore._index_state($1) AS i WHERE i.reason IS NOT NULL);
        RAISE EXCEPTION 'undone';
    EXCEPTION WHEN raise_exception THEN
    END;
    FOREACH name IN ARRAY outworn LOOP
        BEGIN
            PERFORM lore._lock_collection(name);
            SELECT * INTO s FROM lore._index_state(name);  -- anew: another may have built it meanwhile
            CONTINUE WHEN s.reason IS NULL;
            reason := s.reason;
            PERFORM FROM lore.build_index(name, s.wanted);
            action := format('built an index of kind %s', s.target);
        EXCEPTION WHEN SQLSTATE 'LO103' OR SQLSTATE 'LO206' OR SQLSTATE 'LO305' THEN  -- what cannot be built, or not now, holds up no other collection
            IF $1 IS NOT NULL THEN
                RAISE;
            END IF;
            action := 'built no index: ' || SQLERRM;
        END;
        RETURN NEXT;
    END LOOP;
    FOR s IN SELECT i.* FROM lore._vocabulary_state($1) AS i LOOP
        name := s.collection_name;
        action := format('counted %s words', lore._build_vocabulary(s.collection_name));
        reason := s.reason;
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION lore.maintain(text) IS
    'Builds what a collection, or each, has outgrown: a vector index that is missing, broken, of a kind that no longer suits, or learned from too few rows; and, where pg_trgm is installed, the vocabulary that misspelt words of a query are mended by. What was done, and why; no rows where all is well. Of all collections, one whose kind cannot be built, or that `pglore index` builds at this moment, is told of and holds up no other. Raises LO103, LO206 and LO305 of lore.build_index for one that is named, LO203 unknown collection.';

CREATE FUNCTION lore._label_findings() RETURNS TABLE (severity text, finding text, remedy text)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c     lore._collection;
    wrong bigint;
    other text;
BEGIN
    FOR c IN SELECT o.* FROM lore_data.collections AS n, LATERAL lore._open(n.name) AS o WHERE o.searched = 'diskann' AND lore._may_read(o) ORDER BY n.name LOOP
        IF c.labelled <> '{}' THEN
            EXECUTE format('SELECT count(*) FROM %s AS c JOIN (SELECT n.id, lore._labels($1, n.metadata) AS labels FROM %s AS n OFFSET 0) AS d ON d.id = c.document_id
                WHERE NOT coalesce(c.labels @> d.labels, false)', c.chunks, c.documents) INTO wrong USING c.labelled;
            IF wrong > 0 THEN
                RETURN QUERY SELECT 'error', format('%s chunks of collection "%s" lack labels of their documents: a search with a filter may miss them', wrong, c.name),
                    format('SELECT lore._fill_labels(%L, %L)', c.name, c.labelled);
            END IF;
        END IF;
        other := (SELECT string_agg(f, ', ') FROM unnest(c.filterable) AS f WHERE f <> ALL (c.labelled));
        IF other IS NOT NULL THEN
            RETURN QUERY SELECT 'info', format('the index of collection "%s" has no labels for %s: a filter on that is tried on each row that the index gives', c.name, other),
                'Nothing to do where a value is that of few documents. Else: lore.build_index(..., ''diskann'', options => ''{"labels": [...]}'').';
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION lore._label_findings() IS 'Findings about labels: chunks that lack one, fields that have none.';

CREATE FUNCTION lore._doctor_indexes() RETURNS TABLE (severity text, finding text, remedy text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH state AS MATERIALIZED (SELECT * FROM lore._index_state())
    SELECT l.* FROM lore._label_findings() AS l
    UNION ALL
    SELECT 'warning', format('collection "%s" was tuned to a recall of %s when it had %s chunks, and has %s now: a search may find less', s.collection_name, v.tuning ->> 'target', v.tuning ->> 'rows', s.rows),
           format('SELECT * FROM lore.tune(%L, %s, %s)', s.collection_name, v.tuning ->> 'target', v.tuning ->> 'k')
    FROM state AS s JOIN lore_data.collections AS c ON c.name = s.collection_name JOIN lore_data.vector_indexes AS v ON v.collection_id = c.id
    WHERE s.valid AND s.rows > 2 * (v.tuning ->> 'rows')::bigint
    UNION ALL
    SELECT 'warning', format('the index of collection "%s" finds %s of the nearest chunks at most, where lore.tune was to reach %s', s.collection_name, b.recall, v.tuning ->> 'target'),
           'Build an index of more links, or of another kind, with lore.build_index, and tune that; or accept a lower target.'
    FROM state AS s JOIN lore_data.collections AS c ON c.name = s.collection_name JOIN lore_data.vector_indexes AS v ON v.collection_id = c.id,
         LATERAL (SELECT min((e ->> 'recall')::numeric) AS recall FROM jsonb_array_elements(v.tuning -> 'bands') AS e) AS b
    WHERE s.valid AND b.recall < (v.tuning ->> 'target')::numeric
    UNION ALL
    SELECT 'warning', format('collection "%s" %s%s', s.collection_name, s.reason, CASE WHEN s.kind = 'exact' OR NOT s.valid THEN ': searches read every vector' ELSE '' END),
           format('SELECT * FROM lore.maintain(%L), or pglore index %s, which lets others write meanwhile.', s.collection_name, s.collection_name)
    FROM state AS s WHERE s.reason IS NOT NULL
$$;

COMMENT ON FUNCTION lore._doctor_indexes() IS 'Findings about vector indexes.';

REVOKE ALL ON FUNCTION lore._index_state(text), lore.maintain(text), lore._label_findings(), lore._doctor_indexes() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.maintain(text) TO lore_admin;
GRANT EXECUTE ON FUNCTION lore._index_state(text), lore._label_findings(), lore._doctor_indexes() TO lore_reader;
