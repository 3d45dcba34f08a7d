-- 380_gather.sql: what the aggregates on texts share. Needs 370_operate.
-- An aggregate reads what it has gathered as soon as that is a part worth reading, and keeps what came of it: rows
-- without end take bounded memory, and time in proportion to them. Its last step makes one result of the parts.

CREATE TYPE lore._gathered AS (arguments jsonb, inputs text[], characters integer, parts jsonb, alone boolean);

COMMENT ON TYPE lore._gathered IS 'State of an aggregate on texts: its arguments, inputs not yet read, and what came of those that were.';

CREATE FUNCTION lore._gather(
    op        text,                         -- of the model host, which knows the stages map and final
    state     lore._gathered,
    input     text,
    arguments jsonb
) RETURNS lore._gathered
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most       constant integer := 500;     -- inputs in a part
    characters constant integer := 200000;  -- in a part
BEGIN
    IF state IS NULL THEN
        state := ROW(arguments, '{}', 0, '[]', false)::lore._gathered;
    END IF;
    IF input IS NULL OR input !~ '\S' THEN
        RETURN state;
    END IF;
    IF cardinality(state.inputs) >= most OR state.characters + length(input) > characters AND cardinality(state.inputs) > 0 THEN
        state := lore._gather_part(op, state);
    END IF;
    state.inputs := state.inputs || input;
    state.characters := state.characters + length(input);
    RETURN state;
END
$$;

COMMENT ON FUNCTION lore._gather(text, lore._gathered, text, jsonb) IS
    'One more input of an aggregate; NULL and what is blank are left out. A part that is full is read.';

CREATE FUNCTION lore._gather_part(
    op    text,
    state lore._gathered
) RETURNS lore._gathered
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most      constant integer := 300000;   -- characters of what is kept: more is read once more, and becomes less
    arguments constant jsonb := state.arguments || '{"stage": "map"}';
BEGIN
    state.parts := state.parts || ((lore._operated(op, ARRAY[to_jsonb(state.inputs)::text], arguments))[1] -> 'parts');
    IF length(state.parts::text) > most THEN
        state.parts := (lore._operated(op, ARRAY[state.parts::text], arguments))[1] -> 'parts';
    END IF;
    state.inputs := '{}';
    state.characters := 0;
    RETURN state;
END
$$;

COMMENT ON FUNCTION lore._gather_part(text, lore._gathered) IS 'Reads the inputs gathered so far, and keeps what came of them.';

CREATE FUNCTION lore._gather_end(
    op    text,
    state lore._gathered
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF state.parts <> '[]' AND cardinality(state.inputs) > 0 THEN
        state := lore._gather_part(op, state);
    END IF;
    IF state.parts = '[]' THEN
        IF coalesce(cardinality(state.inputs), 0) = 0 THEN
            RETURN NULL;
        END IF;
        RETURN (lore._operated(op, ARRAY[to_jsonb(state.inputs)::text], state.arguments))[1];
    END IF;
    RETURN (lore._operated(op, ARRAY[state.parts::text], state.arguments || '{"noted": true}'))[1];
END
$$;

COMMENT ON FUNCTION lore._gather_end(text, lore._gathered) IS 'One result of all that was gathered; NULL where that is nothing.';

REVOKE ALL ON TYPE lore._gathered FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._gather(text, lore._gathered, text, jsonb), lore._gather_part(text, lore._gathered), lore._gather_end(text, lore._gathered) FROM PUBLIC;
GRANT USAGE ON TYPE lore._gathered TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._gather(text, lore._gathered, text, jsonb), lore._gather_part(text, lore._gathered), lore._gather_end(text, lore._gathered) TO lore_reader;
