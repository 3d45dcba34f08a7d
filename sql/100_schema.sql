-- 100_schema.sql: the schema and the three roles. Everything else hangs on these.
-- Roles belong to the cluster, not to the extension: they stay when it is dropped. Nobody logs in as one.

CREATE SCHEMA lore;

COMMENT ON SCHEMA lore IS 'pglore: embed, rerank, generate, search and answer in SQL.';

DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'lore_reader') THEN
        CREATE ROLE lore_reader NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'lore_writer') THEN
        CREATE ROLE lore_writer NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'lore_admin') THEN
        CREATE ROLE lore_admin NOLOGIN;
    END IF;
    IF NOT pg_catalog.pg_has_role('lore_writer', 'lore_reader', 'MEMBER') THEN
        GRANT lore_reader TO lore_writer;
    END IF;
    IF NOT pg_catalog.pg_has_role('lore_admin', 'lore_writer', 'MEMBER') THEN
        GRANT lore_writer TO lore_admin;
    END IF;
END
$do$;

REVOKE ALL ON SCHEMA lore FROM PUBLIC;
GRANT USAGE ON SCHEMA lore TO lore_reader;
