-- 350_chunk.sql: cut a text into pieces that a model reads whole. Needs 200_host.

CREATE FUNCTION lore.chunk(
    content  text,
    strategy text DEFAULT 'auto',           -- or 'markdown', 'text'
    size     integer DEFAULT NULL,          -- tokens; NULL is what suits the model
    overlap  integer DEFAULT 0,             -- tokens that a chunk repeats of the one before
    model    text DEFAULT NULL              -- alias, whose tokens are counted; NULL is the default embedder
) RETURNS TABLE (ordinal integer, span int4range, heading text, content text, tokens integer)
-- LANGUAGE sql, because PL/pgSQL takes no column of an argument's name. $1 is the argument.
LANGUAGE sql STABLE PARALLEL UNSAFE COST 1000000 ROWS 20
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.ordinal, int4range(c.start, c."end"), c.heading, c.content, c.tokens
    FROM jsonb_to_recordset(CASE WHEN $1 IS NOT NULL THEN lore._call('chunk', jsonb_build_object(
             'content', $1, 'strategy', strategy, 'size', size, 'overlap', overlap, 'model', model)) END)
         AS c(ordinal integer, start integer, "end" integer, heading text, content text, tokens integer)
    ORDER BY c.ordinal
$$;

COMMENT ON FUNCTION lore.chunk(text, text, integer, integer, text) IS
    'Pieces of a text on sentence and paragraph borders. span is half-open, in characters from 0: substr(text, lower(span) + 1, upper(span) - lower(span)) is the content. heading is the path of Markdown headings above. Raises LO102 input too long, LO103 bad argument, LO201 unknown model.';

REVOKE ALL ON FUNCTION lore.chunk(text, text, integer, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.chunk(text, text, integer, integer, text) TO lore_reader;
