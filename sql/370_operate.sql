-- 370_operate.sql: the one way from an operator on texts to the model host, or to the result cache. Needs 200_host; asks 402_results.

CREATE FUNCTION lore._operate(
    op        text,                         -- an operator of the model host
    inputs    text[],                       -- NULL elements stay NULL
    arguments jsonb
) RETURNS jsonb[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most       constant integer := 5000;    -- inputs of a request
    characters constant integer := 4000000; -- of a request: bounds the memory on both sides
    given      constant text[] := array_remove(inputs, NULL);
    -- What the host remembers of a question is remembered for this role, which the bridge tells, and this database.
    shared     constant jsonb := arguments || jsonb_build_object('scope', current_database() || '/' || current_user);
    found      jsonb[] := '{}';
    first      integer := 1;
    size       integer := 0;
BEGIN
    FOR place IN 1 .. cardinality(given) LOOP
        size := size + length(given[place]);
        IF place = cardinality(given) OR place - first + 1 >= most OR size + length(given[place + 1]) > characters THEN
            found := found || ARRAY(SELECT r.one FROM jsonb_array_elements(CASE
                WHEN current_setting('lore.result_cache', true) <> '' THEN lore._results(op, shared, given[first:place])
                ELSE lore._call(op, shared || jsonb_build_object('inputs', given[first:place])) END) WITH ORDINALITY AS r(one, n) ORDER BY r.n);
            first := place + 1;
            size := 0;
        END IF;
    END LOOP;
    IF cardinality(given) = cardinality(inputs) THEN
        RETURN found;
    END IF;
    RETURN ARRAY(SELECT CASE WHEN i.input IS NOT NULL THEN found[count(i.input) OVER (ORDER BY i.n)] END
                 FROM unnest(inputs) WITH ORDINALITY AS i(input, n) ORDER BY i.n);
END
$$;

COMMENT ON FUNCTION lore._operate(text, text[], jsonb) IS
    'One result for each input, in their order, NULL for NULL: an object, or {"error": {"code", "message", "hint"}} for an input that failed alone. An object has "decided_by" (embedding, model or pattern), and "alone" where there was no language model to ask.';

CREATE FUNCTION lore._tell(
    topic   text,
    message text,
    hint    text
) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statement constant text := extract(epoch FROM statement_timestamp()) || ':';
    told      constant text := coalesce(current_setting('pglore.told', true), '');
BEGIN
    IF left(told, length(statement)) = statement AND position(topic || ',' IN told) > 0 THEN
        RETURN;
    END IF;
    PERFORM set_config('pglore.told', CASE WHEN left(told, length(statement)) = statement THEN told ELSE statement END || topic || ',', false);
    RAISE NOTICE '%', message USING HINT = hint;
END
$$;

COMMENT ON FUNCTION lore._tell(text, text, text) IS
    'Raises a NOTICE, but only once for a topic in a statement that calls a function for each of its rows.';

CREATE FUNCTION lore._operated(
    op        text,
    inputs    text[],
    arguments jsonb,
    bearing   boolean DEFAULT false         -- errors of single inputs are left in their results
) RETURNS jsonb[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    results jsonb[];
    failed  record;
    asked   bigint;
    decided bigint;
    alone   boolean;
BEGIN
    IF array_ndims(inputs) > 1 THEN
        PERFORM lore._raise('LO103', format('the array of texts has %s dimensions', array_ndims(inputs)),
                            'Pass a one-dimensional array.');
    END IF;
    IF inputs IS NULL OR cardinality(inputs) = 0 THEN
        RETURN inputs::jsonb[];
    END IF;
    results := lore._operate(op, inputs, arguments);
    IF NOT bearing THEN
        SELECT f.n, f.one -> 'error' AS error INTO failed
        FROM unnest(results) WITH ORDINALITY AS f(one, n) WHERE f.one ? 'error' ORDER BY f.n LIMIT 1;
        IF FOUND THEN
            PERFORM lore._check(CASE WHEN cardinality(inputs) = 1 THEN failed.error ELSE jsonb_set(failed.error, '{message}',
                to_jsonb(format('element %s of the array: %s', failed.n, failed.error ->> 'message'))) END);
        END IF;
    END IF;
    SELECT count(*) FILTER (WHERE f.one ->> 'decided_by' = 'model'), count(*) FILTER (WHERE f.one ->> 'decided_by' = 'embedding'),
           bool_or(f.one ? 'alone') INTO asked, decided, alone
    FROM unnest(results) AS f(one);
    IF alone THEN
        PERFORM lore._tell(op, format(CASE op WHEN 'redact' THEN '%s: there is no language model to find names and addresses, the patterns alone are used'
            ELSE '%s: there is no language model, the embedding alone decides' END, replace(op, '_group', '_agg')),
            'Register one with lore.add_model and make it the default with lore.set_default; model => ''extractive'' asks for this and tells nothing.');
    ELSIF cardinality(inputs) > 1 AND decided > 0 AND asked > 0 THEN
        RAISE NOTICE '%: decided % of % by embedding, % by model', op, ltrim(to_char(decided, '999,999,990')),
            ltrim(to_char(decided + asked, '999,999,990')), ltrim(to_char(asked, '999,999,990'));
    END IF;
    RETURN results;
END
$$;

COMMENT ON FUNCTION lore._operated(text, text[], jsonb, boolean) IS
    'lore._operate with its errors raised, which name the element of the array, and with a NOTICE of who decided: the embedding, a language model, or both.';

CREATE FUNCTION lore._failure(
    result jsonb
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (result -> 'error' ->> 'code') || ': ' || (result -> 'error' ->> 'message')
$$;

COMMENT ON FUNCTION lore._failure(jsonb) IS 'What an operator''s result shows in a column error: code and message, NULL where there is none.';

REVOKE ALL ON FUNCTION lore._operate(text, text[], jsonb), lore._tell(text, text, text), lore._operated(text, text[], jsonb, boolean), lore._failure(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._operate(text, text[], jsonb), lore._tell(text, text, text), lore._operated(text, text[], jsonb, boolean), lore._failure(jsonb) TO lore_reader;
