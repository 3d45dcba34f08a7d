"""The measures of embed and concurrency on CUDA, beside sentence-transformers at fp16, and how busy the GPU is.

Skipped with a word where there is no GPU.
"""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from bench import common, embed, load, passages, peer, priority

CONNECTIONS = (1, 8, 32, 64)
QUERY = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]


def missing(db: psycopg.Connection) -> str | None:
    """Why there is nothing to measure, or None."""
    try:
        import torch
    except ImportError:
        return "torch is not installed"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no CUDA device"
    device, reason = db.execute("SELECT device, device_reason FROM lore.host_status()").fetchone()
    return None if device == "cuda" else f"the model host runs on {device}: {reason}"


@contextmanager
def watched(every_s: float = 0.2) -> Iterator[list[float]]:
    """The shares of time that the GPU was busy, by NVML, each over the last moment (about 0.1 to 1 s)."""
    seen: list[float] = []
    ending = threading.Event()
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    except Exception:  # the binding is not a requirement, and its errors are its own
        handle = None

    def look() -> None:
        while not ending.wait(every_s):
            if handle is not None:
                seen.append(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
            else:
                done = subprocess.run(QUERY, capture_output=True, text=True, check=True, timeout=10)
                seen.append(float(done.stdout) / 100)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        ending.set()
        watcher.join()


def bulk(db: psycopg.Connection, seconds: float) -> dict[str, Any]:
    """Passages a second under a saturating load, and how busy the GPU and the engine are."""
    name = priority.alias(db)
    with priority.saturated(3), watched() as busy:
        before = priority.engine_ran(db, name)
        busy.clear()
        time.sleep(seconds)
        after = priority.engine_ran(db, name)
        seen = list(busy)
        engine = db.execute("SELECT busy_share FROM lore.host_metrics() WHERE alias = %s", [name]).fetchone()[0]
    return {
        "passages_per_s": (after[0] - before[0]) / (after[2] - before[2]),
        "gpu_busy": sum(seen) / len(seen) if seen else None,
        "engine_busy": engine,
    }


def half(texts: list[str]) -> dict[str, Any]:
    """sentence-transformers at fp16 on the same passages, its batch size the better of two."""
    model = peer.model("float16")
    model.encode(texts[:256])
    found = {}
    for size in (32, 256):
        _, ms = common.timed(lambda size=size: model.encode(texts, batch_size=size))
        found[str(size)] = len(texts) / ms * 1000
    return {"by_batch_size": found, "passages_per_s": max(found.values())}


def main() -> None:
    """Read the options, measure, print."""
    options = common.parser(__doc__ or "")
    options.add_argument("--seconds", type=float, default=10, help="of each measurement")
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    with common.connect() as db:
        load.embed(db, load.WARM)
        if reason := missing(db):
            common.console.print(f"skipped: {reason}")
            common.finish("gpu", db, {"skipped": reason})
            return
        with load.model(db, "bench-f32", dtype="float32") as exact:
            single = embed.compare(db, {"default": None, exact: exact}, peer.model(), chosen.rounds)
        embed.show(single, "on CUDA, beside sentence-transformers in fp32")
        queries = common.questions()
        connections = {str(n): load.run(n, chosen.seconds / 2, queries).summary() for n in CONNECTIONS}
        threads = peer.threads(32, chosen.seconds / 2)
        saturated, halved = bulk(db, chosen.seconds), half(passages.take(20_000))
        result = {
            "embed": single,
            "connections": connections,
            "threads_32": threads,
            "speedup_32": connections["32"]["calls_per_s"] / threads["calls_per_s"],
            "bulk": saturated,
            "sentence_transformers_fp16": halved,
            "bulk_over_fp16": saturated["passages_per_s"] / halved["passages_per_s"],
        }
        common.table(
            "bulk on CUDA",
            ["who", "passages/s", "GPU busy"],
            [
                ["through SQL", saturated["passages_per_s"], saturated["gpu_busy"] or "unknown"],
                *([f"encode at fp16, batches of {n}", speed, ""] for n, speed in halved["by_batch_size"].items()),
            ],
        )
        common.table(
            "short queries",
            ["who", "calls/s", "p50 ms", "p95 ms"],
            [
                [who, row["calls_per_s"], row["p50_ms"], row["p95_ms"]]
                for who, row in [*((f"{n} connections", r) for n, r in connections.items()), ("32 threads", threads)]
            ],
        )
        common.finish("gpu", db, result)


if __name__ == "__main__":
    main()
