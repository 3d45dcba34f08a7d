-- 225_host_control.sql: starting and stopping the model host by hand. Needs 215_registry.

CREATE FUNCTION lore.host_start() RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (lore._call('status') ->> 'pid')::bigint
$$;

COMMENT ON FUNCTION lore.host_start() IS
    'Starts the model host unless it runs, as any call does, and returns its process id. Raises LO301 host down.';

CREATE FUNCTION lore.host_stop() RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._administer('stop')::boolean
$$;

COMMENT ON FUNCTION lore.host_stop() IS
    'Stops the model host once what is running has been answered, and waits for its end; true if one was running. The next call starts it again, with the settings of then.';

REVOKE ALL ON FUNCTION lore.host_start(), lore.host_stop() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.host_start() TO lore_reader;
GRANT EXECUTE ON FUNCTION lore.host_stop() TO lore_admin;
