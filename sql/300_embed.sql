-- 300_embed.sql: text to vector. Needs 200_host. Touches no table.

CREATE TYPE lore._vectors AS (error jsonb, vectors vector[], notice text);

COMMENT ON TYPE lore._vectors IS 'What came of embedding an array: an error, or vectors and perhaps a notice.';

CREATE FUNCTION lore._embed(
    inputs     text[],
    model      text,
    input_type text,
    truncate   boolean,
    dimensions integer
) RETURNS lore._vectors
LANGUAGE plpython3u STABLE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $python$
    if 'lore @VERSION@' not in GD: plpy.execute('SELECT lore._load()')
    return GD['lore @VERSION@'].embed(plpy, inputs, model, input_type, truncate, dimensions)
$python$;

COMMENT ON FUNCTION lore._embed(text[], text, text, boolean, integer) IS
    'Vectors of an array without NULLs turned away, errors as data.';

CREATE FUNCTION lore.embed(
    input      text,
    model      text DEFAULT NULL,           -- alias; NULL is the default embedder
    input_type text DEFAULT 'document',     -- or 'query': some models want a prefix
    truncate   boolean DEFAULT false,       -- cut what is longer than the model's window, instead of averaging over windows
    dimensions integer DEFAULT NULL         -- keep the first numbers only: for models trained for that (Matryoshka)
) RETURNS vector
LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reply lore._vectors;
BEGIN
    IF input IS NULL THEN
        RETURN NULL;
    END IF;
    reply := lore._embed(ARRAY[input], model, input_type, truncate, dimensions);
    IF reply.error IS NOT NULL THEN
        PERFORM lore._check(reply.error);
    END IF;
    IF reply.notice IS NOT NULL THEN
        RAISE NOTICE '%', reply.notice;
    END IF;
    RETURN reply.vectors[1];
END
$$;

COMMENT ON FUNCTION lore.embed(text, text, text, boolean, integer) IS
    'Unit-length vector of one text. A text longer than the model''s window is read in windows, or cut with truncate; a NOTICE tells. Raises LO101 empty input, LO102 input too long, LO103 dimensions, LO201 unknown model, LO302 busy.';

CREATE FUNCTION lore.embed(
    inputs     text[],
    model      text DEFAULT NULL,
    input_type text DEFAULT 'document',
    truncate   boolean DEFAULT false,
    dimensions integer DEFAULT NULL
) RETURNS vector[]
LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most  constant integer := 100000;       -- texts in a call: what comes of more does not fit a value
    slice constant integer := 5000;         -- texts at a time: bounds the memory of the backend
    count constant integer := cardinality(inputs);
    low   constant integer := array_lower(inputs, 1);
    reply lore._vectors;
    found lore._vectors.vectors%TYPE;
BEGIN
    IF inputs IS NULL THEN
        RETURN NULL;
    END IF;
    IF array_ndims(inputs) > 1 THEN
        PERFORM lore._raise('LO103', format('the array of texts has %s dimensions', array_ndims(inputs)),
                            'Pass a one-dimensional array.');
    END IF;
    IF count > most THEN
        PERFORM lore._raise('LO102', format('an array of %s texts is over the limit of %s', count, most),
                            'Embed in several statements, some thousand texts in each.');
    END IF;
    FOR done IN 0 .. greatest(count - 1, 0) BY slice LOOP
        reply := lore._embed(CASE WHEN count <= slice THEN inputs ELSE inputs[low + done:low + done + slice - 1] END,
                             model, input_type, truncate, dimensions);
        IF reply.error IS NOT NULL THEN
            PERFORM lore._check(reply.error);
        END IF;
        IF reply.notice IS NOT NULL THEN
            RAISE NOTICE '%', reply.notice;
        END IF;
        found := found || reply.vectors;
    END LOOP;
    RETURN found;
END
$$;

COMMENT ON FUNCTION lore.embed(text[], text, text, boolean, integer) IS
    'Unit-length vectors of an array of texts, in its order; NULL elements stay NULL. Raises LO101 empty input, LO102 input too long, LO103 array of arrays or dimensions, LO201 unknown model, LO302 busy.';

REVOKE ALL ON TYPE lore._vectors FROM PUBLIC;
REVOKE ALL ON FUNCTION lore._embed(text[], text, text, boolean, integer), lore.embed(text, text, text, boolean, integer), lore.embed(text[], text, text, boolean, integer) FROM PUBLIC;
GRANT USAGE ON TYPE lore._vectors TO lore_reader;
GRANT EXECUTE ON FUNCTION lore._embed(text[], text, text, boolean, integer), lore.embed(text, text, text, boolean, integer), lore.embed(text[], text, text, boolean, integer) TO lore_reader;
