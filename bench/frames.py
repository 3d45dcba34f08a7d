"""Mutated frames on the socket of a host of its own; the answers to a well-behaved client beside them are checked."""

import argparse
import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import common, metrics, mutations
from bench.mutations import LENGTHS

OPEN = 64  # connections that are left half-open or unread at a time
PATIENCE_S = 30  # within this time the host must take bytes and answer


def connect(path: Path) -> socket.socket:
    """A connection to the host."""
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(PATIENCE_S)
    link.connect(str(path))
    return link


def call(link: socket.socket, op: str, number: int = 1, **arguments: Any) -> tuple[dict, bytes]:
    """Header and body of the reply to a request."""
    link.sendall(mutations.frame(json.dumps({"id": number, "op": op, "arguments": arguments}).encode()))
    head, body = LENGTHS.unpack(_exactly(link, LENGTHS.size))
    return json.loads(_exactly(link, head)), _exactly(link, body)


def _exactly(link: socket.socket, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        data = link.recv(size - len(got))
        if not data:
            raise ConnectionResetError("the host closed the connection")
        got += data
    return bytes(got)


def status(path: Path) -> dict:
    """What the host says about itself."""
    with connect(path) as link:
        return json.loads(call(link, "status")[1])


@dataclass
class Good:
    """A client that behaves: it asks on one connection, again and again, and checks each answer."""

    path: Path
    ended: threading.Event = field(default_factory=threading.Event)
    times: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Ask until told to end; an error ends it too."""
        try:
            with connect(self.path) as link:
                expected = call(link, "tokens", input="two words and some more of them")[1]
                first = json.loads(call(link, "embed", texts=["a good client"])[1])
                number = 1
                while not self.ended.is_set():
                    number += 1
                    started = time.perf_counter()
                    if number % 10:
                        header, body = call(link, "tokens", number, input="two words and some more of them")
                        right = header.get("id") == number and body == expected
                    else:
                        header, body = call(link, "embed", number, texts=["a good client"])
                        vector = json.loads(body)
                        right = header.get("id") == number and sum(map(float.__mul__, vector, first)) > 0.998
                    self.times.append((time.perf_counter() - started) * 1000)
                    if not right:
                        self.errors.append(f"a wrong answer: {header}")
                    time.sleep(0.002)
        except (OSError, ValueError) as error:
            self.errors.append(repr(error))


class Hostile:
    """Clients that do not behave."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path, self.source = path, random.Random(seed)
        self.link: socket.socket | None = None
        self.left: list[socket.socket] = []  # half-open or unread
        self.refused = self.hung = 0

    def send(self) -> None:
        """One mutated frame: at once or in pieces, on a connection that then goes on, is closed, or is left open."""
        source, data = self.source, mutations.mutated(self.source)
        if self.link is None:
            self.link = connect(self.path)
        try:
            if source.random() < 0.2 and len(data) > 1:
                for piece in self._pieces(data[:4096]):
                    self.link.sendall(piece)
                data = data[4096:]
            self.link.sendall(data)
        except TimeoutError:
            self.hung += 1
        except OSError:
            self.refused += 1
            self._close()
            return
        chance = source.random()
        if chance < 0.3:
            self._close()
        elif chance < 0.35:
            self._leave()
        elif chance < 0.5:
            self._read()

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            size = self.source.randint(1, max(1, len(data) // 2))
            yield data[:size]
            data = data[size:]

    def _read(self) -> None:
        """What comes at once; nothing more may come for half a frame."""
        assert self.link is not None
        self.link.setblocking(False)
        try:
            if not self.link.recv(1 << 16):
                self._close()
        except BlockingIOError:
            pass
        except OSError:
            self._close()
        if self.link:
            self.link.settimeout(PATIENCE_S)

    def _leave(self) -> None:
        """Leave the connection as it is; one that was left earlier is closed."""
        assert self.link is not None
        if len(self.left) >= OPEN:
            self.left.pop(self.source.randrange(OPEN)).close()
        self.left.append(self.link)
        self.link = None

    def _close(self) -> None:
        if self.link:
            self.link.close()
        self.link = None

    def end(self) -> None:
        """Close all."""
        self._close()
        for link in self.left:
            link.close()


def run(path: Path, frames: int, seed: int = 7) -> dict[str, Any]:
    """Send mutated frames while a good client asks: figures."""
    before = status(path)
    good = Good(path)
    thread = threading.Thread(target=good.run)
    thread.start()
    hostile = Hostile(path, seed)
    memory, started = [], time.perf_counter()
    for number in range(frames):
        if number % max(1, frames // 10) == 0:
            memory.append(status(path)["memory_bytes"] / 2**20)
        hostile.send()
    seconds = time.perf_counter() - started
    good.ended.set()
    thread.join()
    hostile.end()
    after = status(path)
    deadline = time.monotonic() + PATIENCE_S
    while (after["active"] or after["connections"] > before["connections"]) and time.monotonic() < deadline:
        time.sleep(0.05)
        after = status(path)
    return {
        "frames": frames,
        "seconds": seconds,
        "frames_per_s": frames / seconds,
        "same_host": before["pid"] == after["pid"],
        "hung": hostile.hung,
        "still_active": after["active"],
        "connections_left": after["connections"] - before["connections"],
        "good_calls": len(good.times),
        "good_errors": good.errors,
        "good_p50_ms": metrics.percentile(good.times, 50),
        "good_max_ms": max(good.times, default=0.0),
        "memory_mb": memory,
        "memory_after_mb": after["memory_bytes"] / 2**20,
    }


@contextlib.contextmanager
def host(cache: Path | None = None) -> Iterator[Path]:
    """A host of this checkout in the foreground, its model loaded: the path of its socket."""
    with tempfile.TemporaryDirectory(prefix="pglore-") as name:
        folder = Path(name)
        (folder / "pglore").mkdir(mode=0o700)
        (folder / "postmaster.pid").write_text(f"{os.getpid()}\n")
        (folder / "pglore" / "host.json").write_text(json.dumps({"cache": str(cache)} if cache else {}))
        process = subprocess.Popen(
            [sys.executable, "-m", "pglore_host", "--data-directory", name, "--foreground"],
            env={**os.environ, "PYTHONPATH": str(common.ROOT / "modelhost")},
        )
        try:
            path = folder / "pglore" / "host.sock"
            while not path.exists():
                if process.poll() is not None:
                    sys.exit((folder / "pglore" / "host.log").read_text())
                time.sleep(0.01)
            with connect(path) as link:
                link.settimeout(600)  # the first load of all converts the model
                call(link, "embed", texts=["the model is loaded"])
            yield path
            bad = [line for line in (folder / "pglore" / "host.log").read_text().splitlines() if line[:1] != "{"]
            if bad or process.poll() is not None:
                sys.exit(f"the host ended, or its log has lines that are no JSON: {bad[:3]}")
        finally:
            process.terminate()
            process.wait(30)


def main() -> None:
    """Read the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--frames", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--cache", type=Path, help="folder of converted models, kept between runs")
    chosen = options.parse_args()
    with host(chosen.cache) as path:
        run(path, min(2000, chosen.frames), chosen.seed + 1)  # so that what is allocated once is there
        result = run(path, chosen.frames, chosen.seed)
    result |= {"good_errors": len(result["good_errors"]), "errors": result["good_errors"][:3]}
    common.table(f"{chosen.frames} mutated frames", ["figure", "value"], result.items())
    with common.connect() as db:
        common.finish("frames", db, result)


if __name__ == "__main__":
    main()
