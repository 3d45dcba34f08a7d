"""The engine: one thread that gives sequences rows, runs all rows together token by token, and hands out the pieces.

A prompt is read in parts, and between two parts every other row goes on by a token. A row is free as soon as its
sequence ends or is cancelled. When states would outgrow the cache, the youngest row gives its place up and is read
again later: it goes on where it was. What fails on one row fails there alone; what fails the engine fails the
sequences that were in it with LO301, and the engine goes on with the next.
"""

import os
import threading
import time
from collections import defaultdict

import torch

from .. import errors, log
from ..errors import HostError
from .cache import rounded
from .prefixes import BLOCK, Prefixes
from .request import Piece
from .runner import Runner
from .sampling import pick
from .sequence import Sequence
from .waiting import Waiting

PREFILL_TOKENS = {"cpu": 256, "mps": 1024, "cuda": 4096}  # of prompts read in one step, padding included
PREFIX_SHARE = 0.25  # of the cache's bound that kept beginnings may take
FAILURES = 5  # in a row without a token between them: the process begins afresh


class Engine:
    """Runs one model until it is stopped, then unloads it."""

    def __init__(
        self, runner: Runner, waiting: Waiting, ends: set[int], rows: int, tokens: int, kind: str, penalty: float = 1.0
    ) -> None:
        """rows: sequences at once; tokens: bound of the cache, a part of which is for kept beginnings."""
        self._penalty = penalty
        self._runner, self._waiting, self._ends, self._most = runner, waiting, ends, rows
        self.prefixes = Prefixes(int(PREFIX_SHARE * tokens * runner.cache.bytes_per_token))
        self.tokens = tokens - int(PREFIX_SHARE * tokens)  # that rows may take
        self._prefill = PREFILL_TOKENS[kind]
        self._rows: list[Sequence] = []  # the first `_ready` of them write, the others' prompts are being read
        self._ready = 0
        self._heard: dict = defaultdict(list)  # event loop -> what to tell there after the step
        self._failures = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, or begin again where the thread has died."""
        with self._lock:
            if not self.alive:
                self._thread = threading.Thread(target=self._drive, daemon=True, name="generation")
                self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def submit(self, sequence: Sequence) -> None:
        """Put a sequence in line; raises HostError LO302."""
        self._waiting.add(sequence)
        if not self.alive:
            self.start()

    def cancel(self, sequence: Sequence) -> None:
        """Nobody waits for a sequence any longer: its row is free at the next token."""
        sequence.cancelled = True
        self._waiting.remove(sequence)

    def stop(self) -> None:
        """End the thread after its step and give the memory back; blocks until that is done."""
        self._waiting.stop()
        if self._thread is not None:
            self._thread.join()
        self._fail(HostError(errors.HOST_DOWN, "the model was unloaded", "Call again."))
        self._runner.unload()
        self.prefixes.forget()

    def _drive(self) -> None:
        with torch.inference_mode():
            while not self._waiting.stopped and (self._rows or self._waiting.wait()):
                self._guarded()

    def _guarded(self) -> None:
        """One step; whatever goes wrong in it ends what is in the rows, and never the engine."""
        try:
            self._step()
            self._failures = 0
        except BaseException as error:
            log.fault("generation failed", error, rows=len(self._rows))
            self._failures += 1
            if ill := self._runner.health() or (self._failures >= FAILURES and "one failure after the other"):
                log.write("engine failed", reason=ill)
                os._exit(1)  # the next worker begins afresh, and callers ask again
            self._fail(HostError(errors.HOST_DOWN, "the generation engine failed under the request", "Call again."))
            self._runner.cache.resize(0, 0)
            self.prefixes.forget()

    def _fail(self, error: HostError) -> None:
        rows, self._rows, self._ready = self._rows, [], 0
        for sequence in rows if not self._waiting.stopped else [*rows, *self._waiting.drain()]:
            self._tell(sequence, error)
        self._deliver()
        self._count()

    def _step(self) -> None:
        """Free rows, fill them, read a part of the new prompts, and let every other row grow by a token."""
        for row in reversed(range(len(self._rows))):
            if self._rows[row].cancelled:
                self._free(row)
        self._admit()
        if len(self._rows) > self._ready:
            self._read()
            self._deliver()  # a first token is not to wait for the second
        if self._ready:
            self._make_room()
            self._run(0, [sequence.waiting for sequence in self._rows[: self._ready]])
        self._deliver()

    def _admit(self) -> None:
        """Give rows to those who wait, as far as the cache goes."""
        while len(self._rows) < self._most:
            bulk = sum(sequence.lane == "bulk" for sequence in self._rows)
            sequence = self._waiting.first(self._most, bulk)
            if sequence is None:
                return
            room = max([sequence.length + 1, *(other.length + 1 for other in self._rows)])
            if self._rows and (len(self._rows) + 1) * rounded(room) > self.tokens:
                return
            if not self._waiting.remove(sequence):
                continue
            self._resize(len(self._rows) + 1, room)
            sequence.taken_s = sequence.taken_s or time.perf_counter()
            self._rows.append(sequence)
            self._count()
            self._begin(sequence)

    def _begin(self, sequence: Sequence) -> None:
        """Put the states of a beginning that is known into the row."""
        found = self.prefixes.find(sequence.ids)
        sequence.states = len(found) * BLOCK
        if found:
            self._runner.cache.put(len(self._rows) - 1, 0, found)
        if not sequence.written:
            sequence.cached = sequence.states

    def _resize(self, rows: int, room: int) -> None:
        """Room for so many rows of so many states, and more where the bound allows: changing it copies everything."""
        cache, capacity = self._runner.cache, rounded(room)
        fits = rows <= cache.rows and room <= cache.capacity
        if fits and cache.rows * cache.capacity <= max(self.tokens, rows * capacity):
            return
        for more in (cache.capacity, rounded(room * 5 // 4)):
            if more > capacity and rows * more <= self.tokens:
                capacity = more
        wanted = cache.rows if rows <= cache.rows else 2 * rows
        most = max(rows, min(self._most, self.tokens // capacity))
        cache.resize(min(wanted, most), capacity, len(self._rows))

    def _make_room(self) -> None:
        """Room for one token more in each row; the youngest rows go back to wait where the bound does not allow it."""
        while True:
            room = max(sequence.length + 1 for sequence in self._rows)
            if len(self._rows) == 1 or len(self._rows) * rounded(room) <= self.tokens:
                return self._resize(len(self._rows), room)
            self._put_back()

    def _put_back(self) -> None:
        youngest = max(
            range(len(self._rows)), key=lambda row: (self._rows[row].lane == "bulk", self._rows[row].submitted_s)
        )
        sequence = self._rows[youngest]
        self._free(youngest)
        self._waiting.back(sequence)

    def _read(self) -> None:
        """Read a part of the prompts that are new, those together that are about as long."""
        low, rows = self._ready, self._rows[self._ready :]
        start, parts = rows[0].states, [rows[0].waiting[: self._prefill]]
        for sequence in rows[1:]:
            part = sequence.waiting[: self._prefill]
            width = max(len(part), *map(len, parts))
            if sequence.states != start or (len(parts) + 1) * width > self._prefill:
                break
            parts.append(part)
        self._resize(len(self._rows), start + max(map(len, parts)))
        self._run(low, parts)
        for row in range(low, min(low + len(parts), len(self._rows))):
            sequence = self._rows[row]
            if sequence.written and len(sequence.waiting) == 1:
                self._keep(row)
                self._swap(row, self._ready)
                self._ready += 1

    def _keep(self, row: int) -> None:
        """Keep the states of a prompt that has been read, for others that begin alike."""
        sequence = self._rows[row]
        for key, start in self.prefixes.missing(sequence.prompt):
            self.prefixes.keep(key, self._runner.cache.taken(row, start, start + BLOCK))

    def _run(self, low: int, tokens: list) -> None:
        """Run new tokens of rows, and take the next token of each whose text is read to its end."""
        started, rows = time.perf_counter(), self._rows[low : low + len(tokens)]
        starts = [sequence.states for sequence in rows]
        logits = self._logits(low, tokens, starts)
        if logits is None:
            return
        allowed, due, failed = {}, [], {}
        for number, sequence in enumerate(rows):
            sequence.states += len(tokens[number])
            sequence.batch_rows = max(sequence.batch_rows, len(rows))
            if isinstance(logits[number], HostError):
                failed[number] = logits[number]
            elif sequence.states == sequence.length:
                try:
                    if sequence.guide is not None:
                        allowed[len(due)] = sequence.guide.allowed()
                    due.append(number)
                except HostError as error:
                    failed[number] = error
        if due:
            whole = isinstance(logits, torch.Tensor) and len(due) == len(rows)
            chosen = pick(
                logits if whole else torch.stack([logits[number] for number in due]),
                [rows[number] for number in due],
                allowed,
                self._penalty,
            )
            for number, token in zip(due, chosen, strict=True):
                failed[number] = self._grow(rows[number], token)
        for number in reversed(range(len(rows))):
            if error := failed.get(number):
                self._tell(rows[number], error)
                self._runner.cache.clear(low + number)
            if rows[number].ended:
                if not error and len(tokens[number]) > 1:  # a text of one token: its prompt has only now been read
                    self._keep(low + number)
                self._free(low + number)
        used = sum(map(len, tokens))
        self._waiting.usage.add(len(rows), used, len(rows) * max(map(len, tokens)), started, time.perf_counter())

    def _grow(self, sequence: Sequence, token: int | None) -> HostError | None:
        """Add a token to a text and tell its piece; returns what went wrong."""
        if token is None:
            return HostError(errors.INTERNAL_ERROR, "what the model computed for the request is not finite")
        try:
            if piece := sequence.grown(token, self._ends):
                self._tell(sequence, piece)
        except HostError as error:
            return error
        except Exception as error:
            log.fault("request failed", error)
            return HostError(errors.INTERNAL_ERROR, "the model host failed on the request")
        return None

    def _logits(self, low: int, tokens: list, starts: list[int]) -> torch.Tensor | list | None:
        """Logits of each row, or the error of a row that cannot be run; None where the memory was not enough."""
        try:
            return self._runner.forward(low, tokens, starts)
        except Exception as error:
            if self._runner.health():
                raise
            if isinstance(error, MemoryError) and len(self._rows) > 1:
                log.write("rows given up", rows=len(self._rows), reason="the device's memory is not enough")
                self.tokens = max(self.tokens // 2, rounded(max(sequence.length + 1 for sequence in self._rows)))
                for _ in range(len(self._rows) // 2):
                    self._put_back()
                self._runner.cache.resize(len(self._rows), self._runner.cache.capacity, len(self._rows))
                return None
            if len(tokens) == 1:
                log.fault("row failed", error, tokens=len(tokens[0]))
                memory = isinstance(error, MemoryError)
                code = errors.OUT_OF_MEMORY if memory else errors.INTERNAL_ERROR
                return [HostError(code, f"the model failed on the request: {error}"[:200])]
        middle = len(tokens) // 2
        first = self._logits(low, tokens[:middle], starts[:middle])
        second = None if first is None else self._logits(low + middle, tokens[middle:], starts[middle:])
        return None if first is None or second is None else [*first, *second]

    def _swap(self, one: int, other: int) -> None:
        if one != other:
            length = max(self._rows[one].states, self._rows[other].states)
            self._runner.cache.swap(one, other, length)
            self._rows[one], self._rows[other] = self._rows[other], self._rows[one]

    def _free(self, row: int) -> None:
        """Let a sequence go, and close the gap: rows that write stay before those that are read."""
        if row < self._ready:
            self._swap(row, self._ready - 1)
            self._ready -= 1
            row = self._ready
        last = len(self._rows) - 1
        if row != last:
            self._runner.cache.move(last, row, self._rows[last].states)
            self._rows[row] = self._rows[last]
        self._rows.pop()
        self._count()

    def _count(self) -> None:
        self._waiting.running = len(self._rows)

    def _tell(self, sequence: Sequence, news: Piece | HostError) -> None:
        sequence.ended = isinstance(news, HostError) or news.finish_reason is not None
        self._heard[sequence.loop].append((sequence, news))

    def _deliver(self) -> None:
        """Hand out what the step gave: once for each event loop, since waking one takes a while."""
        heard, self._heard = self._heard, defaultdict(list)
        for loop, news in heard.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_hand_out, news)


def _hand_out(news: list) -> None:
    for sequence, piece in news:
        sequence.pieces.put_nowait(piece)
