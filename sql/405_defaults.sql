-- 405_defaults.sql: the choices that decide quality, each in one place, as measured by bench/. Needs 100_schema.

CREATE FUNCTION lore._chunk_size(
    window_tokens integer                   -- what the embedder reads at once, special tokens included; NULL where nobody tells: 256
) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT greatest(coalesce(window_tokens, 256) - 6, 8) $$;

COMMENT ON FUNCTION lore._chunk_size(integer) IS
    'Default size of a chunk in tokens: all that the embedder reads at once, less the special tokens and a small margin.';

CREATE FUNCTION lore._content_size(
    chunk_size    integer,
    window_tokens integer,
    title         text,
    content       text
) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN title IS NULL AND content !~ '(^|\n)#{1,6} ' THEN chunk_size ELSE least(chunk_size, greatest(coalesce(window_tokens, 256) - 26, 8)) END
$$;

COMMENT ON FUNCTION lore._content_size(integer, integer, text, text) IS
    'Largest chunk of a document in tokens: where there is a title or a heading, 24 tokens of the window are left for them.';

CREATE FUNCTION lore._prefix(
    title   text,
    heading text
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT concat_ws(' > ', nullif(title, ''),
        CASE WHEN heading IN (title, '') THEN NULL WHEN starts_with(heading, title || ' > ') THEN substr(heading, length(title) + 4) ELSE heading END)
$$;

COMMENT ON FUNCTION lore._prefix(text, text) IS
    'The line that is embedded and indexed above the content of a chunk: title and heading path, a path that begins with the title once.';

CREATE FUNCTION lore._search_text(
    prefix  text,
    content text
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT concat_ws(E'\n', nullif(prefix, ''), content) $$;

COMMENT ON FUNCTION lore._search_text(text, text) IS 'The text of a chunk that is embedded and indexed.';

CREATE FUNCTION lore._weight(
    stage text                              -- vector, keyword, wording or rerank
) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE stage WHEN 'vector' THEN 1.0 WHEN 'keyword' THEN 0.5 WHEN 'wording' THEN 0.5 WHEN 'rerank' THEN 1.0 END $$;

COMMENT ON FUNCTION lore._weight(text) IS
    'Weight of a stage''s normalised score: of the arms and of the wording in the fusion, of the reranker beside the result of the stages before it.';

CREATE FUNCTION lore._support(
    part text                               -- weight, chunks or missing
) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE part WHEN 'weight' THEN 0.2 WHEN 'chunks' THEN 2 WHEN 'missing' THEN 0.5 END $$;

COMMENT ON FUNCTION lore._support(text) IS
    'How a chunk gains from the other candidates of its document: the weight of their gains, how many of them count, and the share of its own gain that stands for each that a short document cannot have.';

REVOKE ALL ON FUNCTION lore._chunk_size(integer), lore._content_size(integer, integer, text, text), lore._prefix(text, text),
    lore._search_text(text, text), lore._weight(text), lore._support(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._chunk_size(integer), lore._content_size(integer, integer, text, text), lore._prefix(text, text),
    lore._search_text(text, text), lore._weight(text), lore._support(text) TO lore_reader;
