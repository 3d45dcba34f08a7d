-- 345_prompt.sql: the one form of a prompt that carries sources. Needs 100_schema. Reaches no model.

CREATE FUNCTION lore.prompt(
    question text,
    sources  text[]                         -- numbered from 1 in this order; NULL elements are left out
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN question IS NOT NULL THEN
        E'Answer the question from the sources below and from nothing else. Cite the source of every statement as [number]. If the sources do not hold the answer, say so.\n\n'
        || coalesce((SELECT string_agg(
               format(E'<source id="%s">\n%s\n</source>\n\n', s.id, replace(s.source, '</source', '<\/source')), '' ORDER BY s.id)
           FROM unnest(sources) WITH ORDINALITY AS s(source, id) WHERE s.source IS NOT NULL), '')
        || 'Question: ' || question END
$$;

COMMENT ON FUNCTION lore.prompt(text, text[]) IS
    'Prompt that asks a question about numbered sources: an instruction, each source as <source id="n">, the question last. NULL question gives NULL; no sources are allowed.';

REVOKE ALL ON FUNCTION lore.prompt(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.prompt(text, text[]) TO lore_reader;
