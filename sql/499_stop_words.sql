-- 499_stop_words.sql: beginnings of words of which no stem may be left: the index cannot tell who has them. Needs 200_host.

CREATE FUNCTION lore._stop_words(
    names text[]                            -- of lists, as the server's dictionaries name them
) RETURNS text[]
LANGUAGE plpython3u STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $python$
    if 'lore @VERSION@' not in GD: plpy.execute('SELECT lore._load()')
    return GD['lore @VERSION@'].stop_words(names)
$python$;

COMMENT ON FUNCTION lore._stop_words(text[]) IS 'The words of the server''s lists of stop words; of a list that cannot be read none.';

CREATE FUNCTION lore._may_vanish(
    language  regconfig,
    beginning text                          -- letters, in lower case; NULL is none
) RETURNS boolean
LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- The last: six more letters, which no language has at an end, and a stem of these alone: an article that is written as one with its
    -- word. One letter may be the first of such, and leads to too much of the index for any use.
    SELECT length(beginning) = 1 OR EXISTS (SELECT FROM unnest(lore._stop_words(ARRAY(
            SELECT DISTINCT n.name FROM pg_ts_config_map AS m JOIN pg_ts_dict AS d ON d.oid = m.mapdict,
                   substring(d.dictinitoption FROM 'stopwords = ''([a-z0-9_]+)''') AS n(name)
            WHERE m.mapcfg = language AND n.name IS NOT NULL))) AS s(word) WHERE starts_with(s.word, beginning))
        OR coalesce('qoqoqo' = ANY (tsvector_to_array(to_tsvector(language, beginning || 'qoqoqo'))), false)
$$;

COMMENT ON FUNCTION lore._may_vanish(regconfig, text) IS
    'Whether a word that begins so may leave nothing of it in the keyword index: "wi" of the stop word "with", or the article of an Arabic word.';

REVOKE ALL ON FUNCTION lore._stop_words(text[]), lore._may_vanish(regconfig, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore._stop_words(text[]), lore._may_vanish(regconfig, text) TO lore_reader;
