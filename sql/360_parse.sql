-- 360_parse.sql: a document's bytes to text. Needs 200_host.

CREATE FUNCTION lore.parse(
    document bytea,
    mime     text DEFAULT NULL              -- text/html, text/markdown, text/plain; NULL is found from the bytes
) RETURNS TABLE (title text, content text, metadata jsonb)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF document IS NULL THEN
        RETURN;
    END IF;
    IF length(document) > 16777216 THEN
        PERFORM lore._raise('LO102', format('the document is %s bytes, over the limit of 16777216', length(document)),
                            'Split the document.');
    END IF;
    RETURN QUERY
        SELECT p.title, p.content, p.metadata
        FROM jsonb_to_record(lore._call('parse', jsonb_build_object(
                 'document', encode(document, 'base64'), 'mime', mime)))
             AS p(title text, content text, metadata jsonb);
END
$$;

COMMENT ON FUNCTION lore.parse(bytea, text) IS
    'Title, Markdown-like text and metadata of an HTML, Markdown or plain text document. Raises LO102 input too long, LO103 a format or an encoding that is not read.';

REVOKE ALL ON FUNCTION lore.parse(bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.parse(bytea, text) TO lore_reader;
