-- 440_write.sql: from documents to rows: what changed is cut, embedded in one call, and stored. Needs 400_catalog, 405_defaults.

CREATE TYPE lore._document AS (key text, content text, metadata jsonb, content_hash bytea);

COMMENT ON TYPE lore._document IS 'A document to be written. content_hash is of all that decides its chunks and their vectors.';

CREATE TYPE lore._chunk AS (document_id bigint, ordinal integer, span int4range, heading text, content text, tokens integer, title text, prefix text);

COMMENT ON TYPE lore._chunk IS 'A chunk to be written. prefix is what of title and heading is embedded above it.';

CREATE FUNCTION lore._title(
    metadata jsonb
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN jsonb_typeof(metadata -> 'title') = 'string' THEN left(metadata ->> 'title', 1000) END $$;

COMMENT ON FUNCTION lore._title(jsonb) IS 'The title of a document, of its metadata, up to 1,000 characters.';

CREATE FUNCTION lore._fit_prefix(
    title   text,
    heading text,
    room    integer,                        -- tokens that are left in the window
    model   text
) RETURNS text
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- The whole, else the heading, else its last part, else nothing. A text of n bytes has at most n tokens.
    SELECT coalesce((
        SELECT p.prefix FROM unnest(ARRAY[lore._prefix(title, heading), lore._prefix(NULL, heading), split_part(heading, ' > ', -1)])
            WITH ORDINALITY AS p(prefix, ordinal)
        WHERE CASE WHEN octet_length(p.prefix) <= room THEN true WHEN room <= 0 THEN false ELSE lore.tokens(p.prefix, model) <= room END
        ORDER BY p.ordinal LIMIT 1), '')
$$;

COMMENT ON FUNCTION lore._fit_prefix(text, text, integer, text) IS
    'What of title and heading fits above a chunk in the embedder''s window.';

CREATE FUNCTION lore._cut(
    collection lore._collection,
    ids        bigint[],
    contents   text[],
    titles     text[]
) RETURNS lore._chunk[]
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH cut AS MATERIALIZED (
        SELECT d.id, d.title, c.*, w.window_tokens - 2 - c.tokens AS room
        FROM (SELECT m.window_tokens FROM lore.models AS m WHERE m.alias = (collection).model AND m.task = 'embed' OFFSET 0) AS w,
             unnest(ids, contents, titles) AS d(id, content, title),
             LATERAL (SELECT lore._content_size((collection).chunk_size, w.window_tokens, d.title, d.content) AS tokens) AS size,
             LATERAL lore.chunk(d.content, (collection).chunk_strategy, size.tokens, least((collection).chunk_overlap, size.tokens / 2), (collection).model) AS c
    )
    SELECT coalesce(array_agg(ROW(cut.id, cut.ordinal, cut.span, cut.heading, cut.content, cut.tokens, cut.title,
               lore._fit_prefix(cut.title, cut.heading, cut.room, (collection).model))::lore._chunk ORDER BY cut.id, cut.ordinal), '{}')
    FROM cut
$$;

COMMENT ON FUNCTION lore._cut(lore._collection, bigint[], text[], text[]) IS
    'The chunks of documents, each with a prefix that leaves it within the embedder''s window.';

CREATE FUNCTION lore._write(
    collection lore._collection,
    documents  lore._document[]             -- by key, each key once
) RETURNS TABLE (added integer, updated integer, unchanged integer, chunks integer, tokens bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c       lore._collection := $1;
    changed lore._document[];
    new     bigint[];
    ids     bigint[];
    cut     lore._chunk[];
    shorter bigint;
    made    lore._vectors;
BEGIN
    PERFORM lore._ready_keyword_index(c);
    -- What is there already is not locked: its writer and this one agree.
    EXECUTE format('SELECT coalesce(array_agg(g ORDER BY g.key COLLATE "C"), ''{}'') FROM unnest($1) AS g LEFT JOIN %s AS d ON d.key = g.key
        WHERE (d.content_hash, d.metadata) IS DISTINCT FROM (g.content_hash, g.metadata)', c.documents) INTO changed USING $2;
    unchanged := coalesce(cardinality($2), 0) - cardinality(changed);
    added := 0;
    updated := 0;
    chunks := 0;
    tokens := 0;
    IF changed = '{}' THEN
        RETURN NEXT;
        RETURN;
    END IF;
    -- New rows, and locks on the others, in the order of the keys: two writers of the same keys wait and never deadlock.
    EXECUTE format('WITH written AS (INSERT INTO %s AS d (key, content, metadata, content_hash)
        SELECT g.key, g.content, g.metadata, g.content_hash FROM unnest($1) AS g ORDER BY g.key COLLATE "C"
        ON CONFLICT (key) DO UPDATE SET key = excluded.key WHERE false RETURNING d.id)
        SELECT coalesce(array_agg(id), ''{}'') FROM written', c.documents) INTO new USING changed;
    -- A new snapshot: what a writer that was waited for has left. The same content keeps its chunks.
    EXECUTE format('WITH same AS (UPDATE %1$s AS d SET metadata = g.metadata, updated_at = now() FROM unnest($1) AS g
        WHERE d.key = g.key AND d.id <> ALL ($2) AND d.content_hash = g.content_hash AND d.metadata <> g.metadata RETURNING d.id),
        other AS (UPDATE %1$s AS d SET content = g.content, metadata = g.metadata, content_hash = g.content_hash, updated_at = now() FROM unnest($1) AS g
        WHERE d.key = g.key AND d.id <> ALL ($2) AND d.content_hash <> g.content_hash RETURNING d.id),
        cleared AS (DELETE FROM %2$s WHERE document_id IN (SELECT id FROM other))
        SELECT (SELECT count(*) FROM same) + (SELECT count(*) FROM other), $2 || coalesce((SELECT array_agg(id) FROM other), ''{}'')',
        c.documents, c.chunks) INTO updated, ids USING changed, new;
    added := cardinality(new);
    unchanged := unchanged + cardinality(changed) - added - updated;
    IF ids <> '{}' THEN
        EXECUTE format('SELECT lore._cut($1, array_agg(d.id), array_agg(d.content), array_agg(lore._title(d.metadata))) FROM %s AS d WHERE d.id = ANY ($2)',
            c.documents) INTO cut USING c, ids;
        SELECT count(*) FILTER (WHERE u.prefix <> lore._prefix(u.title, u.heading)) INTO shorter FROM unnest(cut) AS u;
        IF shorter > 0 THEN
            RAISE NOTICE 'title and heading were shortened in the vectors of % of % chunks, to fit the window of model "%"', shorter, cardinality(cut), c.model
                USING HINT = 'A smaller chunk_size leaves more room.';
        END IF;
        made.vectors := lore.embed((SELECT array_agg(lore._search_text(u.prefix, u.content) ORDER BY u.place) FROM unnest(cut) WITH ORDINALITY
            AS u(document_id, ordinal, span, heading, content, tokens, title, prefix, place)), c.model, 'document');
        EXECUTE format('INSERT INTO %s (document_id, ordinal, span, heading, content, tokens, embedding, fingerprint, search)
            SELECT u.document_id, u.ordinal, u.span, u.heading, u.content, u.tokens, u.embedding,
                   (SELECT m.fingerprint FROM lore.models AS m WHERE m.alias = $3 AND m.task = ''embed''), %s
            FROM ROWS FROM (unnest($1), unnest($2)) AS u(document_id, ordinal, span, heading, content, tokens, title, prefix, embedding)',
            c.chunks, replace((lore._keyword_engine(c.keyword, c.language, '', '')).value, '%', 'lore._search_text(lore._prefix(u.title, u.heading), u.content)'))
            USING cut, made.vectors, c.model;
        chunks := cardinality(cut);
        tokens := (SELECT coalesce(sum(u.tokens), 0) FROM unnest(cut) AS u);
    END IF;
    RETURN NEXT;
END
$$;

COMMENT ON FUNCTION lore._write(lore._collection, lore._document[]) IS
    'Stores documents that have changed with their chunks. What is embedded stays within the model''s window; a NOTICE says where title and heading were shortened for that.';

REVOKE ALL ON TYPE lore._document, lore._chunk FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._title(jsonb), lore._fit_prefix(text, text, integer, text), lore._cut(lore._collection, bigint[], text[], text[]),
    lore._write(lore._collection, lore._document[]) FROM PUBLIC;
GRANT USAGE ON TYPE lore._document, lore._chunk TO lore_writer;
GRANT EXECUTE ON FUNCTION lore._title(jsonb), lore._fit_prefix(text, text, integer, text), lore._cut(lore._collection, bigint[], text[], text[]),
    lore._write(lore._collection, lore._document[]) TO lore_writer;
