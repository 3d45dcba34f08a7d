-- 439_keep_labels.sql: the labels of chunks kept in step with the metadata of their documents, whoever changes it. Needs 438_labels.
-- The column is there only beside an index that holds it. Its triggers carry the names of the fields, and find the other table by name.

CREATE FUNCTION lore._chunk_labels(
    documents   text,                       -- table, quoted and with its schema
    document_id bigint,
    fields      text[]
) RETURNS smallint[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    metadata jsonb;
BEGIN
    EXECUTE format('SELECT d.metadata FROM %s AS d WHERE d.id = $1', documents) INTO metadata USING document_id;
    IF metadata IS NULL THEN  -- without labels a search with a filter would not find it, though others may see its document
        PERFORM lore._raise('LO103', 'the document of a chunk is not there, or hidden from you', 'Add documents as a role that may see them.');
    END IF;
    RETURN lore._labels(fields, metadata);
END
$$;

COMMENT ON FUNCTION lore._chunk_labels(text, bigint, text[]) IS 'The labels of a document''s chunks. Raises LO103 where the document cannot be seen.';

CREATE FUNCTION lore._make_label_triggers() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Beside the tables and not in the extension, which could not be replaced while triggers hang on it.
    CREATE OR REPLACE FUNCTION lore_data.label_chunk() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $trigger$
    BEGIN
        NEW.labels := lore._chunk_labels(format('%I.%I', TG_TABLE_SCHEMA, regexp_replace(TG_TABLE_NAME, '_chunks$', '_documents')), NEW.document_id, TG_ARGV);
        RETURN NEW;
    END
    $trigger$;
    CREATE OR REPLACE FUNCTION lore_data.label_document() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $trigger$
    BEGIN
        EXECUTE format('UPDATE %I.%I AS c SET labels = $2 WHERE c.document_id = $1 AND c.labels IS DISTINCT FROM $2', TG_TABLE_SCHEMA,
            regexp_replace(TG_TABLE_NAME, '_documents$', '_chunks')) USING NEW.id, lore._labels(TG_ARGV, NEW.metadata);
        RETURN NULL;
    END
    $trigger$;
    COMMENT ON FUNCTION lore_data.label_chunk() IS 'Trigger: labels a chunk that is written.';
    COMMENT ON FUNCTION lore_data.label_document() IS 'Trigger: labels the chunks of a document whose metadata has changed.';
    REVOKE ALL ON FUNCTION lore_data.label_chunk(), lore_data.label_document() FROM PUBLIC;
    ALTER FUNCTION lore_data.label_chunk() OWNER TO lore_admin;
    ALTER FUNCTION lore_data.label_document() OWNER TO lore_admin;
END
$$;

COMMENT ON FUNCTION lore._make_label_triggers() IS 'Makes the functions of the triggers that keep labels.';

CREATE FUNCTION lore._has_labels(
    collection lore._collection
) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = to_regclass((collection).chunks) AND a.attname = 'labels' AND NOT a.attisdropped) $$;

COMMENT ON FUNCTION lore._has_labels(lore._collection) IS 'Whether the chunks of a collection have a column for labels.';

CREATE FUNCTION lore._make_labels(
    collection text,
    fields     text[]                       -- {}: the column and its triggers go
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    c     lore._collection;
    named text := (SELECT string_agg(quote_literal(f.field), ', ' ORDER BY f.place) FROM unnest(fields) WITH ORDINALITY AS f(field, place));
BEGIN
    PERFORM lore._lock_collection($1), lore._lock_tables($1);  -- writers finish first, and searches: no row is left without a label, and nobody waits crosswise
    c := lore._open($1);
    EXECUTE format('DROP TRIGGER IF EXISTS label ON %s', c.chunks);
    EXECUTE format('DROP TRIGGER IF EXISTS label ON %s', c.documents);
    -- The index in use is trusted with no field that is not kept any more.
    UPDATE lore_data.vector_indexes AS v SET options = jsonb_set(v.options, '{labelled}',
        (SELECT coalesce(jsonb_agg(f), '[]') FROM jsonb_array_elements_text(v.options -> 'labelled') AS f WHERE f = ANY (fields)))
    WHERE v.collection_id = c.id AND v.options ? 'labelled';
    IF named IS NULL THEN
        EXECUTE format('ALTER TABLE %s DROP COLUMN IF EXISTS labels', c.chunks);
        RETURN;
    END IF;
    PERFORM lore._make_label_triggers();
    EXECUTE format('ALTER TABLE %s ADD COLUMN IF NOT EXISTS labels smallint[]', c.chunks);
    EXECUTE format('CREATE TRIGGER label BEFORE INSERT OR UPDATE OF document_id ON %s FOR EACH ROW EXECUTE FUNCTION lore_data.label_chunk(%s)', c.chunks, named);
    EXECUTE format('CREATE TRIGGER label AFTER UPDATE ON %s FOR EACH ROW WHEN (OLD.metadata IS DISTINCT FROM NEW.metadata) EXECUTE FUNCTION lore_data.label_document(%s)', c.documents, named);
END
$$;

COMMENT ON FUNCTION lore._make_labels(text, text[]) IS 'Makes the column for labels, and the triggers that keep it from now on.';

CREATE FUNCTION lore._fill_labels(
    collection text,
    fields     text[]
) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $$
DECLARE
    c       lore._collection;
    changed bigint;
BEGIN
    PERFORM lore._lock_collection($1);
    c := lore._open($1);
    EXECUTE format('UPDATE %s AS c SET labels = d.labels FROM (SELECT n.id, lore._labels($1, n.metadata) AS labels FROM %s AS n OFFSET 0) AS d
        WHERE d.id = c.document_id AND c.labels IS DISTINCT FROM d.labels', c.chunks, c.documents) USING fields;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$$;

COMMENT ON FUNCTION lore._fill_labels(text, text[]) IS 'Labels the chunks that were there before; how many had other labels or none. Refuses to work where row-level security hides any.';

CREATE FUNCTION lore._categories(
    collection lore._collection,
    fields     text[]
) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    field  text;
    many   boolean;
    result text[] := '{}';
BEGIN
    FOREACH field IN ARRAY fields LOOP
        EXECUTE format('SELECT count(*) > 1000 FROM (SELECT DISTINCT v.value FROM %s AS d, jsonb_path_query(d.metadata, $1) AS v(value) LIMIT 1001) AS n', (collection).documents)
        INTO many USING lore._field_path(field);
        IF NOT many THEN
            result := result || field;
        END IF;
    END LOOP;
    RETURN result;
END
$$;

COMMENT ON FUNCTION lore._categories(lore._collection, text[]) IS 'Those of the fields that have up to 1,000 values: a filter on a field of more lets so few pass that exact search is quicker.';

REVOKE ALL ON FUNCTION lore._chunk_labels(text, bigint, text[]), lore._make_label_triggers(), lore._has_labels(lore._collection), lore._make_labels(text, text[]),
    lore._fill_labels(text, text[]), lore._categories(lore._collection, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._has_labels(lore._collection), lore._categories(lore._collection, text[]) TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._chunk_labels(text, bigint, text[]) TO lore_writer;
GRANT EXECUTE ON FUNCTION lore._make_label_triggers(), lore._make_labels(text, text[]), lore._fill_labels(text, text[]) TO lore_admin;
