"""Frames: whatever comes on the socket, the host goes on, its memory stays flat, and others notice nothing."""

import contextlib
import json
import os
import random
import socket
import struct

import pytest

from pglore_host import server

from .conftest import Running, frame

GOOD = frame({"id": 7, "op": "tokens", "arguments": {"input": "two words"}})
MALFORMED = {
    "header over the limit": struct.pack("<II", 1 << 30, 0),
    "body over the limit": struct.pack("<II", 2, 1 << 31) + b"{}",
    "both at the end of the range": struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF),
    "no JSON": frame(b"{nonsense"),
    "not UTF-8": frame(b'{"id": 1, "op": "\xff"}'),
    "empty header": frame(b""),
    "a list": frame([1, 2]),
    "a number": frame(7),
    "null": frame(None),
    "no id": frame({"op": "status"}),
    "id of text": frame({"id": "1", "op": "status"}),
    "op of number": frame({"id": 1, "op": 7}),
    "arguments of text": frame({"id": 1, "op": "status", "arguments": "x"}),
    "deep nesting": frame(b"[" * 100_000),
    "NaN": frame(b'{"id": NaN, "op": "status"}'),
    "lone surrogate": frame(b'{"id": 1, "op": "\\ud800"}'),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_frame_gets_an_error_and_its_connection_is_closed(running: Running, name):
    pid = running.pid
    link = running.connect()
    link.raw(MALFORMED[name])
    header, _ = link.read()
    assert header["id"] == -1 and header["error"]["code"] == "LO901"
    assert link.read() is None
    assert running.pid == pid


def test_mutated_frames_disturb_nobody(running: Running, link):
    """Random bytes changed, cut and added in good frames, a connection each; a good connection is asked in between."""
    source = random.Random(7)
    link.call("tokens", input="warm")
    before = running.status()["memory_bytes"]
    for number in range(2000):
        data = bytearray(
            source.choice([GOOD, GOOD * 2, frame({"id": 1, "op": "embed", "arguments": {"texts": ["a"]}})])
        )
        for _ in range(source.randint(1, 6)):
            data[source.randrange(len(data))] = source.randrange(256)
        if source.random() < 0.3:
            del data[source.randrange(len(data)) :]
        hostile = socket.socket(socket.AF_UNIX)
        hostile.connect(str(running.folder / "pglore" / "host.sock"))
        hostile.sendall(data)
        hostile.close()
        if number % 100 == 0:
            assert link.call("tokens", input="two words") == {"tokens": 2}
    running.until_idle()
    assert running.process.poll() is None
    assert running.status()["memory_bytes"] < before + (64 << 20)


def test_a_frame_in_many_pieces_is_one_frame(link):
    for byte in GOOD:
        link.raw(bytes([byte]))
    assert link.read() == ({"id": 7}, b'{"tokens":2}')


def test_replies_carry_the_id_of_their_request_in_any_order(link):
    for number in range(20):
        link.send("tokens", number=number, input="word " * (number + 1))
    replies = dict((header["id"], json.loads(body)["tokens"]) for header, body in (link.read() for _ in range(20)))
    assert replies == {number: number + 1 for number in range(20)}


def test_a_connection_with_too_many_requests_is_told_busy(link):
    for number in range(200):
        link.send("embed", number=number, texts=["some text"] * 20, lane="bulk")
    replies = [link.read()[0] for _ in range(200)]
    refused = [reply for reply in replies if "error" in reply]
    assert sorted(reply["id"] for reply in replies) == list(range(200))
    assert all(reply["error"]["code"] == "LO302" for reply in refused)


def test_an_unknown_operation_is_a_bad_argument(link):
    assert link.call("nope")["error"]["code"] == "LO103"
    assert link.call("__init__")["error"]["code"] == "LO103"


def test_only_the_own_account_is_served(monkeypatch):
    here, there = socket.socketpair()
    assert server._same_account(here)
    monkeypatch.setattr(os, "geteuid", lambda: 424242)
    assert not server._same_account(here)
    here.close()
    there.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_another_account_is_refused_at_the_socket(running: Running):
    """The folder is closed to others; opened for the test, the socket still refuses them."""
    paths = [running.folder, running.folder / "pglore", running.folder / "pglore" / "host.sock"]
    modes = [path.stat().st_mode & 0o777 for path in paths]
    for path in paths:
        path.chmod(0o777)
    read, write = os.pipe()
    if not (child := os.fork()):
        try:
            os.setuid(65534)
            link = running.connect()
            with contextlib.suppress(BrokenPipeError):
                link.raw(GOOD)
            os.write(write, b"refused" if link.read() is None else b"served")
        except BaseException as error:
            os.write(write, repr(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    for path, mode in zip(paths, modes, strict=True):
        path.chmod(mode)
    with open(read, "rb") as told:
        assert told.read() == b"refused"
