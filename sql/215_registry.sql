-- 215_registry.sql: adding, dropping and loading models. Needs 200_host. For lore_admin: a source is a path or an address.

CREATE FUNCTION lore._administer(
    op        text,
    arguments jsonb DEFAULT '{}'
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reply lore._reply := lore._admin(op, arguments);
BEGIN
    PERFORM lore._check(reply.error);
    RETURN reply.result;
END
$$;

COMMENT ON FUNCTION lore._administer(text, jsonb) IS 'One of the operator''s operations of the model host; its errors are raised.';

CREATE FUNCTION lore.add_model(
    alias   text,                           -- 1 to 64 of a-z 0-9 . _ -
    task    text,                           -- embed, rerank or generate
    source  text,                           -- /folder, package:NAME, hub:ORGANISATION/NAME, http(s)://server, late-interaction, extractive
    options jsonb DEFAULT '{}',             -- such as {"dtype": "float32", "dimensions": 256}
    replace boolean DEFAULT false           -- whether a model of that alias may be there
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._administer('add_model', jsonb_build_object(
        'alias', alias, 'task', task, 'source', source, 'options', options, 'replace', replace))
$$;

COMMENT ON FUNCTION lore.add_model(text, text, text, jsonb, boolean) IS
    'Registers a model under an alias, for all databases of the server; it loads when first used. Kept by the model host, not by the transaction. Raises LO103 bad argument, LO204 unsafe or unreadable files, LO206 no such engine.';

CREATE FUNCTION lore.drop_model(
    alias     text,
    if_exists boolean DEFAULT false
) RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (lore._administer('drop_model', jsonb_build_object('alias', alias, 'if_exists', if_exists)) ->> 'dropped')::boolean
$$;

COMMENT ON FUNCTION lore.drop_model(text, boolean) IS
    'Forgets a model; its files stay. True if it was there. Raises LO103 for a model of pglore''s own or one that others need, LO201 unknown model.';

CREATE FUNCTION lore.set_default(
    alias text
) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._administer('set_default', jsonb_build_object('alias', alias)) ->> 'task'
$$;

COMMENT ON FUNCTION lore.set_default(text) IS
    'Makes a model the one that calls take which name none; returns its task. Collections keep the model they were made with. Raises LO201 unknown model.';

CREATE FUNCTION lore.load_model(
    alias text
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._administer('load_model', jsonb_build_object('alias', alias))
$$;

COMMENT ON FUNCTION lore.load_model(text) IS
    'Loads a model now instead of at its first use; tries again at once where loading has failed. Raises LO201 unknown model, LO204 cannot be loaded, LO303 out of memory.';

CREATE FUNCTION lore.unload_model(
    alias text
) RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (lore._administer('unload_model', jsonb_build_object('alias', alias)) ->> 'unloaded')::boolean
$$;

COMMENT ON FUNCTION lore.unload_model(text) IS
    'Gives a model''s memory back; its next use loads it again. True if it was loaded. Raises LO201 unknown model, LO302 while it is in use.';

CREATE VIEW lore.model_sources AS
    SELECT m.alias, m.task, m.source, m.options, m.content_hash, m.added_at
    FROM pg_catalog.jsonb_to_recordset(lore._administer('model_sources')) AS m(
        alias text, task text, source text, options jsonb, content_hash text, added_at timestamptz);

COMMENT ON VIEW lore.model_sources IS 'Where each model comes from, for the operator: paths and addresses, never keys.';
COMMENT ON COLUMN lore.model_sources.alias IS 'The name to pass as model.';
COMMENT ON COLUMN lore.model_sources.task IS 'What it does: embed, rerank or generate.';
COMMENT ON COLUMN lore.model_sources.source IS 'Folder, package, hub name, address, or method of pglore''s own.';
COMMENT ON COLUMN lore.model_sources.options IS 'How it runs, as given to lore.add_model.';
COMMENT ON COLUMN lore.model_sources.content_hash IS 'Hash of its files when it was added; with others it is refused. NULL where there are none.';
COMMENT ON COLUMN lore.model_sources.added_at IS 'When it was added; NULL for pglore''s own.';

REVOKE ALL ON lore.model_sources FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._administer(text, jsonb), lore.add_model(text, text, text, jsonb, boolean), lore.drop_model(text, boolean),
    lore.set_default(text), lore.load_model(text), lore.unload_model(text) FROM PUBLIC;
GRANT SELECT ON lore.model_sources TO lore_admin;
GRANT EXECUTE ON FUNCTION lore._administer(text, jsonb), lore.add_model(text, text, text, jsonb, boolean), lore.drop_model(text, boolean),
    lore.set_default(text), lore.load_model(text), lore.unload_model(text) TO lore_admin;
