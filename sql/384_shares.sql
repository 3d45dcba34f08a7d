-- 384_shares.sql: who decided, the embedding or the model, where each row was a call. Needs 371_matches, 372_classify.

CREATE FUNCTION lore._shares(
    arguments jsonb
) RETURNS jsonb
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lore._call('decided', arguments || jsonb_build_object('scope', current_database() || '/' || current_user))
$$;

COMMENT ON FUNCTION lore._shares(jsonb) IS 'What the model host remembers of a question that this role asked in this database.';

CREATE FUNCTION lore.matches_shares(
    condition text,                         -- as it was given to lore.matches; the other arguments too
    model     text DEFAULT NULL,
    embedder  text DEFAULT NULL,
    agreement double precision DEFAULT 0.95
) RETURNS TABLE (examples integer, by_embedding bigint, by_model bigint)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.examples, r.by_embedding, r.by_model
    FROM jsonb_to_record(CASE WHEN condition IS NOT NULL THEN lore._shares(jsonb_build_object('operator', 'matches',
             'condition', condition, 'model', model, 'embedder', embedder, 'agreement', agreement)) END)
         AS r(examples integer, by_embedding bigint, by_model bigint)
    WHERE condition IS NOT NULL
$$;

COMMENT ON FUNCTION lore.matches_shares(text, text, text, double precision) IS
    'How many texts the embedding and the language model have decided for lore.matches with this condition, and how many of the model''s answers it learns from. Remembered for this role in this database until the model host ends, of the 64 latest questions; 0 where nothing is. Raises LO101, LO102, LO103, LO201 unknown model, LO301 server down.';

CREATE FUNCTION lore.classify_shares(
    labels       text[],                    -- as they were given to lore.classify; the other arguments too
    model        text DEFAULT NULL,
    embedder     text DEFAULT NULL,
    descriptions text[] DEFAULT NULL,
    instruction  text DEFAULT NULL,
    agreement    double precision DEFAULT 0.95,
    multiple     boolean DEFAULT false
) RETURNS TABLE (examples integer, by_embedding bigint, by_model bigint)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.examples, r.by_embedding, r.by_model
    FROM jsonb_to_record(CASE WHEN labels IS NOT NULL THEN lore._shares(jsonb_build_object('operator', 'classify', 'labels', labels,
             'model', model, 'embedder', embedder, 'descriptions', descriptions, 'instruction', instruction, 'agreement', agreement,
             'multiple', multiple)) END)
         AS r(examples integer, by_embedding bigint, by_model bigint)
    WHERE labels IS NOT NULL
$$;

COMMENT ON FUNCTION lore.classify_shares(text[], text, text, text[], text, double precision, boolean) IS
    'The same of lore.classify with these labels; of lore.classify_multiple with multiple. Raises LO102, LO103, LO201, LO301.';

REVOKE ALL ON FUNCTION lore._shares(jsonb), lore.matches_shares(text, text, text, double precision),
    lore.classify_shares(text[], text, text, text[], text, double precision, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._shares(jsonb), lore.matches_shares(text, text, text, double precision),
    lore.classify_shares(text[], text, text, text[], text, double precision, boolean) TO lore_reader;
