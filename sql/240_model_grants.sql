-- 240_model_grants.sql: which roles may use which models. Needs 230_calls. Kept by the model host, for all databases of the server.

CREATE FUNCTION lore.grant_model(
    alias text,
    role  text                              -- a role, whose members have the right too; or public
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._administer('grant_model', jsonb_build_object('alias', alias, 'role', lore._role(role)))
$$;

COMMENT ON FUNCTION lore.grant_model(text, text) IS
    'Lets a role and its members use a model; public lets all. Every role may use a model until it is taken from public by lore.revoke_model: a grant made before holds then. Kept by the model host, not by the transaction. Raises LO103 no such role, LO201 unknown model.';

CREATE FUNCTION lore.revoke_model(
    alias text,
    role  text                              -- public: all but lore_admin and those to whom it is granted
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._administer('revoke_model', jsonb_build_object(
        'alias', alias, 'role', lore._role(role), 'admin', lore._role('lore_admin')))
$$;

COMMENT ON FUNCTION lore.revoke_model(text, text) IS
    'Takes the right to use a model from a role. Every role has it until it is taken from public; then those have it to whom it is granted, lore_admin and superusers. Others get 42501, from the result cache too. Raises LO103 no such role, or a model that all may use, LO201 unknown model.';

CREATE VIEW lore.model_grants AS
    SELECT g.alias, lore._role_name(g.role) AS role
    FROM pg_catalog.jsonb_to_recordset(lore._administer('model_grants')) AS g(alias text, role bigint);

COMMENT ON VIEW lore.model_grants IS 'Which roles, with their members, may use which models. For lore_admin.';
COMMENT ON COLUMN lore.model_grants.alias IS 'The model.';
COMMENT ON COLUMN lore.model_grants.role IS 'The role; public is every role.';

REVOKE ALL ON lore.model_grants FROM PUBLIC;
REVOKE ALL ON FUNCTION lore.grant_model(text, text), lore.revoke_model(text, text) FROM PUBLIC;
GRANT SELECT ON lore.model_grants TO lore_admin;
GRANT EXECUTE ON FUNCTION lore.grant_model(text, text), lore.revoke_model(text, text) TO lore_admin;
