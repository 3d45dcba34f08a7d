-- 230_calls.sql: the log of calls, which the model host keeps outside of every transaction. Needs 215_registry.

CREATE FUNCTION lore._role(
    role text                               -- a role's name, or public
) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found bigint := CASE WHEN role = 'public' THEN 0 ELSE (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = role) END;
BEGIN
    IF found IS NULL THEN
        PERFORM lore._raise('LO103', format('there is no role %s', coalesce(quote_literal(role), 'NULL')),
            'Pass the name of a role as pg_roles has it, or public for every role.');
    END IF;
    RETURN found;
END
$$;

COMMENT ON FUNCTION lore._role(text) IS 'Oid of a role by its name, 0 for public. Raises LO103 where there is none.';

CREATE FUNCTION lore._role_name(
    role bigint
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE role WHEN 0 THEN 'public' ELSE pg_get_userbyid(role::oid)::text END $$;

COMMENT ON FUNCTION lore._role_name(bigint) IS 'Name of a role by its oid, public for 0; of one that was dropped "unknown (OID=...)".';

CREATE FUNCTION lore._own_or_all(
    own       text,                         -- operation that shows the caller's own rows
    everybody text,                         -- operation that shows all, for lore_admin
    arguments jsonb DEFAULT '{}'
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Only a way of choosing: the operation of all rows is closed to others by the rights of lore._admin.
    IF pg_has_role(current_user, 'lore_admin', 'USAGE') THEN
        RETURN lore._administer(everybody, arguments);
    END IF;
    RETURN lore._call(own, arguments);
END
$$;

COMMENT ON FUNCTION lore._own_or_all(text, text, jsonb) IS 'What lore_admin sees of an operation, or what others see: their own.';

CREATE FUNCTION lore.call_log(
    most  integer DEFAULT 10000,            -- rows, the newest; at most 100,000
    since timestamptz DEFAULT NULL          -- NULL is all that is remembered
) RETURNS TABLE (
    id            bigint,
    started_at    timestamptz,
    role          text,                     -- current_user of the call
    login         text,                     -- session_user of the call
    pid           integer,                  -- of the backend
    statement     text,                     -- the same for all calls of one statement of the client
    operation     text,
    model         text,
    lane          text,                     -- interactive or bulk
    texts         integer,
    input_tokens  bigint,
    output_tokens bigint,
    cached_tokens bigint,                   -- of the input, whose states the model still had
    queue_ms      double precision,
    work_ms       double precision,         -- that models worked on it: what budgets count
    total_ms      double precision,
    outcome       text,                     -- ok, cancelled, or an error's code
    finish_reason text,
    input         jsonb,                    -- NULL unless log_texts is on in host.json, and for others' calls
    output        jsonb
)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.id, to_timestamp(c.at), lore._role_name(c.role), lore._role_name(c.login), split_part(c.statement, '.', 1)::integer,
           c.statement, c.op, c.model, c.lane, c.texts, c.input_tokens, c.output_tokens, c.cached_tokens,
           c.queue_ms, c.work_ms, c.total_ms, c.outcome, c.finish_reason, c.input::jsonb, c.output::jsonb
    FROM jsonb_to_recordset(lore._own_or_all('calls', 'all_calls',
             jsonb_build_object('most', most, 'since', least(greatest(extract(epoch FROM since)::double precision, 0), 1e11)))) AS c(
        id bigint, at double precision, role bigint, login bigint, statement text, op text, model text, lane text, texts integer,
        input_tokens bigint, output_tokens bigint, cached_tokens bigint, queue_ms double precision, work_ms double precision,
        total_ms double precision, outcome text, finish_reason text, input text, output text)
    ORDER BY c.id
$$;

COMMENT ON FUNCTION lore.call_log(integer, timestamptz) IS
    'The calls of models that the model host remembers, of all databases of the server, oldest first. Who is in lore_admin sees all, others those of their own role. It is no part of a transaction: what a rollback undid was still called. Tokens of a remote model are those that its server tells, else four characters each. Raises LO103 most, LO301 host down.';

CREATE VIEW lore.calls AS SELECT * FROM lore.call_log();

COMMENT ON VIEW lore.calls IS 'The last 10,000 calls of models: who called which model, how long it took, what came of it. More: lore.call_log.';
COMMENT ON COLUMN lore.calls.id IS 'Number of the call, in the order of their ends.';
COMMENT ON COLUMN lore.calls.started_at IS 'When the model host began with it.';
COMMENT ON COLUMN lore.calls.role IS 'Whose rights it had: current_user.';
COMMENT ON COLUMN lore.calls.login IS 'Who had logged in: session_user.';
COMMENT ON COLUMN lore.calls.pid IS 'Process id of the backend.';
COMMENT ON COLUMN lore.calls.statement IS 'Process id and start of the client''s statement: the same for all its calls.';
COMMENT ON COLUMN lore.calls.operation IS 'What was asked for: embed, rerank, generate, ...';
COMMENT ON COLUMN lore.calls.model IS 'Alias of the model.';
COMMENT ON COLUMN lore.calls.lane IS 'interactive, or bulk: longer arrays, which let others go first.';
COMMENT ON COLUMN lore.calls.texts IS 'Texts in the call.';
COMMENT ON COLUMN lore.calls.input_tokens IS 'Tokens that were read, special tokens included.';
COMMENT ON COLUMN lore.calls.output_tokens IS 'Tokens that were written.';
COMMENT ON COLUMN lore.calls.cached_tokens IS 'Tokens of the input whose states the model still had.';
COMMENT ON COLUMN lore.calls.queue_ms IS 'Time in the queue, milliseconds.';
COMMENT ON COLUMN lore.calls.work_ms IS 'Time that models worked on it, milliseconds: what budgets count.';
COMMENT ON COLUMN lore.calls.total_ms IS 'Time from its arrival in the model host to its answer, milliseconds.';
COMMENT ON COLUMN lore.calls.outcome IS 'ok, cancelled, or the code of its error.';
COMMENT ON COLUMN lore.calls.finish_reason IS 'Why the text ended: stop, length, tool_calls, no_answer.';
COMMENT ON COLUMN lore.calls.input IS 'Texts of the call, where the operator has log_texts in host.json; never of others'' calls.';
COMMENT ON COLUMN lore.calls.output IS 'Text of the answer, likewise.';

REVOKE ALL ON lore.calls FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._role(text), lore._role_name(bigint), lore._own_or_all(text, text, jsonb), lore.call_log(integer, timestamptz) FROM PUBLIC;
GRANT SELECT ON lore.calls TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._role(text), lore._role_name(bigint), lore._own_or_all(text, text, jsonb), lore.call_log(integer, timestamptz) TO lore_reader;
