-- 402_results.sql: the result cache, asked by what calls models. Needs 400_catalog; reads and writes lore_data.results.

CREATE FUNCTION lore._identity(
    op        text,
    arguments jsonb                         -- of the operation, with model, embedder, temperature and seed
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    setting  constant text := lower(coalesce(nullif(current_setting('lore.result_cache', true), ''), 'off'));
    identity jsonb;
BEGIN
    IF setting IN ('off', 'false', 'no', '0') THEN
        RETURN NULL;
    ELSIF setting NOT IN ('on', 'true', 'yes', '1') THEN
        PERFORM lore._raise('LO103', format('lore.result_cache is "%s"', left(setting, 60)), 'Set it to on or off.');
    ELSIF to_regclass('lore_data.results') IS NULL THEN
        PERFORM lore._raise('LO202', 'the result cache has not been made in this database', 'Run pglore init against this database.');
    END IF;
    -- The model host refuses who may not use the model: nothing is looked up before that.
    identity := lore._call('identity', jsonb_build_object('op', op, 'model', arguments -> 'model', 'embedder', arguments -> 'embedder',
        'temperature', CASE WHEN arguments ? 'temperature' THEN arguments -> 'temperature' ELSE '0' END, 'seed', arguments -> 'seed'));
    RETURN CASE WHEN (identity ->> 'repeatable')::boolean THEN identity END;
END
$$;

COMMENT ON FUNCTION lore._identity(text, jsonb) IS
    'What the results of an operation are known by: {"fingerprint", "model"}; NULL where lore.result_cache is off, or the same call may give another result. Raises 42501 for a model the caller may not use, LO103 setting, LO201 unknown model, LO202 no catalog.';

CREATE FUNCTION lore._result_keys(
    identity  jsonb,
    op        text,
    arguments jsonb,                        -- without the inputs
    inputs    text[]
) RETURNS bytea[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- What they share is hashed once: it may hold another array of texts.
    WITH s AS MATERIALIZED (SELECT sha256(convert_to(jsonb_build_array(identity, op, arguments)::text, 'UTF8')) AS shared)
    SELECT ARRAY(SELECT sha256(s.shared || convert_to(i.input, 'UTF8'))
                 FROM unnest(inputs) WITH ORDINALITY AS i(input, n) ORDER BY i.n) FROM s
$$;

COMMENT ON FUNCTION lore._result_keys(jsonb, text, jsonb, text[]) IS 'Keys of the results of inputs in the cache; NULL for NULL.';

CREATE FUNCTION lore._recalled(
    keys bytea[]
) RETURNS jsonb[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own   constant oid := (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = current_user);
    found jsonb[];
BEGIN
    -- The role is asked for here too: owners of the table are above its policy, and have no right to others' results either.
    found := ARRAY(
        SELECT (SELECT r.result FROM lore_data.results AS r
                WHERE r.role_id = own AND r.role = current_user AND r.key = k.key ORDER BY r.made_at LIMIT 1)
        FROM unnest(keys) WITH ORDINALITY AS k(key, n) ORDER BY k.n);
    IF array_remove(found, NULL) <> '{}' AND current_setting('transaction_read_only') = 'off'
       AND current_setting('transaction_isolation') LIKE 'read %' THEN
        -- What another session holds is left alone: to remember a use is worth no waiting.
        UPDATE lore_data.results AS r SET used_at = now() WHERE r.ctid = ANY (ARRAY(
            SELECT s.ctid FROM lore_data.results AS s
            WHERE s.role_id = own AND s.role = current_user AND s.key = ANY (keys) AND s.used_at < now() - interval '10 minutes'
            FOR NO KEY UPDATE SKIP LOCKED));
    END IF;
    RETURN found;
END
$$;

COMMENT ON FUNCTION lore._recalled(bytea[]) IS 'Results of the caller''s role from the cache, NULL where there is none, in the order of the keys.';

CREATE FUNCTION lore._remember(
    identity jsonb,
    op       text,
    keys     bytea[],
    results  jsonb[]                        -- NULL, and one with an error, is not kept
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most  constant integer := 1000000;      -- bytes of a result that is kept
    count bigint;
BEGIN
    -- A serializable transaction is not to fail for what another one cached.
    IF current_setting('transaction_read_only') = 'on' OR current_setting('transaction_isolation') = 'serializable' THEN
        RETURN;
    END IF;
    INSERT INTO lore_data.results (key, operation, model, fingerprint, result, bytes)
        SELECT n.key, op, identity ->> 'model', identity ->> 'fingerprint', n.result, pg_column_size(n.result) + 300
        FROM (SELECT DISTINCT ON (u.key) u.key, u.result FROM unnest(keys, results) AS u(key, result)
              WHERE u.key IS NOT NULL AND u.result IS NOT NULL AND NOT u.result ? 'error') AS n
        WHERE pg_column_size(n.result) <= most;
    GET DIAGNOSTICS count = ROW_COUNT;
    -- To look costs a pass over the table once it is full: about once in a hundred rows.
    IF count > 0 AND pg_table_size('lore_data.results') > (SELECT l.bytes FROM lore_data.result_limit AS l) AND random() < count / 100.0 THEN
        PERFORM lore._evict_results();
    END IF;
END
$$;

COMMENT ON FUNCTION lore._remember(jsonb, text, bytea[], jsonb[]) IS
    'Puts results of the caller''s role into the cache; does nothing in a transaction that is read only or serializable.';

CREATE FUNCTION lore._results(
    op        text,                         -- generate, chat, or an operator
    arguments jsonb,                        -- without what is each input's own
    inputs    text[]                        -- prompts, conversations and questions as JSON, or texts; none of them NULL
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    identity constant jsonb := lore._identity(op, arguments);
    keys     constant bytea[] := CASE WHEN identity IS NOT NULL THEN lore._result_keys(identity, op, arguments, inputs) END;
    known    constant jsonb[] := CASE WHEN identity IS NULL THEN array_fill(NULL::jsonb, ARRAY[cardinality(inputs)]) ELSE lore._recalled(keys) END;
    missing  constant integer[] := ARRAY(SELECT k.n FROM unnest(known) WITH ORDINALITY AS k(result, n) WHERE k.result IS NULL ORDER BY k.n);
    asked    constant text[] := ARRAY(SELECT inputs[m.n] FROM unnest(missing) WITH ORDINALITY AS m(n, place) ORDER BY m.place);
    made     jsonb[];
BEGIN
    IF missing <> '{}' THEN
        made := ARRAY(SELECT m.result FROM jsonb_array_elements(CASE
            WHEN op IN ('answer', 'standalone') THEN jsonb_build_array(lore._call(op, arguments || asked[1]::jsonb))
            WHEN op = 'chat' THEN jsonb_build_array(lore._call(op, arguments || jsonb_build_object('messages', asked[1]::jsonb)))
            WHEN op = 'generate' AND cardinality(inputs) = 1 THEN jsonb_build_array(lore._call(op, arguments || jsonb_build_object('prompt', asked[1])))
            WHEN op = 'generate' THEN lore._call('generate_many', arguments || jsonb_build_object('prompts', asked))
            ELSE lore._call(op, arguments || jsonb_build_object('inputs', asked)) END) WITH ORDINALITY AS m(result, n) ORDER BY m.n);
        IF identity IS NOT NULL THEN
            PERFORM lore._remember(identity, op, ARRAY(SELECT keys[m.n] FROM unnest(missing) WITH ORDINALITY AS m(n, place) ORDER BY m.place), made);
        END IF;
    END IF;
    RETURN coalesce((SELECT jsonb_agg(CASE WHEN m.place IS NULL THEN k.result || CASE WHEN k.result ? 'timings' THEN '{"timings": {"cached": true}}' ELSE '{}' END::jsonb
                                           ELSE made[m.place] END ORDER BY k.n)
                     FROM unnest(known) WITH ORDINALITY AS k(result, n) LEFT JOIN unnest(missing) WITH ORDINALITY AS m(n, place) ON m.n = k.n), '[]');
END
$$;

COMMENT ON FUNCTION lore._results(text, jsonb, text[]) IS
    'What the model host answers for each input, in their order, from the result cache where it is there: then timings is {"cached": true}. Raises what lore._identity and the operation raise.';

REVOKE ALL ON FUNCTION lore._identity(text, jsonb), lore._result_keys(jsonb, text, jsonb, text[]), lore._recalled(bytea[]),
    lore._remember(jsonb, text, bytea[], jsonb[]), lore._results(text, jsonb, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._identity(text, jsonb), lore._result_keys(jsonb, text, jsonb, text[]), lore._recalled(bytea[]),
    lore._remember(jsonb, text, bytea[], jsonb[]), lore._results(text, jsonb, text[]) TO lore_reader;
