"""Remote models: a server with scripted faults, and one with a real model behind both protocols."""

import asyncio
import base64
import gzip
import json
import os
import random
import socket
import ssl
import subprocess
import sys
import time
from email.utils import formatdate

import numpy as np
import pytest
import pytest_asyncio

from pglore_host import errors
from pglore_host.errors import HostError
from pglore_host.remote import Remote, words
from pglore_host.remote.work import BATCH_CHARACTERS, cut
from pglore_host.settings import Settings

from .conftest import ROOT
from .scripted import Scripted, good, openai, reply, vector

KEY = "sk-secret-0123456789"
TEXTS = [f"{letter}{'x' * length}" for length, letter in enumerate("a quick brown fox jumps".replace(" ", ""))]


@pytest.fixture
def settings(tmp_path):
    return Settings(data_directory=tmp_path, cache=tmp_path)


@pytest_asyncio.fixture
async def server():
    server = Scripted()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def remote(server, settings):
    """A function that makes a remote model on the scripted server."""

    def make(task="embed", url=None, **options) -> Remote:
        options = {"protocol": "openai", "name": "m", "timeout_s": 60, **options}
        return Remote("far", task, url or f"http://127.0.0.1:{server.port}/v1", options, settings)

    return make


async def fails(awaitable) -> HostError:
    """The error of what must fail: it names the alias, and neither key nor address."""
    with pytest.raises(HostError) as caught:
        await awaitable
    assert "127.0.0.1" not in caught.value.message and KEY not in caught.value.message
    return caught.value


def unit(texts):
    rows = np.array([vector(text) for text in texts])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


async def until(condition) -> None:
    """Wait for what is about to be."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def given(call):
    """What a call gives once the machine is quick enough for the model's short time-out."""
    while True:
        try:
            return await call()
        except HostError as error:
            assert error.code == errors.HOST_DOWN


async def test_vectors_are_unit_rows_in_the_order_of_the_texts(remote, server):
    far = remote(batch_texts=3)
    found = await far.vectors(TEXTS, "document")
    assert found.dtype == np.float32 and np.allclose(found, unit(TEXTS), atol=1e-6)
    assert (far.state, far.dimensions, far.waiting, far.running, far.health()) == ("ready", 4, 0, 0, None)
    assert [len(body["input"]) for body in server.bodies] == [1, 3, 3, 3, 3, 3, 3, 1]  # the first is the probe
    assert {body["encoding_format"] for body in server.bodies} == {"float"}
    assert (await far.vectors([], "document")).shape == (0, 4)


async def test_prompts_dimensions_and_name_are_sent(remote, server):
    far = remote(query_prompt="query: ", document_prompt="passage: ", dimensions=4)
    await far.vectors(["a"], "query")
    await far.vectors(["a"], "document")
    assert [body["input"] for body in server.bodies] == [["probe"], ["query: a"], ["passage: a"]]
    assert {(body["model"], body["dimensions"]) for body in server.bodies} == {("m", 4)}


async def test_concurrent_callers_share_one_probe(remote, server):
    server.script = [0.2]
    far = remote()
    await asyncio.gather(*(far.ready() for _ in range(20)))
    assert len(server.bodies) == 1


async def test_a_cancelled_caller_does_not_end_the_probe_of_the_others(remote, server):
    go = asyncio.Event()
    server.script = [go]
    far = remote()
    first, second = asyncio.create_task(far.ready()), asyncio.create_task(far.ready())
    await until(lambda: server.at_once)
    first.cancel()
    go.set()
    await second
    assert far.state == "ready" and first.cancelled()


async def test_no_more_requests_are_under_way_than_the_option_says(remote, server):
    far = remote(concurrency=3, batch_texts=1)
    await far.ready()
    server.always = go = asyncio.Event()
    calls = [asyncio.create_task(far.vectors(TEXTS, "document")) for _ in range(2)]
    await until(lambda: server.at_once == 3)
    assert (far.running, far.waiting) == (3, 2 * len(TEXTS) - 3)
    go.set()
    await asyncio.gather(*calls)
    assert server.most_at_once == 3


async def test_a_query_overtakes_bulk_work(remote, server):
    far = remote(concurrency=2, batch_texts=1)
    await far.ready()
    server.always = 0.05
    bulk = asyncio.create_task(far.vectors(TEXTS * 4, "document"))
    await until(lambda: far.running)
    await far.vectors(["query"], "query")
    assert far.waiting > len(TEXTS)
    assert len(await bulk) == len(TEXTS) * 4


async def test_over_the_limit_of_waiting_texts_the_answer_is_busy_at_once(remote, server):
    far = remote(concurrency=1, queue_texts=5, batch_texts=1)
    await far.ready()
    server.always = go = asyncio.Event()
    first = asyncio.create_task(far.vectors(TEXTS[:5], "document"))
    await until(lambda: far.running)
    assert (far.waiting, far.running) == (4, 1)
    assert (await fails(far.vectors(TEXTS[:2], "document"))).code == errors.HOST_BUSY
    go.set()
    await first
    assert (far.waiting, far.running) == (0, 0)


async def test_a_cancel_aborts_the_requests_and_leaves_nothing_waiting(remote, server):
    far = remote(concurrency=2, batch_texts=1, timeout_s=600)
    await far.ready()
    server.always = 600
    call = asyncio.create_task(far.vectors(TEXTS[:6], "document"))
    await until(lambda: server.at_once == 2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: server.aborted == 2)  # long before server or time-out would have ended them
    assert (server.at_once, far.waiting, far.running) == (0, 0, 0)
    server.always = good
    assert len(await far.vectors(["a"], "query")) == 1


async def test_one_failed_request_ends_the_others_of_its_call(remote, server):
    far = remote(concurrency=3, batch_texts=1, timeout_s=600)
    await far.ready()
    server.script = [600, 600, reply({"error": "no"}, 400)]
    assert (await fails(far.vectors(TEXTS[:9], "document"))).code == errors.BAD_ARGUMENT
    await until(lambda: server.aborted == 2)
    assert (far.waiting, far.running) == (0, 0)


@pytest.mark.parametrize(
    "status, code, said",
    [
        (401, errors.MODEL_NOT_LOADED, "key"),
        (403, errors.MODEL_NOT_LOADED, "key"),
        (404, errors.MODEL_NOT_LOADED, "the model m does not exist"),
        (307, errors.MODEL_NOT_LOADED, "redirect"),
        (400, errors.MODEL_NOT_LOADED, "the model m does not exist"),
        (402, errors.BUDGET_SPENT, "budget"),
        (418, errors.MODEL_NOT_LOADED, "418"),
    ],
)
async def test_a_server_that_refuses_the_probe_says_which_way(remote, server, status, code, said):
    refusal = {"error": {"message": f"the model m does not exist, {KEY}"}}
    server.always = reply(refusal, status, "Location: http://127.0.0.1:1/\r\n")
    far = remote(key_env="FAR_KEY")
    os.environ["FAR_KEY"] = KEY
    error = await fails(far.ready())
    assert error.code == code and said in error.message and error.hint
    assert far.state == "failed" and far.health() and len(server.bodies) == 1
    server.always = good
    await far.ready()
    assert far.state == "ready" and far.health() is None


async def test_a_server_that_is_not_there_is_host_down_and_the_next_call_tries_again(remote):
    later = Scripted()
    with socket.socket() as bound:  # without listening: nobody is there, and nobody else gets the port
        bound.bind(("127.0.0.1", 0))
        far = remote(url=f"http://127.0.0.1:{bound.getsockname()[1]}/v1", timeout_s=600)
        async with asyncio.timeout(60):  # long before its time is up
            assert (await fails(far.ready())).code == errors.HOST_DOWN
        await later.start(bound=bound)
        await far.ready()
        await later.stop()


@pytest.mark.parametrize("fault", [None, b"HTTP/1.1 200 x\r\nContent-Length: 1000\r\n\r\nhalf", reply({}, 503)])
async def test_what_breaks_off_or_is_overloaded_is_tried_again(remote, server, fault):
    far = remote()
    server.script = [good, fault, fault]
    assert len(await far.vectors(["a"], "query")) == 1
    assert len(server.bodies) == 4


@pytest.mark.parametrize("after", ["1", "date"])
async def test_retry_after_is_heeded(remote, server, after):
    far = remote()
    await far.ready()
    due = int(time.time()) + 2 if after == "date" else time.time() + int(after)
    when = formatdate(due, usegmt=True) if after == "date" else after
    server.script = [reply({}, 429, f"Retry-After: {when}\r\n")]
    await far.vectors(["a"], "query")
    assert time.time() > due - 0.1  # two clocks


@pytest.mark.parametrize("after", ["100000", "-5", "nonsense", "9" * 400, "Mon, 99 Foo 2020"])
async def test_a_retry_after_that_cannot_be_heeded_does_not_hold_the_caller(remote, server, after):
    far = remote(timeout_s=600)
    await far.ready()
    server.always = reply({"error": "slow down"}, 429, f"Retry-After: {after}\r\n")
    async with asyncio.timeout(60):  # long before its time is up
        assert (await fails(far.vectors(["a"], "query"))).code == errors.HOST_BUSY


async def test_a_spent_quota_is_not_tried_again(remote, server):
    far = remote()
    await far.ready()
    server.always = reply({"error": {"code": "insufficient_quota", "message": "pay"}}, 429)
    assert (await fails(far.vectors(["a"], "query"))).code == errors.BUDGET_SPENT
    assert len(server.bodies) == 2


async def test_a_server_that_stays_broken_is_host_down(remote, server):
    far = remote()
    await far.ready()
    server.always = reply({"error": "cuda"}, 500)
    assert (await fails(far.vectors(["a"], "query"))).code == errors.HOST_DOWN
    assert len(server.bodies) == 6 and far.state == "ready"


async def test_no_call_lasts_longer_than_the_time_out(remote, server):
    far = remote(timeout_s=0.5, concurrency=1)
    await given(far.ready)
    server.always = 600
    server.bodies.clear()
    calls = [asyncio.create_task(fails(far.vectors(["a"], "query"))) for _ in range(10)]
    async with asyncio.timeout(60):
        assert {error.code for error in await asyncio.gather(*calls)} == {errors.HOST_DOWN}
    # Ten calls, one at a time: those that wait learn with the first that the server does not answer.
    assert len(server.bodies) <= 1
    server.always = good
    assert len(await given(lambda: far.vectors(["a"], "query"))) == 1


async def test_an_answer_that_drips_ends_with_the_time_out(remote):
    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 x\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.05)

    dripping = await asyncio.start_server(drip, "127.0.0.1", 0)
    far = remote(timeout_s=0.5, url=f"http://127.0.0.1:{dripping.sockets[0].getsockname()[1]}")
    async with asyncio.timeout(60):  # the answer would take more than an hour
        assert (await fails(far.ready())).code == errors.HOST_DOWN
    dripping.close()


def rows(*embeddings, places=None):
    """A function that answers with these embeddings, whatever was asked."""
    places = places or range(len(embeddings))
    return reply({"data": [{"index": p, "embedding": e} for p, e in zip(places, embeddings, strict=True)]})


ONE = [1.0, 2.0, 3.0, 4.0]
NOTHING_USEFUL = {
    "no JSON": reply(b"<html>hello</html>"),
    "cut JSON": reply(b'{"data": [{"index": 0, "embedd'),
    "NaN": reply(b'{"data": [{"index": 0, "embedding": [NaN, 1, 1, 1]}, {"index": 1, "embedding": [1, 1, 1, 1]}]}'),
    "a list": reply([ONE, ONE]),
    "null": reply(None),
    "no data": reply({"object": "list"}),
    "data of texts": reply({"data": ["a", "b"]}),
    "too few": rows(ONE),
    "too many": rows(ONE, ONE, ONE),
    "the same place twice": rows(ONE, ONE, places=[0, 0]),
    "a place that is not": rows(ONE, ONE, places=[0, 2]),
    "places that are no numbers": rows(ONE, ONE, places=["0", "1"]),
    "places that are true and false": rows(ONE, ONE, places=[False, True]),
    "nulls": rows(ONE, [None, 1, 2, 3]),
    "texts": rows(ONE, ["1", "2", "3", "4"]),
    "truths": rows([True] * 4, [True] * 4),
    "not equally long": rows(ONE, ONE[:3]),
    "lists of lists": rows([ONE], [ONE]),
    "numbers": rows(1.0, 2.0),
    "no vector": rows([], []),
    "zeros": rows(ONE, [0, 0, 0, 0]),
    "too small to have a length": rows(ONE, [1e-320] * 4),
    "too large": rows(ONE, [1e200] * 4),
    "base64 of nothing": rows("", ""),
    "text for base64": rows("!!!", "???"),
    "base64 of not a float": rows("AAAA", "AAAA"),
    "base64 of NaN": rows(*[base64.b64encode(np.float32([np.nan, 1, 1, 1]).tobytes()).decode()] * 2),
    "large numbers": reply(b'{"data": [{"index": 0, "embedding": [1e999]}, {"index": 1, "embedding": [1]}]}'),
    "another status": reply(openai(["a", "b"]), 202),
    "deep": reply(b"[" * 100_000),
    "no UTF-8": reply(b'{"data": "\xff\xfe"}'),
    "wrong compression": reply(b"not gzip", 200, "Content-Encoding: gzip\r\n"),
}


@pytest.mark.parametrize("answer", NOTHING_USEFUL.values(), ids=NOTHING_USEFUL)
async def test_an_answer_that_cannot_be_used_is_refused(remote, server, answer):
    far = remote()
    await far.ready()
    server.script = [answer]
    assert (await fails(far.vectors(["a", "b"], "document"))).code == errors.MODEL_NOT_LOADED
    assert len(await far.vectors(["a", "b"], "document")) == 2  # the next call probes anew, and finds it well


async def test_other_dimensions_than_before_or_than_asked_for_are_a_mismatch(remote, server):
    far = remote()
    await far.ready()
    server.always = lambda body: rows(*[[1.0, 2.0]] * len(body["input"]))
    assert (await fails(far.vectors(["a"], "document"))).code == errors.DIMENSION_MISMATCH
    await far.ready()
    assert far.dimensions == 2
    assert (await fails(remote(dimensions=3).ready())).code == errors.DIMENSION_MISMATCH


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A reply with some of its bytes changed, left out, put in or said twice."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        place, size = chance.randrange(len(changed) + 1), chance.randint(1, 20)
        other = chance.choice([b"", chance.randbytes(size), bytes(changed[place : place + 50])])
        changed[place : place + chance.choice([0, 1, size])] = other
    return bytes(changed)


async def test_no_mutated_reply_brings_more_than_an_error(remote, server):
    chance = random.Random(20)
    far = remote(timeout_s=0.2)
    server.always = lambda body: mutated(good(body), chance)
    for _ in range(100):
        try:
            found = await far.vectors(["a", "b"], "query")
            assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        except HostError as error:
            assert error.code.startswith(("LO2", "LO3"))
    server.always = good
    await far.unload()
    assert np.allclose(await given(lambda: far.vectors(["a"], "query")), unit(["a"]), atol=1e-6)
    assert (far.waiting, far.running) == (0, 0)


async def test_base64_and_answers_without_an_index_are_read(remote, server):
    coded = [base64.b64encode(np.float32(vector(text)).tobytes()).decode() for text in ("a", "bc")]
    far = remote()
    await far.ready()
    server.script = [reply({"data": [{"embedding": text} for text in coded]})]
    assert np.allclose(await far.vectors(["a", "bc"], "document"), unit(["a", "bc"]), atol=1e-6)


async def test_a_huge_answer_or_one_that_unpacks_to_one_is_refused_before_it_takes_memory(remote, server):
    far = remote()
    bomb = gzip.compress(b" " * (64 << 20))
    for answer in (reply(b" " * (8 << 20)), reply(bomb, 200, "Content-Encoding: gzip\r\n")):
        await far.ready()
        server.script = [answer]
        error = await fails(far.vectors(["a"], "document"))
        assert error.code == errors.MODEL_NOT_LOADED and "bytes" in error.message
    await far.ready()
    server.script = [reply(b"x" * (8 << 20), 400)]
    assert (await fails(far.vectors(["a"], "document"))).code == errors.BAD_ARGUMENT


@pytest.mark.parametrize(
    "status, said",
    [
        (413, "`inputs` must have less than 512 tokens. Given: 600"),
        (400, "This model's maximum context length is 8192 tokens, however you requested 9001 tokens"),
        (422, "input is too long"),
    ],
)
async def test_a_text_that_is_too_long_is_found_among_others_and_named(remote, server, status, said):
    def answer(body):
        longest = max(map(len, body["input"]))
        return reply({"error": {"message": said}}, status) if longest > 100 else good(body)

    server.always = answer
    far = remote()
    error = await fails(far.vectors([*TEXTS, "y" * 101], "document"))
    assert error.code == errors.INPUT_TOO_LONG and said in error.message
    assert f"text {len(TEXTS) + 1} of {len(TEXTS) + 1}" in error.message and far.state == "ready"


async def test_a_request_that_is_too_large_as_a_whole_is_halved(remote, server):
    server.always = lambda body: reply(b"too large", 413) if len(body["input"]) > 4 else good(body)
    far = remote()
    assert np.allclose(await far.vectors(TEXTS, "document"), unit(TEXTS), atol=1e-6)


async def test_the_servers_word_reaches_the_caller_short_clean_and_without_text_or_key(remote, server, capsys):
    os.environ["FAR_KEY"] = KEY
    far = remote(key_env="FAR_KEY")
    await far.ready()
    text = "the patient's name is John Q. Public, born in 1956"
    said = f"bad\x1b[31m\ninput: '{text}' with {KEY} " + "and so on " * 50
    server.always = reply({"detail": [{"msg": said}]}, 422)
    error = await fails(far.vectors([text], "document"))
    assert error.code == errors.BAD_ARGUMENT and "bad [31m input" in error.message
    assert "John" not in error.message and len(error.message) < 300 and error.message.isprintable()
    assert "bad" not in far.health()
    server.always = reply({"error": text}, 500)
    await fails(far.vectors([text], "document"))
    log = capsys.readouterr().err
    assert "remote gave up" in log and "John" not in log and KEY not in log


@pytest.mark.parametrize(
    "body, said",
    [
        (b'{"error": "a"}', "a"),
        (b'{"error": {"message": "a", "type": "t"}}', "a"),
        (b'{"object": "error", "message": "a"}', "a"),
        (b'{"detail": [{"loc": ["body"], "msg": "a"}]}', "a"),
        (b'{"message": "a"}', "a"),
        (b'"a"', "a"),
        (b"<html>a</html>", ""),
        (b'{"error": {"message": 5}}', ""),
        (b"", ""),
    ],
)
def test_the_word_of_each_kind_of_server_is_found(body, said):
    assert words.word(body) == said


def test_hiding_a_callers_text_is_quick_and_leaves_the_rest():
    text = "x" * 500_000 + "a name and an address, not to be shown" + "y" * 499_000
    body = json.dumps({"error": "refused: 'a name and an address, not to be shown' " + "xy" * 400}).encode()
    started = time.process_time()  # of the processor: what else the machine does is none of the test's business
    said = words.word(body, [text, "short", "b"])
    assert time.process_time() - started < 5
    assert "refused" in said and "address" not in said
    said = words.word(
        b'{"error": "first secret words, second secret words: no"}', ["first secret words", "second secret words"]
    )
    assert said == "[...], [...]: no"


async def test_the_key_comes_from_the_environment_or_a_private_file_and_is_read_anew(remote, server, tmp_path):
    file = tmp_path / "key"
    file.write_text("first\n")
    file.chmod(0o600)
    far = remote(key_file=str(file))
    await far.ready()
    assert "Authorization: Bearer first" in server.heads[0]
    file.write_text("second")
    server.script = [reply({}, 401)]
    assert (await fails(far.vectors(["a"], "query"))).code == errors.MODEL_NOT_LOADED
    await far.vectors(["a"], "query")
    assert "Authorization: Bearer second" in server.heads[-1]


@pytest.mark.parametrize("what", ["missing", "open", "folder", "pipe", "empty", "lines", "long", "letters"])
async def test_a_key_file_that_is_not_private_or_no_key_is_refused(remote, server, tmp_path, capsys, what):
    file = tmp_path / "key"
    if what == "folder":
        file.mkdir(mode=0o700)
    elif what == "pipe":
        os.mkfifo(file, 0o600)
    elif what != "missing":
        told = {"empty": "", "lines": f"{KEY}\n{KEY}", "long": "k" * 5000, "letters": "schlüssel"}.get(what, KEY)
        file.write_text(told)
        file.chmod(0o644 if what == "open" else 0o600)
    error = await fails(remote(key_file=str(file)).ready())
    log = capsys.readouterr().err
    assert error.code == errors.MODEL_NOT_LOADED and str(file) not in error.message
    assert "key refused" in log and KEY not in log and not server.bodies


async def test_a_key_that_the_environment_lacks_is_refused(remote, capsys):
    error = await fails(remote(key_env="PGLORE_NO_SUCH_KEY").ready())
    assert error.code == errors.MODEL_NOT_LOADED and "PGLORE_NO_SUCH_KEY" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "https://user:secret@host/v1",
        "https://user@host/v1",
        "https://host/v1?key=1",
        "https://host/v1?",
        "https://host/v1#a",
        "https://host:99999/v1",
        "https://host:0/v1",
        "https://host:x/v1",
        "https://host/../v1",
        "https://ho st/v1",
        "https://host/v1\n",
        "https://[::1/v1",
        "https://höst/v1",
        "http://host\\@other/v1",
        "http://" + "a" * 5000,
    ],
)
def test_a_url_that_holds_more_or_less_than_a_place_is_refused(settings, url):
    with pytest.raises(HostError) as caught:
        Remote("far", "embed", url, {}, settings)
    assert caught.value.code == errors.BAD_ARGUMENT and "secret" not in caught.value.message


@pytest.mark.parametrize(
    "options",
    [
        {"protocol": "grpc"},
        {"colour": "red"},
        {"timeout_s": 0},
        {"timeout_s": "5"},
        {"timeout_s": float("nan")},
        {"concurrency": 1.5},
        {"concurrency": True},
        {"batch_texts": 0},
        {"dimensions": 20_000},
        {"name": ""},
        {"name": "a\nb"},
        {"name": 5},
        {"key_env": "lower"},
        {"key_env": "A=B"},
        {"key_file": "relative"},
        {"key_env": "A", "key_file": "/b"},
        {"ca_file": "relative"},
    ],
)
def test_an_option_that_is_unknown_or_out_of_range_is_refused(settings, options):
    with pytest.raises(HostError) as caught:
        Remote("far", "embed", "http://host/v1", options, settings)
    assert caught.value.code == errors.BAD_ARGUMENT


async def test_the_fingerprint_tells_models_apart_and_does_not_change_when_one_loads(remote):
    far = remote()
    before = far.fingerprint
    await far.ready()
    assert far.fingerprint == before == far.row()["fingerprint"]
    assert len({before, remote(name="n").fingerprint, remote(query_prompt="q").fingerprint}) == 3


async def test_a_proxy_of_the_environment_and_cookies_are_left_aside(remote, server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.script = [lambda body: reply(openai(body["input"]), 200, "Set-Cookie: a=b\r\n")]
    await remote().vectors(["a"], "query")
    assert "cookie" not in server.heads[-1].lower()


@pytest.fixture
def certificate(tmp_path):
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=pglore -addext subjectAltName=IP:127.0.0.1"
    files = [tmp_path / "cert.pem", tmp_path / "key.pem"]
    try:
        subprocess.run(
            [*command.split(), "-out", files[0], "-keyout", files[1]], check=True, capture_output=True, timeout=60
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"openssl makes no certificate: {error}")
    return files


async def test_a_certificate_must_be_trusted_and_ca_file_says_whom_to_trust(remote, certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    secure = Scripted()
    await secure.start(context=context)
    url = f"https://127.0.0.1:{secure.port}/v1"
    error = await fails(remote(url=url).ready())
    assert error.code == errors.MODEL_NOT_LOADED and "certificate" in error.message
    far = remote(url=url, ca_file=str(certificate[0]))
    await far.ready()
    assert (await fails(remote(url=url, ca_file="/no/such/file").ready())).code == errors.MODEL_NOT_LOADED
    await far.unload()
    await secure.stop()


async def test_an_https_server_is_reached_through_the_proxy_that_the_operator_names(remote, server, monkeypatch):
    asked = []

    async def proxy(reader, writer):
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.1 502 no\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(proxy, "127.0.0.1", 0)
    monkeypatch.setenv("PGLORE_HTTPS_PROXY", f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    assert (await fails(remote(url="https://far.invalid/v1").ready())).code == errors.HOST_DOWN
    assert asked[0].startswith(b"CONNECT far.invalid:443")
    listening.close()


async def test_unloading_lets_what_runs_finish_and_the_next_call_begins_anew(remote, server):
    far = remote(batch_texts=1, concurrency=1)
    await far.ready()
    go = asyncio.Event()
    server.script = [go]
    running = asyncio.create_task(far.vectors(TEXTS[:3], "document"))
    await until(lambda: server.at_once)
    await far.unload()
    assert far.state == "unloaded"
    go.set()
    assert len(await running) == 3
    assert len(await far.vectors(["a"], "query")) == 1


def test_requests_are_cut_by_texts_and_by_characters():
    assert list(cut([], 4)) == []
    assert list(cut(["a"] * 5, 2)) == [(0, 2), (2, 4), (4, 5)]
    half = "x" * (BATCH_CHARACTERS // 2)
    assert list(cut([half, half, half], 32)) == [(0, 2), (2, 3)]
    assert list(cut([half * 4, "a", half * 4], 32)) == [(0, 1), (1, 2), (2, 3)]


async def test_scores_are_given_in_the_order_of_the_documents(remote, server):
    def answer(body):
        found = [{"index": p, "relevance_score": float(len(d))} for p, d in enumerate(body["documents"])]
        return reply({"results": sorted(found, key=lambda row: -row["relevance_score"])})

    server.always = answer
    far = remote("rerank", batch_texts=2)
    assert await far.scores("query", ["aa", "b", "cccc", "dd", "e"]) == [2, 1, 4, 2, 1]
    assert server.bodies[1] == {
        "model": "m",
        "query": "query",
        "documents": ["aa", "b"],
        "top_n": 2,
    }
    assert await far.scores("query", []) == [] and far.dimensions is None


@pytest.mark.parametrize("score", ["0.5", None, True, [1.0]])
async def test_a_score_that_is_no_number_is_refused(remote, server, score):
    server.always = reply({"results": [{"index": 0, "relevance_score": score}]})
    assert (await fails(remote("rerank").ready())).code == errors.MODEL_NOT_LOADED


async def test_tei_tells_what_its_model_is_for(remote, server, settings):
    info = {"model_id": "m", "model_type": {"reranker": {}}, "max_input_length": 512, "max_client_batch_size": 2}
    tei = {"protocol": "tei"}
    server.script = [reply(info)]
    far = Remote("far", "embed", f"http://127.0.0.1:{server.port}", tei, settings)
    error = await fails(far.ready())
    assert error.code == errors.MODEL_NOT_LOADED and "rerank, not for embed" in error.message
    server.script = [reply(info)]
    server.always = lambda body: reply([{"index": p, "score": 0.5} for p in range(len(body["texts"]))])
    far = Remote("far", "rerank", f"http://127.0.0.1:{server.port}", tei, settings)
    assert await far.scores("q", ["a", "b", "c"]) == [0.5] * 3
    assert [len(body.get("texts", ())) for body in server.bodies[-2:]] == [2, 1]
    assert far.row()["window_tokens"] == 512


async def test_a_server_of_the_tei_protocol_without_info_is_taken_as_it_is(server, settings):
    server.script = [reply({}, 404)]
    server.always = lambda body: reply([vector(text) for text in body["inputs"]])
    far = Remote("far", "embed", f"http://127.0.0.1:{server.port}/", {"protocol": "tei"}, settings)
    assert np.allclose(await far.vectors(["a", "b"], "query", truncate=True), unit(["a", "b"]), atol=1e-6)
    assert server.bodies[-1] == {"inputs": ["a", "b"], "normalize": True, "truncate": True}
    assert server.heads[-1].startswith("POST /embed ")


@pytest.fixture(scope="module")
def minilm(model_folder):
    """The address of a server with the default embedder's model."""
    command = [sys.executable, ROOT / "tests" / "model_server.py", str(model_folder), KEY]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    process.stdin.close()
    process.wait(60)


LIKE_REAL = ["How do I shrink a table?", "VACUUM FULL rewrites the whole table.", "Cats purr.", "naïve 数据库 🐘"] * 6


@pytest.mark.parametrize(
    "protocol, path, name", [("openai", "/v1", "m"), ("openai", "/v1", "base64"), ("tei", "", "m")]
)
async def test_vectors_equal_those_of_the_same_model_run_here(minilm, model_folder, settings, protocol, path, name):
    from sentence_transformers import SentenceTransformer

    os.environ["FAR_KEY"] = KEY
    far = Remote("far", "embed", minilm + path, {"protocol": protocol, "name": name, "key_env": "FAR_KEY"}, settings)
    found = await far.vectors(LIKE_REAL, "document")
    here = SentenceTransformer(str(model_folder), device="cpu").encode(LIKE_REAL, normalize_embeddings=True)
    assert (found * here).sum(axis=1).min() >= 0.9999 and far.dimensions == 384
    assert far.row()["window_tokens"] == (256 if protocol == "tei" else None)
    await far.unload()


async def test_a_real_server_names_the_text_that_is_too_long_and_cuts_it_when_asked(minilm, settings):
    os.environ["FAR_KEY"] = KEY
    far = Remote("far", "embed", minilm, {"protocol": "tei", "key_env": "FAR_KEY"}, settings)
    texts = ["short", "a long story " * 400, "short"]
    error = await fails(far.vectors(texts, "document"))
    assert error.code == errors.INPUT_TOO_LONG and "text 2 of 3" in error.message and "256 tokens" in error.message
    assert (await far.vectors(texts, "document", truncate=True)).shape == (3, 384)
    await far.unload()


@pytest.mark.parametrize("protocol, path", [("openai", "/v1"), ("tei", "/reranker")])
async def test_a_real_reranker_puts_the_nearest_first(minilm, settings, protocol, path):
    os.environ["FAR_KEY"] = KEY
    far = Remote("far", "rerank", minilm + path, {"protocol": protocol, "key_env": "FAR_KEY"}, settings)
    scores = await far.scores("reclaim disk space", LIKE_REAL[:4])
    assert scores.index(max(scores)) == 0 and len(set(scores)) == 4
    await far.unload()


async def test_a_wrong_key_is_refused_by_a_real_server(minilm, settings):
    far = Remote("far", "embed", minilm, {"protocol": "tei"}, settings)
    error = await fails(far.ready())
    assert error.code == errors.MODEL_NOT_LOADED and "key" in error.message
