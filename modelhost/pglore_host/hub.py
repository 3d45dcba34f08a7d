"""Models of a hub: downloaded once at a pinned revision, into real files under the host's cache.

The host itself stays offline: a child process (hub_download.py) does the talking, and ends with the host.
"""

import asyncio
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from . import errors, log
from .errors import HostError
from .remote.options import read_key
from .settings import Settings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
REVISION = re.compile(r"[0-9a-f]{40}")
COMPLETE = ".complete"  # names, sizes and hashes of the files; written last
TAIL = 2000  # characters of the child's last words that go into the log
# What the child does not take over: it is to go out, and by the proxy of PGLORE_HTTPS_PROXY alone, as remote models do.
LEFT_OUT = re.compile(r"(HF_|HUGGING|TRANSFORMERS_OFFLINE$|.*_PROXY$)", re.IGNORECASE)


def folder(cache: Path, name: str, revision: str) -> Path:
    """Where the files of a model lie.

    raises  HostError LO103 for a name or revision that is none, LO204 where they have not been downloaded
    """
    target = _place(cache, name, revision)
    if not (target / COMPLETE).is_file():
        raise HostError(
            errors.MODEL_NOT_LOADED,
            "its files have not been downloaded to this machine",
            "Add it again with replace => true, or copy the folder hub of the model host's cache.",
        )
    return target


def _place(cache: Path, name: str, revision: str) -> Path:
    if not NAME.fullmatch(name) or ".." in name or len(name) > 200:
        raise HostError(errors.BAD_ARGUMENT, "a name of a hub is like ORGANISATION/NAME")
    if not REVISION.fullmatch(revision):
        raise HostError(
            errors.BAD_ARGUMENT, "a revision is a commit of 40 hexadecimal digits, so that it cannot change"
        )
    return cache / "hub" / f"{name.replace('/', '--')}@{revision}"


async def download(settings: Settings, name: str, options: Mapping) -> Path:
    """Have the files of a model, fetching those that are missing; a cancel stops it, the next call goes on from there.

    options  revision; key_env or key_file, where the hub wants a token
    returns  the folder
    raises   HostError LO103, LO204
    """
    target = _place(settings.cache, name, options.get("revision", ""))
    if (target / COMPLETE).is_file():
        return target
    token = await asyncio.to_thread(read_key, options.get("key_env"), options.get("key_file"), name)
    asked = {"name": name, "revision": options["revision"], "target": str(target), "token": token}
    log.write("downloading", model=name, revision=options["revision"], to=str(target))
    why = await _run({**asked, "endpoint": settings.hub_url or None}, settings)
    if why is not None:
        log.write("download failed", model=name, reason=why)
        raise HostError(errors.MODEL_NOT_LOADED, f"its files cannot be downloaded: {why}")
    log.write("downloaded", model=name, to=str(target))
    return target


async def _run(asked: dict, settings: Settings) -> str | None:
    """Run the child; returns why it failed, or None."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pglore_host.hub_download",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(settings),
    )
    assert child.stdin and child.stdout and child.stderr
    last_words = asyncio.create_task(_tail(child.stderr))
    try:
        # By standard input: arguments and environment of a process can be seen by others of its account.
        child.stdin.write(json.dumps(asked).encode())
        child.stdin.close()
        why: str | None = "the download ended before it was done"
        async for line in child.stdout:
            told = json.loads(line)
            if "ended" in told:
                why = told["ended"]
            else:
                log.write("downloading", model=asked["name"], **told)
        if await child.wait() and why is None:
            why = f"the download ended with the status {child.returncode}"
        if why is not None and (said := await last_words):
            log.write("download's last words", model=asked["name"], stderr=said)
        return why
    finally:
        last_words.cancel()
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _tail(stream: asyncio.StreamReader) -> str:
    said = b""
    while part := await stream.read(4096):
        said = (said + part)[-TAIL:]
    return said.decode(errors="replace")


def _environment(settings: Settings) -> dict[str, str]:
    """Variables of the child: no telemetry, no token, cache or setting of the account's own."""
    kept = {name: value for name, value in os.environ.items() if not LEFT_OUT.match(name)}
    proxy = os.environ.get("PGLORE_HTTPS_PROXY")
    return {
        **kept,
        **({"HTTPS_PROXY": proxy} if proxy else {}),
        "HF_HOME": str(settings.cache / "hub" / ".home"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }
