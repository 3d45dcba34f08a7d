"""Frames: whatever comes on the socket, the host goes on, its memory stays flat, and others notice nothing."""

import asyncio
import contextlib
import json
import os
import socket
import struct

import pytest

from bench import frames
from pglore_host import frames as host_frames
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


def test_mutated_frames_disturb_nobody(running: Running):
    """3,000 of the frames of `make bench NAME=frames`, a well-behaved client beside them."""
    path = running.folder / "pglore" / "host.sock"
    frames.run(path, 300, seed=8)  # what is allocated once is there
    seen = frames.run(path, 3000)
    assert seen["good_errors"] == [] and seen["good_calls"] > 5
    assert seen["same_host"] and not seen["hung"] and not seen["still_active"] and not seen["connections_left"]
    assert seen["memory_after_mb"] < seen["memory_mb"][0] + 64
    assert all(line.startswith("{") for line in (running.folder / "pglore" / "host.log").read_text().splitlines())


def test_large_frames_wait_for_room_and_go_on(running: Running, monkeypatch):
    """Clients that announce much and send little hold room, not memory; in time the room comes back."""

    async def serve() -> list:
        room = host_frames.Room(3 << 20)
        halves = [asyncio.StreamReader() for _ in range(3)]
        for reader in halves:
            reader.feed_data(struct.pack("<II", 1 << 20, 0) + b"{")
        slow = [asyncio.create_task(host_frames.read(reader, room)) for reader in halves]
        whole = asyncio.StreamReader()
        whole.feed_data(frame({"id": 1, "op": "tokens", "arguments": {"input": "x" * 100_000}}))
        patient = asyncio.create_task(host_frames.read(whole, room))
        small = asyncio.StreamReader()
        small.feed_data(GOOD)
        seen = [(await host_frames.read(small, room)).op, patient.done()]
        ended = await asyncio.gather(*slow)
        request = await patient
        taken = room.free
        request.done()
        request.done()
        return [*seen, ended, request.op, taken < 3 << 20, room.free == 3 << 20]

    monkeypatch.setattr(host_frames, "FRAME_S", 0.2)
    assert asyncio.run(serve()) == ["tokens", False, [None] * 3, "tokens", True, True]


def test_a_client_that_reads_nothing_is_let_go(running: Running, monkeypatch):
    async def serve() -> bytes:
        monkeypatch.setattr(server, "STALL_S", 0.2)
        here, there = socket.socketpair()
        _, writer = await asyncio.open_unix_connection(sock=here)
        await server.Server._write(None, writer, b"x" * (8 << 20))
        there.settimeout(60)
        return await asyncio.to_thread(lambda: b"".join(iter(lambda: there.recv(1 << 20), b"")))

    assert len(asyncio.run(serve())) < 8 << 20


def test_a_full_room_is_given_back_by_those_who_leave(running: Running, link):
    """Clients that close in the middle of a large frame, and before its answer."""
    big = frame({"id": 1, "op": "tokens", "arguments": {"input": "word " * 1_000_000}})
    for number in range(40):
        other = running.connect()
        other.raw(big[: len(big) // 2] if number % 2 else big)
        other.close()
    assert link.call("tokens", input="word " * 100_000) == {"tokens": 100_000}


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
