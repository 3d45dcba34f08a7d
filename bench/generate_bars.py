"""The parts of the benchmark generate that are no speeds: first rows, known beginnings, cancels, schemas."""

import json
import random
import threading
import time
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bench import common, metrics

STREAM = "SELECT (lore.generate_stream(%s, model => %s, max_tokens => %s)).text"

LONG = 400  # tokens of a text that is cancelled


def first_row(db: psycopg.Connection, prompt: str, model: str) -> float:
    """Milliseconds to the first row of a stream, which is ended then."""
    with db.transaction(), db.cursor("stream") as cursor:
        started = time.perf_counter()
        cursor.execute(STREAM, [prompt, model, 8])
        cursor.itersize = 1
        cursor.fetchone()
        return (time.perf_counter() - started) * 1000


def first_rows(db: psycopg.Connection, prompts: list[str], model: str) -> dict[str, float]:
    """First rows of one connection on an engine that does nothing else, beside when its first token is there."""
    rows, tokens = [], []
    sql = "SELECT ((lore.generate_result(%s, model => %s, max_tokens => 1)).timings ->> 'first_token_ms')::float8"
    for prompt in prompts:
        rows.append(first_row(db, prompt, model))
        tokens.append(db.execute(sql, [f"{prompt}?", model]).fetchone()[0])
    row, token = metrics.percentile(rows, 50), metrics.percentile(tokens, 50)
    return {
        "first_row_ms": row,
        "first_token_in_host_ms": token,
        "added_ms": row - token,
        "first_row_best_ms": min(rows),
        "first_token_in_host_best_ms": min(tokens),
    }


def prefixes(db: psycopg.Connection, model: str, rounds: int = 8) -> dict[str, float]:
    """Milliseconds to the first token of a prompt of a few hundred tokens: new, and where its beginning is known."""
    sql = "SELECT timings ->> 'first_token_ms', prompt_tokens FROM lore.generate_result("
    sql += "%s, model => %s, system => %s, max_tokens => 1)"
    new, known, tokens = [], [], 0
    for number in range(rounds):
        system = f"{number} " + "How do I shrink a table? The planner chooses. " * 12
        for found, end in ((new, "a"), (known, "b")):
            first, tokens = db.execute(sql, [end, model, system]).fetchone()
            found.append(float(first))
    return {
        "new_ms": metrics.percentile(new, 50),
        "known_ms": metrics.percentile(known, 50),
        "prompt_tokens": tokens,
    }


def cancels(db: psycopg.Connection, prompts: list[str], model: str, number: int, beside: int = 4) -> dict[str, Any]:
    """So many cancels at random moments, beside connections whose texts must stay as they are alone."""
    write = "SELECT lore.generate(%s, model => %s, max_tokens => 40)"
    alone = {prompt: db.execute(write, [prompt, model]).fetchone()[0] for prompt in prompts[:beside]}
    stop, wrong, written = threading.Event(), [], []

    def work(prompt: str) -> None:
        with common.connect() as own:
            while not stop.is_set():
                text = own.execute(write, [prompt, model]).fetchone()[0]
                written.append(1)
                if text != alone[prompt]:
                    wrong.append(prompt)

    workers = [threading.Thread(target=work, args=(prompt,), daemon=True) for prompt in alone]
    for worker in workers:
        worker.start()
    chance, took, states, finished = random.Random(5), [], set(), 0
    with common.connect() as victim:
        for place in range(number):
            at: list[float] = []

            def cancel(at: list[float] = at, after: float = chance.uniform(0.005, 0.25)) -> None:
                time.sleep(after)
                at.append(time.perf_counter())
                victim.cancel_safe()

            thread = threading.Thread(target=cancel)
            thread.start()
            try:
                victim.execute(STREAM if place % 2 else write.replace("40", str(LONG)), _few(prompts[0], model, place))
                finished += 1
            except psycopg.Error as error:
                took.append((time.perf_counter() - at[0]) * 1000 if at else float("inf"))
                states.add(str(error.sqlstate))
            thread.join()
    stop.set()
    for worker in workers:
        worker.join()
    return {
        "cancels": number,
        "sqlstates": sorted(states),
        "ended_before": finished,
        "error_p50_ms": metrics.percentile(took, 50),
        "error_max_ms": max(took),
        "texts_beside": len(written),
        "texts_beside_changed": len(wrong),
    }


def _few(prompt: str, model: str, place: int) -> list[Any]:
    return [prompt, model, LONG] if place % 2 else [prompt, model]


def schemas(db: psycopg.Connection, model: str, number: int) -> dict[str, Any]:
    """So many texts under 20 schemas, hot, in calls of 50: how many parse, and keep their schema."""
    import jsonschema_rs

    from tests.modelhost.test_constraint import SCHEMAS

    each, kept, texts, started = number // len(SCHEMAS), 0, 0, time.perf_counter()
    sql = "SELECT lore.generate(%s::text[], model => %s, schema => %s, max_tokens => 100, temperature => 1)"
    for schema in SCHEMAS:
        prompts = [f"thing {place}" for place in range(each)]
        for text in db.execute(sql, [prompts, model, Jsonb(schema)]).fetchone()[0]:
            texts += 1
            try:
                kept += jsonschema_rs.is_valid(schema, json.loads(text))  # type: ignore[arg-type]
            except ValueError:
                continue
    return {"texts": texts, "kept": kept, "seconds": time.perf_counter() - started}
