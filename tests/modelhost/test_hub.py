"""Models of a hub: what is taken, what is refused, and what a cancel leaves. The hub is a small server of this test."""

import asyncio
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pglore_host import errors, files, hub
from pglore_host.errors import HostError
from pglore_host.settings import Settings

from .conftest import start

REVISION = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_secret0123456789"
FORBIDDEN = {
    "pytorch_model.bin": b"a pickle",
    "modeling_own.py": b"import os",
    "onnx/model.onnx": b"graph",
    "README.md": b"text",
    ".hidden.json": b"{}",
    "../outside.json": b"{}",
    "a/../../outside.json": b"{}",
    "/absolute.json": b"{}",
    "a/b/c/d/e/deep.json": b"{}",
    "two words.json": b"{}",
}
LARGE = ("model.safetensors",)


class Hub(ThreadingHTTPServer):
    """As much of a hub's API as a download asks for."""

    daemon_threads = True

    def __init__(self, contents: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents, self.served = dict(contents), dict(contents)  # what is stated, and what is sent
        self.asked: list[tuple[str, str, str | None]] = []  # method, path, Range
        self.status: tuple[int, str] | None = None  # for the listing
        self.token: str | None = None
        self.sha = REVISION
        self.held_after = 0  # bytes of a reply after which no more come, until this is 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def listing(self) -> dict:
        siblings = []
        for name, data in self.contents.items():
            row = {"rfilename": name, "size": len(data), "blobId": git_hash(data)}
            if name in LARGE:
                row["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            siblings.append(row)
        return {"id": "org/tiny", "modelId": "org/tiny", "sha": self.sha, "private": False, "siblings": siblings}


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.server
        hub.asked.append((self.command, self.path, self.headers.get("Range")))
        if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self.send(401, b"", {"X-Error-Code": "GatedRepo"})
        if self.path.startswith(f"/api/models/org/tiny/revision/{REVISION}"):
            if hub.status:
                return self.send(hub.status[0], b"", {"X-Error-Code": hub.status[1]} if hub.status[1] else {})
            return self.send(200, json.dumps(hub.listing()).encode(), {"Content-Type": "application/json"})
        found = re.fullmatch(rf"/org/tiny/resolve/{REVISION}/(.*)", self.path)
        if not found or found[1] not in hub.served:
            return self.send(404, b"", {"X-Error-Code": "RepoNotFound" if not found else "EntryNotFound"})
        data = hub.served[found[1]]
        headers = {
            "ETag": f'"{git_hash(data)}"',
            "X-Repo-Commit": hub.sha,
            "X-Linked-Size": str(len(hub.contents[found[1]])),
            "Accept-Ranges": "bytes",
        }
        if asked := re.match(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            start = int(asked[1])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            return self.send(206, data[start:], headers)
        return self.send(200, data, headers)

    def send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        step = self.server.held_after or len(data)
        try:
            for start in range(0, len(data), max(1, step)):
                while start and self.server.held_after:
                    time.sleep(0.05)
                self.wfile.write(data[start : start + step])
        except ConnectionError:
            pass


def kept(folder: Path) -> dict[str, bytes]:
    """The files of a model by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in files.KEPT
    }


@pytest.fixture
def served():
    """A hub with a model that is none, but quickly sent, and with files that must not be taken."""
    server = Hub({"config.json": b"{}", "vocab.txt": b"words", "model.safetensors": os.urandom(4 << 20), **FORBIDDEN})
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(tmp_path, served):
    return Settings(data_directory=tmp_path, cache=tmp_path / "cache", hub_url=served.url)


def locked(part: Path) -> bool:
    """Whether there is a child that downloads, which holds its lock until it ends."""
    with open(part.parent.with_suffix(".lock")) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def fetch(settings, **options):
    return hub.download(settings, "org/tiny", {"revision": REVISION, **options})


async def refused(awaitable) -> str:
    with pytest.raises(HostError) as caught:
        await awaitable
    assert caught.value.code == errors.MODEL_NOT_LOADED and "127.0.0.1" not in caught.value.message
    return caught.value.message


async def test_a_model_is_downloaded_into_real_files_that_the_host_can_load(
    settings, served, model_folder, monkeypatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # as in the host
    served.contents = served.served = {**kept(model_folder), **FORBIDDEN}
    folder = await fetch(settings)
    assert folder == hub.folder(settings.cache, "org/tiny", REVISION)
    assert folder == settings.cache / "hub" / f"org--tiny@{REVISION}"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    assert names == {name for name in served.contents if name not in FORBIDDEN} | {hub.COMPLETE}
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    assert files.read(folder).content_hash == files.read(model_folder).content_hash
    assert sorted(path.name for path in folder.parent.iterdir() if path.suffix != ".lock") == [folder.name]
    assert not (settings.cache / "outside.json").exists()


async def test_what_is_there_is_not_asked_for_again(settings, served):
    await fetch(settings)
    served.asked.clear()
    await fetch(settings)
    assert not served.asked


async def test_what_a_cancel_left_is_gone_on_with(settings, served):
    served.held_after = 2 << 20
    call = asyncio.create_task(fetch(settings))
    part = settings.cache / "hub" / f"org--tiny@{REVISION}.partial" / "model.safetensors.part"
    while not part.exists() or part.stat().st_size < 1 << 20:
        await asyncio.sleep(0.05)
        assert not call.done()
    assert locked(part)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(60):
            await call
    assert not locked(part)  # the child has ended
    with pytest.raises(HostError):
        hub.folder(settings.cache, "org/tiny", REVISION)
    had = part.stat().st_size
    served.held_after = 0
    served.asked.clear()
    await fetch(settings)
    ranges = [(path.rpartition("/")[2], wanted) for method, path, wanted in served.asked if method == "GET" and wanted]
    assert ranges == [("model.safetensors", f"bytes={had}-")]


async def test_two_calls_at_once_make_one_folder(settings, served):
    first, second = await asyncio.gather(fetch(settings), fetch(settings))
    assert first == second
    got = [path for method, path, _ in served.asked if method == "GET" and path.endswith("model.safetensors")]
    assert len(got) == 1


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
async def test_a_file_that_is_not_what_the_hub_states_is_refused(settings, served, name):
    data = bytearray(served.contents[name])
    data[-1] ^= 1
    served.served[name] = bytes(data)
    assert name in await refused(fetch(settings))
    with pytest.raises(HostError):
        hub.folder(settings.cache, "org/tiny", REVISION)


async def test_a_damaged_beginning_is_downloaded_anew(settings, served):
    partial = settings.cache / "hub" / f"org--tiny@{REVISION}.partial"
    partial.mkdir(parents=True)
    (partial / "model.safetensors.part").write_bytes(b"\0" * 5000)
    folder = await fetch(settings)
    assert (folder / "model.safetensors").read_bytes() == served.contents["model.safetensors"]


async def test_another_revision_than_the_one_asked_for_is_refused(settings, served):
    served.sha = "f" * 40
    assert "revision" in await refused(fetch(settings))


async def test_a_model_without_safetensors_is_refused_before_anything_is_downloaded(settings, served):
    del served.contents["model.safetensors"]
    assert "safetensors" in await refused(fetch(settings))
    assert all(path.startswith("/api/") for _, path, _ in served.asked)


@pytest.mark.parametrize(
    "status, word, said",
    [
        (404, "RepoNotFound", "does not know this model"),
        (404, "RevisionNotFound", "revision"),
        (403, "GatedRepo", "token"),
        (500, "", "status 500"),
        (429, "", "status 429"),
    ],
)
async def test_the_hubs_refusal_is_told(settings, served, status, word, said):
    served.status = (status, word)
    assert said in await refused(fetch(settings))


async def test_a_hub_that_is_not_there_is_told(settings, served):
    served.shutdown()
    served.server_close()
    assert "cannot be reached" in await refused(fetch(settings))


async def test_a_token_is_sent_and_shown_nowhere(settings, served, monkeypatch, capsys):
    served.token = TOKEN
    assert "token" in await refused(fetch(settings))
    monkeypatch.setenv("HUB_TOKEN", TOKEN)
    await fetch(settings, key_env="HUB_TOKEN")
    monkeypatch.setenv("HUB_TOKEN", "wrong" + TOKEN)
    shutil.rmtree(hub.folder(settings.cache, "org/tiny", REVISION))
    await refused(fetch(settings, key_env="HUB_TOKEN"))
    assert TOKEN not in capsys.readouterr().err
    for path in settings.cache.rglob("*"):
        if path.is_file() and path.stat().st_size < 1 << 20:
            assert TOKEN.encode() not in path.read_bytes()


async def test_a_token_of_the_account_is_not_taken(settings, served, monkeypatch, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "token"))
    served.token = TOKEN
    assert "token" in await refused(fetch(settings))


async def test_a_full_disk_is_told_before_the_download(settings, served, monkeypatch):
    big = dict(served.listing()["siblings"][0], rfilename="more.safetensors", size=1 << 60)
    listing = served.listing()
    listing["siblings"].append(big)
    monkeypatch.setattr(served, "listing", lambda: listing)
    assert "free" in await refused(fetch(settings))


@pytest.mark.parametrize(
    "name, revision",
    [
        ("org", REVISION),
        ("org/../tiny", REVISION),
        ("../tiny", REVISION),
        ("org/..", REVISION),
        ("org/ti..ny", REVISION),
        ("/org/tiny", REVISION),
        ("org/tiny/more", REVISION),
        ("org/tiny\n", REVISION),
        ("org/tiny", "main"),
        ("org/tiny", REVISION + "\n"),
        ("org/tiny", ""),
    ],
)
async def test_a_name_or_revision_that_is_none_is_refused(settings, served, name, revision):
    with pytest.raises(HostError) as caught:
        await hub.download(settings, name, {"revision": revision})
    assert caught.value.code == errors.BAD_ARGUMENT and not served.asked


def test_a_host_downloads_a_model_that_is_added_and_then_needs_no_hub(served, cache, model_folder):
    served.contents = served.served = kept(model_folder)
    options = {"revision": REVISION}
    with tempfile.TemporaryDirectory(prefix="pglore-") as name:
        host = start(Path(name), cache, hub_url=served.url)
        try:
            shutil.rmtree(cache / "hub", ignore_errors=True)
            link = host.connect()
            added = link.call("add_model", alias="small", task="embed", source="hub:org/tiny", options=options)
            assert "error" not in added or added["error"] is None, added
            served.shutdown()
            served.server_close()
            link.send("embed", texts=["a text"], model="small")
            header, body = link.read()
            assert "error" not in header and body == link.call("embed", texts=["a text"])
            shutil.rmtree(cache / "hub")
            link.call("unload_model", alias="small")
            error = link.call("embed", texts=["another"], model="small")["error"]
            assert error["code"] == errors.MODEL_NOT_LOADED and "downloaded" in error["message"]
        finally:
            host.process.terminate()
            host.process.wait(60)


def test_the_download_does_not_outlive_its_host(settings, served):
    """A host that is killed takes the child with it."""
    served.held_after = 2 << 20
    code = (
        "import asyncio, sys; from pathlib import Path; from pglore_host import hub; "
        "from pglore_host.settings import Settings; "
        "asyncio.run(hub.download(Settings(data_directory=Path(sys.argv[1]), cache=Path(sys.argv[2]), "
        "hub_url=sys.argv[3]), 'org/tiny', {'revision': sys.argv[4]}))"
    )
    host = subprocess.Popen(
        [sys.executable, "-c", code, str(settings.data_directory), str(settings.cache), served.url, REVISION],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(hub.__file__).parents[1])},
    )
    part = settings.cache / "hub" / f"org--tiny@{REVISION}.partial" / "model.safetensors.part"
    deadline = time.monotonic() + 60
    while not part.exists() or not part.stat().st_size:
        assert time.monotonic() < deadline and host.poll() is None
        time.sleep(0.05)
    assert locked(part)
    host.kill()
    host.wait()
    deadline = time.monotonic() + 60
    while locked(part):
        assert time.monotonic() < deadline
        time.sleep(0.05)
