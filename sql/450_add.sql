-- 450_add.sql: documents into a collection. Needs 405_defaults, 415_collection_settings, 440_write.

CREATE FUNCTION lore._require_document(
    key      text,
    content  text,
    metadata jsonb
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF key IS NULL OR key = '' THEN
        PERFORM lore._raise('LO103', 'the key of a document is NULL or empty', 'A key names a document: its path, its address, its primary key.');
    ELSIF octet_length(key) > 2000 THEN
        PERFORM lore._raise('LO103', format('the key "%s..." is longer than 2,000 bytes', left(key, 60)), 'Use a shorter key, for instance a hash of it.');
    ELSIF content IS NULL OR content !~ '\S' THEN
        PERFORM lore._raise('LO101', format('the content of document "%s" is empty', left(key, 60)), 'Leave the document out, or take it away with lore.remove.');
    ELSIF length(content) > 4000000 THEN
        PERFORM lore._raise('LO102', format('the content of document "%s" has %s characters, more than 4,000,000', left(key, 60), length(content)), 'Add it as several documents.');
    ELSIF jsonb_typeof(metadata) <> 'object' THEN
        PERFORM lore._raise('LO103', format('the metadata of document "%s" is not a JSON object', left(key, 60)), 'Pass an object such as {"title": "Vacuum", "year": 2026}, or leave it out.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_document(text, text, jsonb) IS
    'Raises LO101 empty content, LO102 content too long, LO103 bad key or metadata.';

CREATE FUNCTION lore._documents(
    collection lore._collection,
    keys       text[],
    contents   text[],
    metadata   jsonb[]
) RETURNS lore._document[]
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(ROW(d.key, d.content, d.metadata,
               sha256(sha256(convert_to(d.content, 'UTF8')) || convert_to(jsonb_build_array(
                   lore._title(d.metadata), m.fingerprint, (collection).chunk_strategy, (collection).chunk_size,
                   (collection).chunk_overlap)::text, 'UTF8')))::lore._document
           ORDER BY d.key COLLATE "C")
    FROM (SELECT DISTINCT ON (g.key) g.key, g.content, coalesce(g.metadata, '{}') AS metadata
          FROM unnest(keys, contents, metadata) WITH ORDINALITY AS g(key, content, metadata, ordinal)
          ORDER BY g.key, g.ordinal DESC) AS d,
         (SELECT n.fingerprint FROM lore.models AS n WHERE n.alias = (collection).model AND n.task = 'embed') AS m
$$;

COMMENT ON FUNCTION lore._documents(lore._collection, text[], text[], jsonb[]) IS
    'Documents by key, each with its hash. Of two with one key the later counts.';

CREATE FUNCTION lore.add_many(
    collection text,
    keys       text[],
    contents   text[],
    metadata   jsonb[] DEFAULT NULL         -- NULL elements are {}; "title" is embedded with each chunk
) RETURNS TABLE (added integer, updated integer, unchanged integer, chunks integer, tokens bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c lore._collection := lore._open_to_write($1);
BEGIN
    IF $2 IS NULL OR $3 IS NULL OR cardinality($2) <> cardinality($3) OR cardinality($2) <> cardinality(coalesce($4, array_fill(NULL::jsonb, ARRAY[cardinality($2)])))
       OR array_ndims($2) > 1 OR array_ndims($3) > 1 OR array_ndims($4) > 1 THEN
        PERFORM lore._raise('LO103', format('keys, contents and metadata are not arrays of one length: %s, %s, %s',
            coalesce(cardinality($2)::text, 'NULL'), coalesce(cardinality($3)::text, 'NULL'), coalesce(cardinality($4)::text, 'NULL')),
            'Pass one key and one content, and one metadata if any, for each document.');
    END IF;
    PERFORM lore._require_document(g.key, g.content, coalesce(g.metadata, '{}')) FROM unnest($2, $3, $4) AS g(key, content, metadata);
    RETURN QUERY SELECT * FROM lore._write(c, lore._documents(c, $2, $3, $4));
END
$$;

COMMENT ON FUNCTION lore.add_many(text, text[], text[], jsonb[]) IS
    'Puts documents into a collection, embedding all new chunks in one call; counts what was added, updated, unchanged, and the chunks and tokens embedded. Unchanged documents cost nothing; of two with one key the later counts. Raises LO101 empty content, LO102 content too long, LO103 bad argument, LO203 unknown collection, LO302 busy.';

CREATE FUNCTION lore.add(
    collection text,
    key        text,
    content    text,
    metadata   jsonb DEFAULT '{}'           -- "title" is embedded with each chunk
) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN a.added = 1 THEN 'added' WHEN a.updated = 1 THEN 'updated' ELSE 'unchanged' END
    FROM lore.add_many(collection, ARRAY[key], ARRAY[content], ARRAY[metadata]) AS a
$$;

COMMENT ON FUNCTION lore.add(text, text, text, jsonb) IS
    'Puts one document into a collection: added, updated, or unchanged where the same is there already, which costs nothing. Raises LO101 empty content, LO102 content too long, LO103 bad argument, LO203 unknown collection, LO302 busy.';

REVOKE ALL ON FUNCTION lore._require_document(text, text, jsonb), lore._documents(lore._collection, text[], text[], jsonb[]),
    lore.add_many(text, text[], text[], jsonb[]), lore.add(text, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._require_document(text, text, jsonb), lore._documents(lore._collection, text[], text[], jsonb[]),
    lore.add_many(text, text[], text[], jsonb[]), lore.add(text, text, text, jsonb) TO lore_writer;
