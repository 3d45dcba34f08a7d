-- 405_defaults.sql: the choices that decide quality, each in one place, as measured by bench/. Needs 100_schema.

CREATE FUNCTION lore._chunk_size(
    window_tokens integer                   -- what the embedder reads at once, special tokens included
) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT window_tokens * 3 / 4 $$;

COMMENT ON FUNCTION lore._chunk_size(integer) IS
    'Default size of a chunk in tokens: leaves room in the window for title and heading.';

CREATE FUNCTION lore._prefix(
    title   text,
    heading text
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT concat_ws(E'\n', nullif(title, ''), nullif(heading, '')) $$;

COMMENT ON FUNCTION lore._prefix(text, text) IS 'What is embedded and indexed above the content of a chunk.';

CREATE FUNCTION lore._search_text(
    prefix  text,
    content text
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT concat_ws(E'\n', nullif(prefix, ''), content) $$;

COMMENT ON FUNCTION lore._search_text(text, text) IS 'The text of a chunk that is embedded and indexed.';

CREATE FUNCTION lore._weight(
    arm text                                -- vector or keyword
) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE arm WHEN 'vector' THEN 1.0 WHEN 'keyword' THEN 1.0 END $$;

COMMENT ON FUNCTION lore._weight(text) IS 'Weight of an arm''s normalised score in the fusion.';

REVOKE ALL ON FUNCTION lore._chunk_size(integer), lore._prefix(text, text), lore._search_text(text, text), lore._weight(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._chunk_size(integer), lore._prefix(text, text), lore._search_text(text, text), lore._weight(text) TO lore_reader;
