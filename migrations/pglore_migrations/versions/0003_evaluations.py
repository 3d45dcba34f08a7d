"""Golden sets, and what evaluations found."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE lore_data.golden (
    name       text COLLATE "C" NOT NULL CHECK (name ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,47}$'),
    query_id   text COLLATE "C" NOT NULL,
    query      text NOT NULL,
    judgements jsonb NOT NULL CHECK (jsonb_typeof(judgements) = 'object'),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, query_id)
);
COMMENT ON TABLE lore_data.golden IS 'Golden sets: one row a query. They belong to no collection, and so outlive each.';
COMMENT ON COLUMN lore_data.golden.judgements IS 'Grades of documents by key, above 0 where relevant.';

CREATE TABLE lore_data.evaluations (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    evaluated_at         timestamptz NOT NULL DEFAULT now(),
    evaluated_by         text NOT NULL DEFAULT current_user,
    version              text NOT NULL,
    collection           text NOT NULL,
    variant              text NOT NULL,
    arguments            jsonb NOT NULL,
    baseline             bigint REFERENCES lore_data.evaluations ON DELETE SET NULL,
    golden               text,
    test                 text NOT NULL,
    k                    integer NOT NULL,
    judged               integer NOT NULL,
    ndcg                 double precision NOT NULL,
    recall               double precision NOT NULL,
    mrr                  double precision NOT NULL,
    p50_ms               double precision NOT NULL,
    p95_ms               double precision NOT NULL,
    p99_ms               double precision NOT NULL,
    ndcg_p               double precision,
    recall_p             double precision,
    mrr_p                double precision,
    missing              integer NOT NULL,
    model                text NOT NULL,
    fingerprint          text NOT NULL,
    reranker             text,
    reranker_fingerprint text,
    settings             jsonb NOT NULL
);
COMMENT ON TABLE lore_data.evaluations IS
    'What evaluations found: one row a variant. The collection may be gone since.';
COMMENT ON COLUMN lore_data.evaluations.arguments IS 'Arguments of lore.search that the variant sets.';
COMMENT ON COLUMN lore_data.evaluations.baseline IS
    'The first variant of the same call, which the p-values compare with.';
COMMENT ON COLUMN lore_data.evaluations.test IS
    'Hash of queries and judgements: results of the same test can be compared.';
COMMENT ON COLUMN lore_data.evaluations.judged IS 'Queries that have a relevant document.';
COMMENT ON COLUMN lore_data.evaluations.missing IS 'Relevant documents that the collection did not hold.';
COMMENT ON COLUMN lore_data.evaluations.settings IS 'Settings of the collection and its indexes.';
CREATE INDEX ON lore_data.evaluations (collection);
CREATE INDEX ON lore_data.evaluations (baseline);

CREATE TABLE lore_data.evaluation_queries (
    evaluation      bigint REFERENCES lore_data.evaluations ON DELETE CASCADE,
    query_id        text COLLATE "C",
    query           text NOT NULL,
    keys            text[] NOT NULL,
    ms              double precision NOT NULL,
    ndcg            double precision NOT NULL,
    recall          double precision NOT NULL,
    reciprocal_rank double precision NOT NULL,
    PRIMARY KEY (evaluation, query_id)
);
COMMENT ON TABLE lore_data.evaluation_queries IS
    'What evaluations found for each query. Seen by who evaluated, and by lore_admin.';
COMMENT ON COLUMN lore_data.evaluation_queries.keys IS 'Keys of the documents found, best first.';
-- The keys may be of documents that others may not see.
ALTER TABLE lore_data.evaluation_queries ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON lore_data.evaluation_queries USING (
    EXISTS (SELECT FROM lore_data.evaluations AS e WHERE e.id = evaluation AND e.evaluated_by = current_user));

ALTER TABLE lore_data.golden OWNER TO lore_admin;
ALTER TABLE lore_data.evaluations OWNER TO lore_admin;
ALTER TABLE lore_data.evaluation_queries OWNER TO lore_admin;
GRANT SELECT ON lore_data.golden, lore_data.evaluations, lore_data.evaluation_queries TO lore_reader;
GRANT INSERT, UPDATE, DELETE ON lore_data.golden TO lore_writer;
GRANT INSERT ON lore_data.evaluation_queries TO lore_writer;
-- Not who and when: these are not the writer's to say.
GRANT INSERT (version, collection, variant, arguments, baseline, golden, test, k, judged, ndcg, recall, mrr,
    p50_ms, p95_ms, p99_ms, ndcg_p, recall_p, mrr_p, missing, model, fingerprint, reranker, reranker_fingerprint,
    settings) ON lore_data.evaluations TO lore_writer;
"""

DOWNGRADE = """
DROP TABLE lore_data.evaluation_queries, lore_data.evaluations, lore_data.golden;
"""


def upgrade() -> None:
    """Make the tables of golden sets and evaluations."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Remove them."""
    op.execute(DOWNGRADE)
