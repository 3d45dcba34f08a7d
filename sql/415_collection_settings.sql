-- 415_collection_settings.sql: what a collection may be told to be, when it is made and when it is altered. Needs 410_keyword_index.

CREATE FUNCTION lore._require_settings(
    index_kind text,
    metric     text
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF index_kind IS NULL OR index_kind NOT IN ('auto', 'exact') AND (lore._index_kind(index_kind, 'cosine')).kind IS NULL THEN
        PERFORM lore._raise('LO103', format('"%s" is no kind of index', left(index_kind, 60)), 'Kinds: auto, exact, hnsw, hnsw_bit, ivfflat, diskann, vchordrq.');
    ELSIF lore._operator(metric) IS NULL THEN
        PERFORM lore._raise('LO103', format('metric is "%s"', left(metric, 60)), 'metric is cosine, ip or l2.');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._require_settings(text, text) IS 'Raises LO103 for a setting that no collection can have.';

CREATE FUNCTION lore._language(
    language text
) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    words text;
BEGIN
    BEGIN
        words := language::regconfig::text;
    EXCEPTION WHEN OTHERS THEN
        words := NULL;
    END;
    IF words IS NULL THEN
        PERFORM lore._raise('LO103', format('there is no text search configuration "%s"', left(language, 60)), 'SELECT cfgname FROM pg_ts_config lists them.');
    END IF;
    RETURN words;
END
$$;

COMMENT ON FUNCTION lore._language(text) IS 'The name of a text search configuration as the server writes it. Raises LO103 for what is none.';

CREATE FUNCTION lore._require_chunking(
    model    text,
    strategy text,
    size     integer,
    overlap  integer
) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    window_tokens integer;                  -- NULL where the server of a remote model does not tell
BEGIN
    SELECT m.window_tokens INTO window_tokens FROM lore.models AS m WHERE m.alias = model AND m.task = 'embed';
    IF NOT FOUND THEN
        PERFORM lore._raise('LO201', format('no embedder has the alias "%s"', left(model, 60)), 'SELECT alias, task FROM lore.models lists the models.');
    ELSIF size > window_tokens - 2 THEN
        PERFORM lore._raise('LO103', format('chunk_size is %s, but model "%s" reads %s tokens at once', size, model, window_tokens),
            'Leave chunk_size out to take what suits the model.');
    END IF;
    PERFORM FROM lore.chunk('one word', strategy, size, overlap, model);  -- raises LO103 for what it cannot do
END
$$;

COMMENT ON FUNCTION lore._require_chunking(text, text, integer, integer) IS
    'Raises LO103 for a way to cut documents that cannot be, LO201 unknown model.';

REVOKE ALL ON FUNCTION lore._require_settings(text, text), lore._language(text), lore._require_chunking(text, text, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._require_settings(text, text), lore._language(text), lore._require_chunking(text, text, integer, integer) TO lore_admin;
