-- 200_host.sql: the way to the model host. Needs 110_errors. Touches no table.
-- PL/Python returns errors as data: raised there they would carry a traceback.

CREATE TYPE lore._reply AS (error jsonb, result jsonb);

COMMENT ON TYPE lore._reply IS 'What the model host answered: an error or a result.';

CREATE FUNCTION lore._load() RETURNS void
LANGUAGE plpython3u VOLATILE PARALLEL UNSAFE
-- SECURITY DEFINER because pg_config is closed to ordinary roles. It takes no argument and its path is the server's.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $python$
    import sys; folder = plpy.execute("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'")[0]['setting'] + '/extension/pglore'
    for name in [name for name in sys.modules if name.partition('.')[0] == 'pglore_bridge']: del sys.modules[name]
    sys.path[:0] = [] if folder in sys.path else [folder]; import pglore_bridge
    if pglore_bridge.VERSION != '@VERSION@': plpy.error('the bridge is ' + pglore_bridge.VERSION + ', the extension @VERSION@', sqlstate='LO901', hint='Install the files of one version, then ALTER EXTENSION pglore UPDATE.')
    GD['lore @VERSION@'] = pglore_bridge
$python$;

COMMENT ON FUNCTION lore._load() IS 'Loads the bridge that is installed beside the extension into this session.';

CREATE FUNCTION lore._host(
    op        text,
    arguments jsonb
) RETURNS lore._reply
LANGUAGE plpython3u VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $python$
    if 'lore @VERSION@' not in GD: plpy.execute('SELECT lore._load()')
    return GD['lore @VERSION@'].host(plpy, op, arguments)
$python$;

COMMENT ON FUNCTION lore._host(text, jsonb) IS
    'One operation of the model host, errors as data. Starts the host where it is not running.';

CREATE FUNCTION lore._admin(
    op        text,
    arguments jsonb
) RETURNS lore._reply
LANGUAGE plpython3u VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $python$
    if 'lore @VERSION@' not in GD: plpy.execute('SELECT lore._load()')
    return GD['lore @VERSION@'].host(plpy, op, arguments, admin=True)
$python$;

COMMENT ON FUNCTION lore._admin(text, jsonb) IS
    'One of the operator''s operations of the model host, errors as data: those that change which models there are.';

CREATE FUNCTION lore._call(
    op        text,
    arguments jsonb DEFAULT '{}'
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reply lore._reply := lore._host(op, arguments);
BEGIN
    IF reply.error IS NOT NULL THEN
        PERFORM lore._check(reply.error);
    END IF;
    RETURN reply.result;
END
$$;

COMMENT ON FUNCTION lore._call(text, jsonb) IS
    'One operation of the model host; its errors are raised. LO301 host down, LO302 busy, and those of the operation.';

REVOKE ALL ON TYPE lore._reply FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._load(), lore._host(text, jsonb), lore._call(text, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._admin(text, jsonb) FROM PUBLIC;
GRANT USAGE ON TYPE lore._reply TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._admin(text, jsonb) TO lore_admin;
GRANT EXECUTE ON FUNCTION lore._load(), lore._host(text, jsonb), lore._call(text, jsonb) TO lore_reader;
