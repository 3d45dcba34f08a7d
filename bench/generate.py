"""Generation through SQL by many connections, beside sequential `model.generate` and raw continuous batching; then
first rows, cancels, texts under schemas, and int8 weights.

The model is a Qwen3 of some 25 million weights by chance, made here; or --model FOLDER, one that the server's account
can read. All read the same prompts and write the same tokens, greedily. Ours and the raw batching take turns.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bench import common, generate_bars, generate_peer, metrics

ALIAS = "bench-generate"
CONNECTIONS = (1, 8, 16, 32)
SHAPES = {
    "tiny": {},
    "small": {
        "hidden_size": 512,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "intermediate_size": 1536,
    },
}


@contextmanager
def folder(given: str | None, shape: str, window: int = 512) -> Iterator[Path]:
    """Where the model lies, in a place that the server's account can read; one that is made reads `window` tokens."""
    if given:
        yield Path(given)
        return
    from tests.modelhost import language

    with tempfile.TemporaryDirectory() as name:
        path = language.make(Path(name) / "model", "Qwen3", max_position_embeddings=window, **SHAPES[shape])
        for place in (Path(name), path, *path.iterdir()):
            place.chmod(0o755)
        yield path


def written(db: psycopg.Connection, prompt: str, tokens: int) -> int:
    """Tokens of one text."""
    sql = "SELECT (lore.generate_result(%s, model => %s, max_tokens => %s)).completion_tokens"
    return db.execute(sql, [prompt, ALIAS, tokens]).fetchone()[0]


def together(number: int, prompts: list[str], tokens: int) -> dict[str, Any]:
    """So many connections write all prompts between them, and then all begin a stream at once."""
    waiting, counts, first, failed = list(prompts), [], [], []
    begin = threading.Barrier(number + 1)

    def work(place: int) -> None:
        try:
            with common.connect() as db:
                db.execute("SELECT lore.tokens('warm up')")
                begin.wait(60)
                while waiting:
                    try:
                        prompt = waiting.pop()
                    except IndexError:
                        break
                    counts.append(written(db, prompt, tokens))
                begin.wait(600)
                begin.wait(60)
                first.append(generate_bars.first_row(db, prompts[place % len(prompts)], ALIAS))
        except Exception as error:
            failed.append(error)
            begin.abort()

    workers = [threading.Thread(target=work, args=(place,), daemon=True) for place in range(number)]
    for worker in workers:
        worker.start()
    try:
        begin.wait(60)
        started = time.perf_counter()
        begin.wait(600)
        seconds = time.perf_counter() - started
        begin.wait(60)
    except threading.BrokenBarrierError:
        raise failed[0] from None
    for worker in workers:
        worker.join()
    return {"tokens_per_s": sum(counts) / seconds, "first_token_ms": metrics.percentile(first, 50)}


def main() -> None:
    options = common.parser(__doc__)
    options.add_argument("--model", help="folder of a causal language model")
    options.add_argument("--shape", choices=SHAPES, default="small", help="of the model that is made without --model")
    options.add_argument("--threads", type=int, default=0, help="of each engine on a CPU; as many as usual if 0")
    options.add_argument("--tokens", type=int, default=64, help="of each text")
    options.add_argument("--texts", type=int, default=64, help="written by all connections together")
    options.add_argument("--cancels", type=int, default=100)
    options.add_argument("--schemas", type=int, default=1000, help="texts under 20 schemas")
    given = options.parse_args()
    db = common.connect()
    prompts = [f"{question} ({number})" for number, question in enumerate((common.questions() * 20)[: given.texts])]
    result: dict[str, Any] = {
        "tokens": given.tokens,
        "texts": given.texts,
        "threads": given.threads,
        "sql": {},
        "continuous_batching": {},
    }
    add = "SELECT lore.add_model(%s, 'generate', %s, %s, replace => true)"
    with folder(given.model, given.shape) as path:
        few = prompts[: max(4, given.texts // 8)]  # one after the other takes long, and its speed does not change
        result["sequential"] = generate_peer.measured(path, few, given.tokens, "sequential", 1, given.threads)
        db.execute(add, [ALIAS, str(path), Jsonb({"threads": given.threads})])
        try:
            for number in CONNECTIONS:
                some = prompts[: max(8, min(given.texts, 4 * number))]
                raw = generate_peer.measured(path, some, given.tokens, "batched", number, given.threads)
                written(db, prompts[0], 4)
                ours = together(number, some, given.tokens)
                ours["of_sequential"] = ours["tokens_per_s"] / result["sequential"]["tokens_per_s"]
                ours["of_continuous_batching"] = ours["tokens_per_s"] / raw["tokens_per_s"]
                result["sql"][str(number)], result["continuous_batching"][str(number)] = ours, raw
            result["stream"] = generate_bars.first_rows(db, prompts[:40], ALIAS)
            result["prefix"] = generate_bars.prefixes(db, ALIAS)
            result["cancel"] = generate_bars.cancels(db, prompts, ALIAS, given.cancels)
            result["schemas"] = generate_bars.schemas(db, ALIAS, given.schemas)
            db.execute(add, [ALIAS, str(path), Jsonb({"threads": given.threads, "quantize": "int8"})])
            written(db, prompts[0], 4)
            result["int8"] = db.execute("SELECT quality FROM lore.models WHERE alias = %s", [ALIAS]).fetchone()[0]
            for number in (1, 16):
                found = together(number, prompts[: max(8, min(given.texts, 4 * number))], given.tokens)
                exact = result["sql"][str(number)]["tokens_per_s"]
                result["int8"][f"of_exact_{number}"] = found["tokens_per_s"] / exact
        finally:
            db.execute("SELECT lore.drop_model(%s, if_exists => true)", [ALIAS])
    names = ("tokens_per_s", "first_token_ms")
    rows = [["sequential generate", *(result["sequential"][name] for name in names), "", ""]]
    for number in map(str, CONNECTIONS):
        raw, ours = result["continuous_batching"][number], result["sql"][number]
        rows.append([f"continuous batching, {number} requests", *(raw[name] for name in names), "", ""])
        shares = (ours["of_sequential"], ours["of_continuous_batching"])
        rows.append([f"lore.generate, {number} connections", *(ours[name] for name in names), *shares])
    columns = ("", "tokens/s", "first token, ms", "of sequential", "of continuous batching")
    common.table(f"{given.texts} texts of {given.tokens} tokens", columns, rows)
    for name in ("stream", "prefix", "cancel", "schemas", "int8"):
        common.table(name, ("", "figure"), list(result[name].items()))
    common.finish("generate", db, result)


if __name__ == "__main__":
    main()
