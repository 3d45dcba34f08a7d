-- 110_errors.sql: raising errors of the list in errcodes.txt. Needs 100_schema.

CREATE FUNCTION lore._raise(
    code    text,                           -- SQLSTATE, of errcodes.txt or of PostgreSQL
    message text,
    hint    text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF hint IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message;
    END IF;
    RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, HINT = hint;
END
$$;

COMMENT ON FUNCTION lore._raise(text, text, text) IS 'Raises an error with the given SQLSTATE, message and hint.';

CREATE FUNCTION lore._check(
    error jsonb                             -- {"code", "message", "hint"}, or NULL for none
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF error IS NOT NULL THEN
        PERFORM lore._raise(error ->> 'code', error ->> 'message', error ->> 'hint');
    END IF;
END
$$;

COMMENT ON FUNCTION lore._check(jsonb) IS 'Raises an error that came back as data; does nothing for NULL.';

REVOKE ALL ON FUNCTION lore._raise(text, text, text), lore._check(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._raise(text, text, text), lore._check(jsonb) TO lore_reader;
