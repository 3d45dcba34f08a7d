-- 245_estimate.sql: what a call over many texts would cost, before it is made. Needs 200_host.

CREATE FUNCTION lore.estimate(
    operation  text,                        -- embed, rerank, generate, chat, or an operator on texts such as classify
    inputs     text[],                      -- the texts, or a sample of them; NULL elements are left out
    model      text DEFAULT NULL,           -- alias; NULL is the default model of the operation
    total      bigint DEFAULT NULL,         -- how many texts there will be; NULL is as many as given
    max_tokens integer DEFAULT NULL,        -- bound of each text that is written
    query      text DEFAULT NULL,           -- of rerank
    OUT model_used text, OUT texts bigint, OUT sampled integer,
    OUT input_tokens bigint, OUT output_tokens bigint, OUT most_output_tokens bigint,
    OUT seconds double precision, OUT tokens_per_s double precision, OUT exact boolean, OUT basis text
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most   constant integer := 200;         -- texts of the sample
    size   constant integer := 20000;       -- characters of each, so that the request stays small
    given  constant bigint := (SELECT count(i.input) FROM unnest(inputs) AS i(input) WHERE i.input ~ '\S');
    sample constant text[] := ARRAY(
        SELECT left(n.input, size) FROM (SELECT i.input, row_number() OVER (ORDER BY i.place) - 1 AS number
                                         FROM unnest(inputs) WITH ORDINALITY AS i(input, place) WHERE i.input ~ '\S') AS n
        WHERE given <= most OR n.number * most / given <> (n.number - 1) * most / given OR n.number = 0);
    found  jsonb;
BEGIN
    IF operation IS NULL OR inputs IS NULL THEN
        RETURN;
    END IF;
    found := lore._call('estimate', jsonb_build_object('operation', operation, 'sample', sample, 'model', model,
        'total', coalesce(total, given), 'max_tokens', max_tokens, 'query', query));
    SELECT e.model, e.texts, e.sampled, e.input_tokens, e.output_tokens, e.most_output_tokens, e.seconds, e.tokens_per_s, e.exact, e.basis
        INTO model_used, texts, sampled, input_tokens, output_tokens, most_output_tokens, seconds, tokens_per_s, exact, basis
        FROM jsonb_to_record(found) AS e(model text, texts bigint, sampled integer, input_tokens bigint, output_tokens bigint,
            most_output_tokens bigint, seconds double precision, tokens_per_s double precision, exact boolean, basis text);
END
$$;

COMMENT ON FUNCTION lore.estimate(text, text[], text, bigint, integer, text) IS
    'Tokens and seconds that an operation over texts would take: at most 200 of them are counted by the model''s own tokenizer (a remote one is guessed, exact is then false), and seconds are those that calls of this model took on this host, as basis says; NULL where none was made of a model that runs elsewhere. A model that has not run here yet is tried on a few texts. output_tokens are what calls like this have written, most_output_tokens what they may. Raises 42501, LO102, LO103 no such operation, LO201 unknown model, LO204.';

CREATE FUNCTION lore.estimate_column(
    operation   text,
    source      regclass,                   -- table or view that holds the texts
    text_column name,                       -- of text, or of what can be cast to it
    model       text DEFAULT NULL,
    max_tokens  integer DEFAULT NULL,
    OUT model_used text, OUT texts bigint, OUT sampled integer,
    OUT input_tokens bigint, OUT output_tokens bigint, OUT most_output_tokens bigint,
    OUT seconds double precision, OUT tokens_per_s double precision, OUT exact boolean, OUT basis text
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    few   constant bigint := 100000;        -- rows up to which all are read
    known constant double precision := (SELECT c.reltuples FROM pg_class AS c WHERE c.oid = source AND c.relkind IN ('r', 'm'));
    share double precision;
    total bigint;
    read  bigint;
    given text[];
BEGIN
    IF operation IS NULL OR source IS NULL OR text_column IS NULL THEN
        RETURN;
    END IF;
    IF known > few THEN
        -- Whole pages of the table: a hundred rows or more of them, and the share that is NULL is the sample's.
        share := greatest(100 * 2000 / known, 0.001);
        EXECUTE format('SELECT count(*), coalesce((array_agg(%1$I::text) FILTER (WHERE %1$I IS NOT NULL))[1:5000], ''{}''), count(%1$I) FROM %2$s TABLESAMPLE SYSTEM (%3$s)', text_column, source, share)
            INTO read, given, total;
        total := CASE WHEN read > 0 THEN round(known * total / read) ELSE 0 END;
    ELSE
        EXECUTE format('SELECT count(%1$I), coalesce((array_agg(%1$I::text ORDER BY random()) FILTER (WHERE %1$I IS NOT NULL))[1:200], ''{}'') FROM %2$s', text_column, source)
            INTO total, given;
    END IF;
    SELECT e.* INTO model_used, texts, sampled, input_tokens, output_tokens, most_output_tokens, seconds, tokens_per_s, exact, basis
        FROM lore.estimate(operation, given, model, total, max_tokens) AS e;
END
$$;

COMMENT ON FUNCTION lore.estimate_column(text, regclass, name, text, integer) IS
    'The same for the texts in a column of a table or view: of a large table the number of rows is that of its statistics, and the sample is of a few of its pages. Raises what lore.estimate raises, 42703 no such column.';

REVOKE ALL ON FUNCTION lore.estimate(text, text[], text, bigint, integer, text), lore.estimate_column(text, regclass, name, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.estimate(text, text[], text, bigint, integer, text), lore.estimate_column(text, regclass, name, text, integer) TO lore_reader;
