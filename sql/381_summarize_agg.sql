-- 381_summarize_agg.sql: one summary of many rows. Needs 380_gather.

CREATE FUNCTION lore._summarize_agg_end(
    state lore._gathered
) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._gather_end('summarize_group', state) ->> 'text'
$$;

COMMENT ON FUNCTION lore._summarize_agg_end(lore._gathered) IS 'Last step of summarize_agg.';

CREATE FUNCTION lore._summarize_agg_step(
    state lore._gathered, input text
) RETURNS lore._gathered
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._gather('summarize_group', state, input, '{}')
$$;

COMMENT ON FUNCTION lore._summarize_agg_step(lore._gathered, text) IS 'Step of summarize_agg.';

CREATE AGGREGATE lore.summarize_agg(input text) (
    SFUNC = lore._summarize_agg_step, STYPE = lore._gathered, FINALFUNC = lore._summarize_agg_end, PARALLEL = UNSAFE
);

COMMENT ON AGGREGATE lore.summarize_agg(text) IS
    'One summary of the texts of many rows, however many: summaries of parts are summarized in turn. ORDER BY within the call says in which order they are read; NULL and blank texts are left out, and no text gives NULL. Without a language model it is made of the most central sentences, and a NOTICE tells. Raises LO102, LO103, LO201 unknown model, LO301 server down, LO302 busy.';

CREATE FUNCTION lore._summarize_agg_step(
    state lore._gathered, input text, instruction text
) RETURNS lore._gathered
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._gather('summarize_group', state, input, jsonb_build_object('instruction', instruction))
$$;

COMMENT ON FUNCTION lore._summarize_agg_step(lore._gathered, text, text) IS 'Step of summarize_agg.';

CREATE AGGREGATE lore.summarize_agg(input text, instruction text) (
    SFUNC = lore._summarize_agg_step, STYPE = lore._gathered, FINALFUNC = lore._summarize_agg_end, PARALLEL = UNSAFE
);

COMMENT ON AGGREGATE lore.summarize_agg(text, text) IS
    'One summary of the texts of many rows, however many: summaries of parts are summarized in turn. ORDER BY within the call says in which order they are read; NULL and blank texts are left out, and no text gives NULL. instruction says what matters. Without a language model it is made of the most central sentences, and a NOTICE tells. Raises LO102, LO103, LO201 unknown model, LO301 server down, LO302 busy.';

CREATE FUNCTION lore._summarize_agg_step(
    state lore._gathered, input text, instruction text, model text
) RETURNS lore._gathered
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._gather('summarize_group', state, input, jsonb_build_object('instruction', instruction, 'model', model))
$$;

COMMENT ON FUNCTION lore._summarize_agg_step(lore._gathered, text, text, text) IS 'Step of summarize_agg.';

CREATE AGGREGATE lore.summarize_agg(input text, instruction text, model text) (
    SFUNC = lore._summarize_agg_step, STYPE = lore._gathered, FINALFUNC = lore._summarize_agg_end, PARALLEL = UNSAFE
);

COMMENT ON AGGREGATE lore.summarize_agg(text, text, text) IS
    'One summary of the texts of many rows, however many: summaries of parts are summarized in turn. ORDER BY within the call says in which order they are read; NULL and blank texts are left out, and no text gives NULL. instruction says what matters. Without a language model it is made of the most central sentences, and a NOTICE tells. Raises LO102, LO103, LO201 unknown model, LO301 server down, LO302 busy.';

CREATE FUNCTION lore._summarize_agg_step(
    state lore._gathered, input text, instruction text, model text, max_words integer
) RETURNS lore._gathered
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._gather('summarize_group', state, input, jsonb_build_object('instruction', instruction, 'model', model, 'max_words', max_words))
$$;

COMMENT ON FUNCTION lore._summarize_agg_step(lore._gathered, text, text, text, integer) IS 'Step of summarize_agg.';

CREATE AGGREGATE lore.summarize_agg(input text, instruction text, model text, max_words integer) (
    SFUNC = lore._summarize_agg_step, STYPE = lore._gathered, FINALFUNC = lore._summarize_agg_end, PARALLEL = UNSAFE
);

COMMENT ON AGGREGATE lore.summarize_agg(text, text, text, integer) IS
    'One summary of the texts of many rows, however many: summaries of parts are summarized in turn. ORDER BY within the call says in which order they are read; NULL and blank texts are left out, and no text gives NULL. instruction says what matters. Without a language model it is made of the most central sentences, and a NOTICE tells. Raises LO102, LO103, LO201 unknown model, LO301 server down, LO302 busy.';

REVOKE ALL ON FUNCTION lore._summarize_agg_end(lore._gathered),
    lore._summarize_agg_step(lore._gathered, text),
    lore.summarize_agg(text),
    lore._summarize_agg_step(lore._gathered, text, text),
    lore.summarize_agg(text, text),
    lore._summarize_agg_step(lore._gathered, text, text, text),
    lore.summarize_agg(text, text, text),
    lore._summarize_agg_step(lore._gathered, text, text, text, integer),
    lore.summarize_agg(text, text, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._summarize_agg_end(lore._gathered),
    lore._summarize_agg_step(lore._gathered, text),
    lore.summarize_agg(text),
    lore._summarize_agg_step(lore._gathered, text, text),
    lore.summarize_agg(text, text),
    lore._summarize_agg_step(lore._gathered, text, text, text),
    lore.summarize_agg(text, text, text),
    lore._summarize_agg_step(lore._gathered, text, text, text, integer),
    lore.summarize_agg(text, text, text, integer) TO lore_reader;
