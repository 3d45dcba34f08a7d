-- 210_models.sql: what the model host knows and does. Needs 200_host.

CREATE VIEW lore.models AS
    SELECT m.alias, m.task, m.engine, m.device, m.device_reason, m.dtype, m.dimensions, m.window_tokens,
           m.state, m.error, m.memory_bytes, m.is_default, m.quality, m.fingerprint
    FROM pg_catalog.jsonb_to_recordset(lore._call('models')) AS m(
        alias text, task text, engine text, device text, device_reason text, dtype text, dimensions integer,
        window_tokens integer, state text, error text, memory_bytes bigint, is_default boolean, quality jsonb, fingerprint text);

COMMENT ON VIEW lore.models IS 'The models that may be named, one a row, with where and how each one runs.';
COMMENT ON COLUMN lore.models.alias IS 'The name to pass as model.';
COMMENT ON COLUMN lore.models.task IS 'What it does: embed, rerank or generate.';
COMMENT ON COLUMN lore.models.engine IS 'What runs it: openvino, torch, remote, or builtin for a method of pglore''s own.';
COMMENT ON COLUMN lore.models.device IS 'Where it runs: cpu, cuda or mps.';
COMMENT ON COLUMN lore.models.device_reason IS 'Why this device and this number format were chosen.';
COMMENT ON COLUMN lore.models.dtype IS 'Number format of the computation: float32, bfloat16, float16 or int8.';
COMMENT ON COLUMN lore.models.dimensions IS 'Length of its vectors; NULL where it makes none.';
COMMENT ON COLUMN lore.models.window_tokens IS 'Tokens it reads at once, special tokens included.';
COMMENT ON COLUMN lore.models.state IS 'unloaded, loading, ready or failed. A model loads when it is first used.';
COMMENT ON COLUMN lore.models.error IS 'Why it could not be loaded; NULL unless the state is failed.';
COMMENT ON COLUMN lore.models.memory_bytes IS 'Memory that loading it took; NULL until it is loaded.';
COMMENT ON COLUMN lore.models.is_default IS 'Whether it is taken when a call names no model.';
COMMENT ON COLUMN lore.models.quality IS 'What a coarser number format loses, measured when it was converted: cosines to the float32 model; of a language model how often the likeliest token is the same, and the divergence of its chances. NULL where nothing was measured.';
COMMENT ON COLUMN lore.models.fingerprint IS 'Hash of its files, pooling, number format, prompts and dimensions kept: equal means equal vectors.';

CREATE FUNCTION lore.host_status(
    OUT pid bigint, OUT version text, OUT uptime interval, OUT device text, OUT device_reason text, OUT loaded text[],
    OUT active integer, OUT queued integer, OUT connections integer, OUT requests bigint, OUT memory_bytes bigint
)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.pid, s.version, make_interval(secs => s.uptime_s), s.device, s.device_reason, s.loaded,
           s.active, s.queued, s.connections, s.requests, s.memory_bytes
    FROM jsonb_to_record(lore._call('status')) AS s(
        pid bigint, version text, uptime_s double precision, device text, device_reason text, loaded text[],
        active integer, queued integer, connections integer, requests bigint, memory_bytes bigint)
$$;

COMMENT ON FUNCTION lore.host_status() IS
    'The model host in one row: process, version, device, loaded models, texts active and queued, connections, requests answered, memory.';

REVOKE ALL ON lore.models FROM PUBLIC;
REVOKE ALL ON FUNCTION lore.host_status() FROM PUBLIC;
GRANT SELECT ON lore.models TO lore_reader;
GRANT EXECUTE ON FUNCTION lore.host_status() TO lore_reader;
