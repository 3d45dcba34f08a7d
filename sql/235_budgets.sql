-- 235_budgets.sql: what a role may spend on models. Needs 230_calls. Kept by the model host, for all databases of the server.

CREATE FUNCTION lore.set_budget(
    role                  text,                            -- a role, or public: each role that has no budget of its own
    tokens                bigint DEFAULT NULL,             -- read and written in a period; NULL is any number
    seconds               double precision DEFAULT NULL,   -- that models work for it in a period
    period                interval DEFAULT '1 day',        -- NULL never ends
    per_statement_tokens  bigint DEFAULT NULL,
    per_statement_seconds double precision DEFAULT NULL
) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._administer('set_budget', jsonb_build_object(
        'role', lore._role(role), 'tokens', tokens, 'seconds', seconds, 'period_s', extract(epoch FROM period)::double precision,
        'per_statement_tokens', per_statement_tokens, 'per_statement_seconds', per_statement_seconds))
$$;

COMMENT ON FUNCTION lore.set_budget(text, bigint, double precision, interval, bigint, double precision) IS
    'Gives a role a budget, in place of the one it has; what it has spent in the same period stays spent. A call counts for the role that runs it (current_user) and for the one that logged in (session_user); membership in a role brings no budget. A call that does not fit gets LO304, and a text that is being written ends there. Kept by the model host, not by the transaction. Raises LO103 no such role, no bound, or a negative one.';

CREATE FUNCTION lore.drop_budget(
    role text
) RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (lore._administer('drop_budget', jsonb_build_object('role', lore._role(role))) ->> 'dropped')::boolean
$$;

COMMENT ON FUNCTION lore.drop_budget(text) IS
    'Takes a role''s budget away, and forgets what it has spent: it may spend any amount, or what public has. True if there was one. Raises LO103 no such role.';

CREATE VIEW lore.budgets AS
    SELECT lore._role_name(b.role) AS role, b.tokens, b.tokens_spent, b.seconds, b.seconds_spent,
           pg_catalog.make_interval(secs => b.period_s) AS period, pg_catalog.to_timestamp(b.ends_at) AS ends_at,
           b.per_statement_tokens, b.per_statement_seconds
    FROM pg_catalog.jsonb_to_recordset(lore._own_or_all('budgets', 'all_budgets')) AS b(
        role bigint, tokens bigint, tokens_spent bigint, seconds double precision, seconds_spent double precision,
        period_s double precision, ends_at double precision, per_statement_tokens bigint, per_statement_seconds double precision);

COMMENT ON VIEW lore.budgets IS 'Budgets and what is spent of them; who is not in lore_admin sees the one that binds the own role.';
COMMENT ON COLUMN lore.budgets.role IS 'The role; public stands for each role without a budget of its own.';
COMMENT ON COLUMN lore.budgets.tokens IS 'Tokens that may be read and written in a period; NULL is any number.';
COMMENT ON COLUMN lore.budgets.tokens_spent IS 'Tokens spent in this period; NULL for public, whose budget each role has for itself.';
COMMENT ON COLUMN lore.budgets.seconds IS 'Seconds that models may work in a period; NULL is any number.';
COMMENT ON COLUMN lore.budgets.seconds_spent IS 'Seconds spent in this period.';
COMMENT ON COLUMN lore.budgets.period IS 'Length of a period; NULL never ends.';
COMMENT ON COLUMN lore.budgets.ends_at IS 'When this period ends.';
COMMENT ON COLUMN lore.budgets.per_statement_tokens IS 'Tokens that one statement may spend.';
COMMENT ON COLUMN lore.budgets.per_statement_seconds IS 'Seconds that models may work for one statement.';

REVOKE ALL ON lore.budgets FROM PUBLIC;
REVOKE ALL ON FUNCTION lore.set_budget(text, bigint, double precision, interval, bigint, double precision), lore.drop_budget(text) FROM PUBLIC;
GRANT SELECT ON lore.budgets TO lore_reader;
GRANT EXECUTE ON FUNCTION lore.set_budget(text, bigint, double precision, interval, bigint, double precision), lore.drop_budget(text) TO lore_admin;
