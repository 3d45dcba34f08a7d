-- 533_template_list.sql: the templates, and which one an answer takes. Needs 532_templates.

CREATE FUNCTION lore._templates() RETURNS TABLE (
    name text, collection text, version integer, is_current boolean, system text, prompt text, created_by text, created_at timestamptz
)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM lore._require_catalog();
    RETURN QUERY
        SELECT t.name, c.name, t.version, t.version = max(t.version) OVER (PARTITION BY t.collection_id, t.name), t.system, t.prompt, t.created_by, t.created_at
        FROM lore_data.templates AS t LEFT JOIN lore_data.collections AS c ON c.id = t.collection_id
        UNION ALL
        SELECT o.name, NULL, o.version, NOT EXISTS (SELECT FROM lore_data.templates AS t WHERE t.collection_id IS NULL AND t.name = o.name), o.system, o.prompt, NULL, NULL
        FROM lore._own_template() AS o
        ORDER BY 1, 2 NULLS FIRST, 3;
END
$$;

COMMENT ON FUNCTION lore._templates() IS 'The rows of lore.templates. Raises LO202 no catalog.';

CREATE VIEW lore.templates AS SELECT * FROM lore._templates();

COMMENT ON VIEW lore.templates IS 'The prompt templates of lore.ask with all their versions. Raises LO202 before `pglore init`.';
COMMENT ON COLUMN lore.templates.name IS 'Name; default is taken where lore.ask names none.';
COMMENT ON COLUMN lore.templates.collection IS 'The collection that it is for; NULL is all.';
COMMENT ON COLUMN lore.templates.version IS 'Number of the version; 0 is pglore''s own.';
COMMENT ON COLUMN lore.templates.is_current IS 'Whether it is the newest, which is taken unless name@version asks for another.';
COMMENT ON COLUMN lore.templates.system IS 'The instruction; rules about sources, citations and the answer that is not there follow it in every prompt.';
COMMENT ON COLUMN lore.templates.prompt IS 'The text with its placeholders.';
COMMENT ON COLUMN lore.templates.created_by IS 'Who wrote it.';
COMMENT ON COLUMN lore.templates.created_at IS 'When.';

CREATE FUNCTION lore._template(
    collection lore._collection,
    template   text                         -- name or name@version; NULL is default
) RETURNS lore._template
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parts  text[] := coalesce(regexp_match(template, '^(.*)@(\d{1,9})$'), ARRAY[coalesce(template, 'default'), NULL]);
    chosen lore._template;
BEGIN
    PERFORM lore._require_template_name(parts[1]);
    SELECT t.name, t.version, t.system, t.prompt INTO chosen
    FROM (SELECT s.collection_id, s.name, s.version, s.system, s.prompt FROM lore_data.templates AS s
          WHERE s.name = parts[1] AND (s.collection_id IS NULL OR s.collection_id = (collection).id)
          UNION ALL SELECT NULL, o.name, o.version, o.system, o.prompt FROM lore._own_template() AS o WHERE o.name = parts[1]) AS t
    WHERE parts[2] IS NULL OR t.version = parts[2]::integer
    ORDER BY t.collection_id IS NULL, t.version DESC LIMIT 1;
    IF NOT FOUND THEN
        PERFORM lore._raise('LO103', format('there is no template "%s" for collection "%s"', left(template, 60), (collection).name),
            'SELECT name, collection, version FROM lore.templates lists them; lore.set_template writes one.');
    END IF;
    RETURN chosen;
END
$$;

COMMENT ON FUNCTION lore._template(lore._collection, text) IS
    'The template that an answer takes: the collection''s own before the one for all before pglore''s. Raises LO103 no such template.';

REVOKE ALL ON lore.templates FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._templates(), lore._template(lore._collection, text) FROM PUBLIC;
GRANT SELECT ON lore.templates TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._templates(), lore._template(lore._collection, text) TO lore_reader;
