"""Streams of the running host: several replies to one request, slow readers, readers that go away."""

import asyncio
import json
import threading
import time

import pytest

from .conftest import Running
from .scripted import Scripted
from .speech import delta, said, speaking, stream


@pytest.fixture
def far(running: Running):
    """A scripted server that the host knows as the model "far"."""
    loop, server = asyncio.new_event_loop(), Scripted()
    server.always = speaking("VACUUM", " does", ".")
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
    link = running.connect()
    source = f"http://127.0.0.1:{server.port}/v1"
    options = {"name": "m", "timeout_s": 600}
    added = link.call("add_model", alias="far", task="generate", source=source, options=options, replace=True)
    assert added["state"] == "unloaded"
    assert link.call("generate", prompt="a", model="far")["text"] == "VACUUM does."
    yield server
    link.call("drop_model", alias="far")
    link.close()
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)


def replies(link) -> list[tuple[dict, dict]]:
    """Header and body of all replies to the stream that was asked for."""
    found = []
    while not found or found[-1][0].get("more"):
        header, body = link.read()
        found.append((header, json.loads(body) if body else {}))
    return found


def test_each_piece_is_a_reply_and_the_last_tells_of_the_whole(link, far):
    link.send("generate_stream", number=5, prompt="a", model="far")
    found = replies(link)
    assert [header for header, _ in found] == [{"id": 5, "more": True}] * (len(found) - 1) + [{"id": 5}]
    assert "".join(body["text"] for _, body in found) == "VACUUM does."
    assert found[-1][1]["finish_reason"] == "stop" and found[-1][1]["usage"]["completion_tokens"] == 3


def test_other_requests_of_the_connection_are_answered_between_the_pieces(link, far):
    far.script = [stream(delta("first"))]
    far.hold = 600
    link.send("generate_stream", number=1, prompt="a", model="far")
    assert json.loads(link.read()[1]) == {"text": "first"}
    link.send("tokens", number=2, input="one two three")
    header, body = link.read()
    assert header == {"id": 2} and json.loads(body) == {"tokens": 3}


def test_an_error_ends_a_stream(link, far):
    far.script = [stream(delta("first"))]
    link.send("generate_stream", number=1, prompt="a", model="far")
    found = replies(link)
    assert found[0][1] == {"text": "first"} and found[-1][0]["error"]["code"] == "LO301"


def test_a_reader_that_pauses_gets_all_of_it_in_few_pieces_and_holds_nothing_up(running: Running, link, far):
    pieces = ["x" * 40] * 10_000
    far.script = [said(*pieces)]
    link.send("generate_stream", number=1, prompt="a", model="far")
    deadline = time.monotonic() + 60
    # Others are answered, and its server is read to the end, though nobody has read.
    while not far.bodies[-1].get("messages") or running.status()["queued"]:
        assert time.monotonic() < deadline
    found = replies(link)
    assert sum(len(body["text"]) for _, body in found) == 40 * len(pieces)
    assert len(found) < len(pieces) and found[-1][1]["finish_reason"] == "stop"


def test_a_reader_that_goes_away_ends_the_request_at_its_server(running: Running, far):
    far.script = [stream(delta("first"))]
    far.hold = 600
    link = running.connect()
    link.send("generate_stream", number=1, prompt="a", model="far")
    link.read()
    link.close()
    running.until_idle()
    deadline = time.monotonic() + 60
    while not far.aborted:
        assert time.monotonic() < deadline
        time.sleep(0.01)
