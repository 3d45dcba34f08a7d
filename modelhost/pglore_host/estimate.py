"""estimate: tokens and seconds that a call over many texts would take, from a sample of them and the host's own speed.

The tokens of the sample are counted by the model's tokenizer. The speed is that of the calls in the ledger: seconds of
work as a times the tokens read and b times those written, a and b by least squares. For an embedder that has run whole
batches it is its engine's. Where nothing is known, a model that runs here is tried on a few of the texts.
"""

import asyncio
import sqlite3
import time
from collections.abc import Sequence

import numpy as np

from . import errors
from .accounting import Accounting
from .arguments import integer, optional_text, text
from .embed import checked, vectors_of
from .entry import Use, shown
from .errors import HostError
from .generation import GenerationRequest, complete
from .registry import Registry
from .remote.work import guessed

TASKS = {"embed": "embed", "rerank": "rerank", "generate": "generate", "chat": "generate"}
# Operators: tokens that a language model writes for a text, and for each token of the text, where no call tells.
WRITTEN = {
    "matches": (2, 0.0), "classify": (6, 0.0), "sentiment": (3, 0.0), "rank": (3, 0.0), "extract": (100, 0.0),
    "summarize": (120, 0.0), "translate": (10, 1.2), "redact": (5, 1.0), "similarity_join": (0, 0.0),
}  # fmt: skip
INSTRUCTION = 80  # tokens that an operator puts around a text
MAX_TOKENS = 512  # of a text, where nobody names a bound
CALLS = 500  # of the ledger that are looked at
PROBE_TEXTS, PROBE_TOKENS = 16, 8
PADDING = 1.1
LEARNED_TEXTS = 50  # of an operator's calls, from which on what it reads for a text is known
MOST = 1 << 50


async def estimate(registry: Registry, accounts: Accounting, arguments: dict) -> dict:
    """Tokens and seconds of a call; raises HostError 42501, LO101, LO102, LO103, LO201, LO204."""
    op = text(arguments, "operation", limit=100)
    if op not in TASKS and op not in WRITTEN:
        known = ", ".join(sorted({*TASKS, *WRITTEN}))
        raise HostError(errors.BAD_ARGUMENT, f'there is no estimate for "{shown(op)}"', f"Operations: {known}.")
    sample = checked(arguments.get("sample"))
    total = integer(arguments, "total", 0, MOST, len(sample))
    bound = integer(arguments, "max_tokens", 1, 1 << 31)
    query = optional_text(arguments, "query")
    async with registry.use(optional_text(arguments, "model"), TASKS.get(op, "generate")) as use:
        writes = use.writes
        counts = await _counts(use, sample, op)
        mean = sum(counts) / len(counts) if counts else 0.0
        if writes and op in WRITTEN:
            mean += INSTRUCTION
        per_call = (await _counts(use, [query], op))[0] if op == "rerank" and query else 0
        # Without a language model an operator's calls are those of the embedder.
        alias = use.worker.alias if op in WRITTEN and not writes else use.entry.alias
        rows = await _rows(accounts, op, alias, many=total > 1)
        if op in WRITTEN and rows[:, 2].sum() >= LEARNED_TEXTS:  # it decides itself whom it asks about what
            mean = float(rows[:, 0].sum() / rows[:, 2].sum())
        read = round(mean * total) + per_call
        each = float(_written(op, rows, mean, bound)) if writes else 0.0
        seconds, basis = await _seconds(use, rows, read, each * total, sample, bool(total), op)
    most = 0
    if writes:
        most = total * (bound or (MAX_TOKENS if op in TASKS else max(MAX_TOKENS, round(2 * each))))
    return {
        "model": use.entry.alias,
        "texts": total,
        "sampled": len(sample),
        "input_tokens": read,
        "output_tokens": round(each * total),
        "most_output_tokens": most,
        "seconds": seconds,
        "tokens_per_s": (read + each * total) / seconds if seconds else None,
        "basis": basis,
        "exact": not use.is_remote,
    }


async def _counts(use: Use, texts: Sequence[str], op: str) -> list[int]:
    """Tokens of each text as the model reads it, special tokens and windows included; of a remote one a guess."""
    if use.is_remote:
        return [guessed([one]) for one in texts]
    if use.writes:
        asked = await use.model.lengths([[{"role": "user", "content": one}] for one in texts])
        return list(asked)
    model, prompt = use.model, use.prompt("document") if op == "embed" else ""
    ids = await model.encode([prompt + one for one in texts])
    return [sum(map(len, model.tokenizer.windows(one))) if len(one) else 0 for one in ids]


def _written(op: str, rows: np.ndarray, mean: float, bound: int | None) -> float:
    """Tokens that are written for a text: as calls of the same kind had it, else a guess; within the bound."""
    texts = rows[:, 2].sum() if len(rows) else 0
    if texts:
        found = rows[:, 1].sum() / texts
    elif op in WRITTEN:
        found = WRITTEN[op][0] + WRITTEN[op][1] * mean
    else:
        found = bound or MAX_TOKENS
    return min(found, bound) if bound else found


async def _rows(accounts: Accounting, op: str, alias: str, many: bool) -> np.ndarray:
    """(N, 4) tokens read, tokens written, texts and seconds of work of the last calls of this kind that went well."""
    ops = (
        ("generate", "generate_many", "generate_stream", "chat", "chat_stream") if op in ("generate", "chat") else (op,)
    )

    def ask(connection: sqlite3.Connection) -> list:
        marks = ", ".join("?" * len(ops))
        where = (
            f"op IN ({marks}) AND model = ? AND outcome = 'ok' AND work_ms > 0 AND input_tokens > 0 AND (texts > 1) = ?"
        )
        order = "ORDER BY id DESC LIMIT ?"
        query = f"SELECT input_tokens, output_tokens, texts, work_ms / 1000 FROM calls WHERE {where} {order}"
        given = [*ops, alias]
        return (
            connection.execute(query, [*given, many, CALLS]).fetchall()
            or connection.execute(query, [*given, not many, CALLS]).fetchall()
        )

    found = await asyncio.to_thread(accounts.ledger.ask, ask) if accounts.ledger else []
    return np.array(found, dtype=float).reshape(-1, 4)


async def _seconds(
    use: Use, rows: np.ndarray, read: float, written: float, sample: list[str], some: bool, op: str
) -> tuple[float | None, str]:
    """Seconds of work, and what they are reckoned from."""
    if not some:
        return 0.0, "nothing to do"
    if use.entry.task == "embed" and not use.is_remote and use.model.queue.tokens_per_s:
        return PADDING * read / use.model.queue.tokens_per_s, "the speed of its engine, lately, in whole batches"
    # What single texts took says little of an encoder's batches, and to try a few costs next to nothing.
    if len(rows) and (use.is_remote or use.writes or (rows[:, 2] > 1).any()):
        kind = "calls" if (rows[:, 2] > 1).any() else "calls of single texts"
        return fitted(rows, read, written), f"its last {len(rows)} {kind}"
    if use.is_remote or not sample:
        return None, "nothing was measured yet: call it a few times first"
    probe, started = sample[:PROBE_TEXTS], time.perf_counter()
    if use.writes:
        asked = GenerationRequest([{"role": "user", "content": probe[0]}], max_tokens=PROBE_TOKENS, whole=True)
        done = await complete(use.model, asked)
        row = [done.usage.prompt_tokens, done.usage.completion_tokens, 1, time.perf_counter() - started]
        return fitted(np.array([row], dtype=float), read, written), "one text, tried just now"
    if use.worker.task == "rerank":
        await use.model.scores(probe[0][:1000], probe)
    else:
        await vectors_of(use, probe, "document", "bulk")
    spent = max(time.perf_counter() - started, 1e-6)
    tokens = sum(await _counts(use, probe, op))
    return read * spent / max(tokens, 1), f"{len(probe)} texts, tried just now"


def fitted(rows: np.ndarray, read: float, written: float) -> float:
    """Seconds for tokens read and written, from calls: least squares without negative prices."""
    tokens, seconds = rows[:, :2], rows[:, 3]
    (a, b), *_ = np.linalg.lstsq(tokens, seconds, rcond=None)
    if a < 0 or b < 0:  # one of them tells nothing by itself: the other takes all
        column = 1 if a < 0 and tokens[:, 1].any() else 0
        price = float(seconds @ tokens[:, column]) / max(float(tokens[:, column] @ tokens[:, column]), 1e-9)
        a, b = (price, 0.0) if column == 0 else (0.0, price)
    return float(max(0.0, a * read + b * written))
