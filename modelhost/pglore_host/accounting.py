"""Accounting: puts each request under its budgets, and writes a row of it into the ledger when it has ended."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from .budget import Account, Budgets, Meter
from .frames import Caller
from .ledger import Ledger, Spent
from .policy import Policy

if TYPE_CHECKING:
    from .metrics import Observation

WORK = ("tokenize", "infer")  # parts of a request that its seconds are made of
SHORTEST_S = 0.02  # between two looks at a budget of seconds
SOON_S = 0.02  # a row of more work than this is written at once
TEXTS = (
    "input",
    "inputs",
    "texts",
    "prompt",
    "prompts",
    "system",
    "messages",
    "query",
    "documents",
    "a",
    "b",
    "values",
)
TEXT_BYTES = 100_000  # of a row's input, and of its output; longer ones are cut off


class Accounting:
    """What requests cost: by role and statement, and one by one."""

    def __init__(self, folder: Path, rows: int, texts: bool) -> None:
        """rows: of the log of calls; texts: whether it keeps what was asked and answered."""
        self._folder, self._rows, self.texts = folder, rows, texts
        self.policy = Policy(folder)
        self.budgets = Budgets(self.policy, self.save)
        self.ledger: Ledger | None = None

    def begin(self) -> None:
        """Open the ledger, and go on from what had been spent; called in the worker's process."""
        self.ledger = Ledger(self._folder, self._rows, _row)
        for role, since, tokens, seconds in self.ledger.spent():
            self.budgets.accounts[role] = Account(since, tokens, seconds)

    def end(self) -> None:
        """Write what waits; blocks for a moment."""
        if self.ledger:
            self.ledger.close()

    def plain(self, caller: Caller | None, alias: str) -> bool:
        """Whether a request needs nothing but its row: no budget, and a model that all may use."""
        return not self.policy.restricted(alias) and not self.budgets.bind(caller)

    def save(self, meter: Meter) -> None:
        """Have written what the roles of a meter have spent by now."""
        if self.ledger:
            self.ledger.add(None, _spent(meter), soon=True)

    def count(self, seen: "Observation") -> None:
        """Have the row of a request that has ended written."""
        if self.ledger is None:
            return
        spent = () if seen.meter is None else _spent(seen.meter)
        if self.texts:
            seen.given = {name: seen.arguments[name] for name in TEXTS if seen.arguments.get(name)}
        self.ledger.add(seen, spent, soon=seen.ended_s - seen.started_s > SOON_S or bool(spent))


def _row(seen: "Observation") -> tuple:
    """A row of the ledger."""
    role, login, statement = (caller.role, caller.login, caller.statement) if (caller := seen.caller) else (None,) * 3
    return (
        time.time() - time.perf_counter() + seen.started_s, role, login, statement,
        seen.op, seen.alias, seen.lane, seen.texts, seen.input_tokens, seen.written, seen.cached,
        _ms(union(seen.parts, ("queue",))), _ms(union(seen.parts, WORK)), _ms(seen.ended_s - seen.started_s),
        seen.code or seen.outcome or "ok", seen.finish_reason,
        _text(seen.given) if seen.given else None, _text(seen.said) if seen.said is not None else None,
    )  # fmt: skip


class Clock:
    """Ends a request whose budget of seconds is spent: a model may work on it and say nothing for long."""

    def __init__(self, seen: "Observation", meter: Meter) -> None:
        self._seen, self._meter = seen, meter
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self.rung = False
        self._wait()

    def _wait(self) -> None:
        left = self._meter.left_s()
        if left is not None:
            self._timer = asyncio.get_running_loop().call_later(max(left, SHORTEST_S), self._look)

    def _look(self) -> None:
        self._meter.worked(worked(self._seen))
        left = self._meter.left_s()
        if left is not None and left <= 0:
            self.rung = True
            if self._task:
                self._task.cancel()
        else:
            self._wait()

    def stop(self) -> None:
        """The request has ended."""
        if self._timer:
            self._timer.cancel()
        if self.rung and self._task:
            self._task.uncancel()


def worked(seen: "Observation") -> float:
    """Seconds that models have worked on a request, parts that ran side by side counted once."""
    now = time.perf_counter()
    under_way = [("infer", since, now) for since in (look() for look in seen.live) if since]
    return union([*seen.parts, *under_way], WORK)


def union(parts: Iterable[tuple[str, float, float]], names: tuple[str, ...]) -> float:
    """Seconds covered by the parts of some names."""
    spans = [(start, end) for name, start, end in parts if name in names]
    if len(spans) == 1:
        return spans[0][1] - spans[0][0]
    total = until = 0.0
    for start, end in sorted(spans):
        if end > until:
            total += end - max(start, until)
            until = end
    return total


def _spent(meter: Meter) -> list[Spent]:
    return [
        (limit.role, limit.account.since, limit.account.tokens, limit.account.seconds)
        for limit in meter.limits
        if limit.role is not None
    ]


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 3)


def _text(value: object) -> str | None:
    """JSON of a value, cut where it is long: then it is a JSON text of its beginning."""
    with contextlib.suppress(TypeError):
        text = orjson.dumps(value)
        if len(text) > TEXT_BYTES:
            text = orjson.dumps(text[:TEXT_BYTES].decode("utf-8", "ignore"))
        return text.decode()
    return None
