-- 382_answer_agg.sql: a question answered from many rows. Needs 380_gather.

CREATE FUNCTION lore._answer_agg_end(
    state lore._gathered
) RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._gather_end('answer_group', state) ->> 'text'
$$;

COMMENT ON FUNCTION lore._answer_agg_end(lore._gathered) IS 'Last step of answer_agg.';

CREATE FUNCTION lore._answer_agg_step(
    state lore._gathered, input text, question text
) RETURNS lore._gathered
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._gather('answer_group', state, input, jsonb_build_object('question', question))
$$;

COMMENT ON FUNCTION lore._answer_agg_step(lore._gathered, text, text) IS 'Step of answer_agg.';

CREATE AGGREGATE lore.answer_agg(input text, question text) (
    SFUNC = lore._answer_agg_step, STYPE = lore._gathered, FINALFUNC = lore._answer_agg_end, PARALLEL = UNSAFE
);

COMMENT ON AGGREGATE lore.answer_agg(text, text) IS
    'A question answered from the texts of many rows, all of which are read, however many: what each part says to it is noted, and the answer made of the notes. NULL and blank texts are left out, and no text gives NULL. Without a language model the answer is made of the sentences that answer best, and a NOTICE tells. To answer from the few texts that matter: lore.ask. Raises LO101 empty question, LO102, LO103, LO201 unknown model, LO301 server down, LO302 busy.';

CREATE FUNCTION lore._answer_agg_step(
    state lore._gathered, input text, question text, model text
) RETURNS lore._gathered
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._gather('answer_group', state, input, jsonb_build_object('question', question, 'model', model))
$$;

COMMENT ON FUNCTION lore._answer_agg_step(lore._gathered, text, text, text) IS 'Step of answer_agg.';

CREATE AGGREGATE lore.answer_agg(input text, question text, model text) (
    SFUNC = lore._answer_agg_step, STYPE = lore._gathered, FINALFUNC = lore._answer_agg_end, PARALLEL = UNSAFE
);

COMMENT ON AGGREGATE lore.answer_agg(text, text, text) IS
    'A question answered from the texts of many rows, all of which are read, however many: what each part says to it is noted, and the answer made of the notes. NULL and blank texts are left out, and no text gives NULL. Without a language model the answer is made of the sentences that answer best, and a NOTICE tells. To answer from the few texts that matter: lore.ask. Raises LO101 empty question, LO102, LO103, LO201 unknown model, LO301 server down, LO302 busy.';

REVOKE ALL ON FUNCTION lore._answer_agg_end(lore._gathered),
    lore._answer_agg_step(lore._gathered, text, text),
    lore.answer_agg(text, text),
    lore._answer_agg_step(lore._gathered, text, text, text),
    lore.answer_agg(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._answer_agg_end(lore._gathered),
    lore._answer_agg_step(lore._gathered, text, text),
    lore.answer_agg(text, text),
    lore._answer_agg_step(lore._gathered, text, text, text),
    lore.answer_agg(text, text, text) TO lore_reader;
