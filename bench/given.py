"""A collection filled with given vectors, without embedding a text, for the benchmarks of vector search."""

import struct

import numpy as np
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types import TypeInfo

from bench import common


class VectorDumper(Dumper):
    """An array (D,) as pgvector's binary form, as pgvector's own Python package sends it."""

    format = Format.BINARY

    def dump(self, vector: np.ndarray) -> bytes:
        return struct.pack(">HH", len(vector), 0) + vector.astype(">f4").tobytes()


def connect() -> psycopg.Connection:
    """A connection that takes arrays as vectors."""
    db = common.connect()
    kind = TypeInfo.fetch(db, "vector")
    if kind is None:
        raise SystemExit("The extension vector is not in the search path of this database.")
    db.adapters.register_dumper(np.ndarray, type("GivenDumper", (VectorDumper,), {"oid": kind.oid}))
    return db


def text(vector: np.ndarray) -> str:
    """A vector in pgvector's text form."""
    return "[" + ",".join(f"{number:.7g}" for number in vector.tolist()) + "]"


def fill_vectors(db: psycopg.Connection, name: str, vectors: np.ndarray, topics: np.ndarray | None = None) -> float:
    """Make a collection of one chunk a vector, with metadata bucket (0 to 99, by chance), n and topic; its seconds.

    vectors  (N, D) float32, unit rows
    topics   (N,) integers, or None for 0 everywhere
    """
    labels = np.zeros(len(vectors), int) if topics is None else topics

    def load() -> None:
        (kind,) = db.execute("SELECT 'vector'::regtype::oid").fetchone()
        db.execute("SELECT lore.drop_collection(%s, if_exists => true)", [name])
        db.execute(
            "SELECT lore.create_collection(%s, keyword => 'tsvector', "
            "index_kind => 'exact', filterable => '{bucket,n,topic}')",
            [name],
        )
        with db.transaction():
            db.execute("CREATE TEMP TABLE given (i bigint, topic bigint, v vector) ON COMMIT DROP")
            with db.cursor().copy("COPY given FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["int8", "int8", kind])
                for place, vector in enumerate(vectors):
                    copy.write_row((place, int(labels[place]), vector))
            db.execute(
                f"INSERT INTO lore_data.{name}_documents (key, content, metadata, content_hash) "
                "SELECT i::text, 'point ' || i, "
                "jsonb_build_object('bucket', abs(hashint8(i) % 100), 'n', i, 'topic', topic), '' "
                "FROM given ORDER BY i"
            )
            db.execute(
                f"INSERT INTO lore_data.{name}_chunks "
                "(document_id, ordinal, span, content, tokens, embedding, fingerprint, search) "
                "SELECT d.id, 0, '[0,1)', d.content, 2, g.v, 'given', '' "
                f"FROM given AS g JOIN lore_data.{name}_documents AS d ON d.key = g.i::text ORDER BY g.i"
            )
        db.execute(f"VACUUM ANALYZE lore_data.{name}_documents, lore_data.{name}_chunks")

    return common.timed(load)[1] / 1000
