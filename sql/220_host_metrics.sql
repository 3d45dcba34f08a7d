-- 220_host_metrics.sql: the numbers of each model. Needs 200_host. Touches no table.

CREATE FUNCTION lore.host_metrics() RETURNS TABLE (
    alias              text,
    device             text,              -- cpu, cuda, mps or remote
    memory_bytes       bigint,            -- taken by loading; NULL where it is not loaded, or borrows another model
    interactive_queued integer,           -- texts that wait now, of single texts and short arrays
    bulk_queued        integer,           -- texts that wait now, of longer arrays
    requests           bigint,            -- ended, in whatever way
    texts              bigint,            -- of requests that were answered
    tokens             bigint,            -- read for requests, special tokens included
    batches            bigint,            -- runs of the engine
    batch_texts        double precision,  -- mean texts of a batch
    batch_tokens       double precision,  -- mean tokens of a batch, without padding
    padding_waste      double precision,  -- share of the tokens of batches that were padding, 0 to 1
    tokens_per_s       double precision,  -- over the last minute
    busy_share         double precision,  -- share of the last minute that the engine ran, 0 to 1
    interactive_p50_ms double precision,  -- time of requests in the host, over the last 5 to 10 minutes
    interactive_p95_ms double precision,
    interactive_p99_ms double precision,
    bulk_p50_ms        double precision,
    bulk_p95_ms        double precision,
    bulk_p99_ms        double precision,
    parts              jsonb,             -- the same, in ms, for the parts: {"interactive": {"queue": {"p50": ...}}}
    refusals           bigint,            -- requests told "busy", LO302
    cancelled          bigint,            -- requests whose statement was cancelled or whose client went away
    errors             jsonb,             -- requests that failed, by code
    loads              bigint,
    unloads            bigint,
    last_used          timestamptz
)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT m.alias, m.device, m.memory_bytes, m.interactive_queued, m.bulk_queued, m.requests, m.texts, m.tokens,
           m.batches, m.batch_texts, m.batch_tokens, m.padding_waste, m.tokens_per_s, m.busy_share,
           m.interactive_p50_ms, m.interactive_p95_ms, m.interactive_p99_ms,
           m.bulk_p50_ms, m.bulk_p95_ms, m.bulk_p99_ms,
           m.parts, m.refusals, m.cancelled, m.errors, m.loads, m.unloads, to_timestamp(m.last_used_s)
    FROM jsonb_to_recordset(lore._call('metrics')) AS m(
        alias text, device text, memory_bytes bigint, interactive_queued integer, bulk_queued integer,
        requests bigint, texts bigint, tokens bigint,
        batches bigint, batch_texts double precision, batch_tokens double precision, padding_waste double precision,
        tokens_per_s double precision, busy_share double precision,
        interactive_p50_ms double precision, interactive_p95_ms double precision, interactive_p99_ms double precision,
        bulk_p50_ms double precision, bulk_p95_ms double precision, bulk_p99_ms double precision,
        parts jsonb, refusals bigint, cancelled bigint, errors jsonb, loads bigint, unloads bigint,
        last_used_s double precision)
    ORDER BY m.alias
$$;

COMMENT ON FUNCTION lore.host_metrics() IS
    'One row for each model that has been used or is loaded, in texts, tokens, bytes, milliseconds and shares of 1. Sums are since the model host''s process started; tokens_per_s and busy_share of the last minute; p50, p95 and p99 of requests answered in the last 5 to 10 minutes, to about 2 %, NULL where there was none. parts splits them into queue (until the engine takes the first text), tokenize and infer. A method that borrows another model, such as late-interaction, has requests of its own, and NULL for what is the engine''s; aliases that share one set of weights show the same engine. LO301 host down.';

REVOKE ALL ON FUNCTION lore.host_metrics() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lore.host_metrics() TO lore_reader;
