"""The running host: work of many connections together, a closed connection is a cancelled request, nothing leaks."""

import concurrent.futures
import json
import time

import numpy as np
import pytest

from .conftest import Running, start

LONG = "a sentence of a long text that takes a while to read. " * 40


def vectors(body: bytes) -> np.ndarray:
    return np.array([json.loads(line) for line in body.split(b"\n")], dtype=np.float32)


def test_a_body_is_one_literal_a_line(link):
    assert vectors(link.call("embed", texts=["a", "b\nc"])).shape == (2, 384)
    assert link.call("embed", texts=[]) == b""


def test_a_closed_connection_cancels_its_requests(running: Running):
    def cancelled() -> int:
        return next(row["cancelled"] for row in running.connect().call("metrics") if row["alias"] == "all-minilm-l6-v2")

    before = cancelled()
    link = running.connect()
    for number in range(4):
        link.send("embed", number=number, texts=[LONG] * 256, lane="bulk")
    while running.status()["active"] < 4:
        time.sleep(0.01)
    link.close()
    running.until_idle()
    assert cancelled() == before + 4


def test_a_query_overtakes_bulk_work(running: Running, link):
    bulk = running.connect()
    bulk.send("embed", texts=[LONG] * 1024, lane="bulk")
    while not running.status()["queued"]:
        time.sleep(0.01)
    assert len(vectors(link.call("embed", texts=["a short query"]))) == 1
    assert running.status()["queued"]
    bulk.close()
    running.until_idle()


def test_connections_at_once_get_what_they_asked_for(running: Running):
    def ask(number: int) -> tuple[np.ndarray, np.ndarray]:
        link = running.connect()
        texts = [f"sentence {number} {part}" for part in range(5)]
        return vectors(link.call("embed", texts=texts)), vectors(link.call("embed", texts=texts[2:3]))

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for together, alone in pool.map(ask, range(32)):
            assert together[2] @ alone[0] > 0.999


def test_a_blank_text_fails_its_own_request_only(running: Running, link):
    other = running.connect()
    other.send("embed", texts=["fine"] * 50)
    assert link.call("embed", texts=["a", " "])["error"]["code"] == "LO101"
    assert len(other.read()[1].split(b"\n")) == 50


OPS = ["embed", "tokens", "similarity", "rerank", "chunk", "parse"]
OPS += ["generate", "generate_many", "generate_stream", "chat", "chat_stream"]


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("value", [None, 7, "x", [], {}, [None], [[]], True, "\x00"])
def test_arguments_of_any_kind_are_answered(running: Running, link, op, value):
    names = (
        "texts",
        "input",
        "a",
        "b",
        "query",
        "documents",
        "prompt",
        "content",
        "document",
        "model",
        "size",
        "overlap",
        "prompts",
        "messages",
        "tools",
        "system",
        "schema",
        "max_tokens",
        "stop",
    )
    reply = link.call(op, **dict.fromkeys(names, value))
    if isinstance(reply, dict) and "error" in reply:
        assert reply["error"]["code"] in ("LO101", "LO102", "LO103", "LO105", "LO201", "LO206")
    assert running.process.poll() is None


def test_more_texts_than_a_request_may_hold_are_refused(link):
    assert link.call("embed", texts=["a"] * 1025)["error"]["code"] == "LO102"


def test_a_document_may_come_as_the_body(link):
    link.send("parse", body=b"<h1>Title</h1><p>Some words.</p>", mime="text/html")
    header, body = link.read()
    assert header == {"id": 1} and json.loads(body)["title"] == "Title"


def test_neither_torch_nor_transformers_is_in_a_host_that_embeds(tmp_path, cache):
    """Importing them takes seconds and hundreds of megabytes: conversion has a process of its own."""
    host = start(tmp_path, cache)
    host.connect().call("embed", texts=["a text"])
    with open(f"/proc/{host.pid}/maps", encoding="utf-8") as file:
        assert "libtorch" not in file.read()
    host.process.terminate()
    host.process.wait(60)


def test_the_log_is_json_lines_and_holds_no_text_of_users(running: Running, link):
    link.call("embed", texts=["a very secret sentence"])
    lines = (running.folder / "pglore" / "host.log").read_text().splitlines()
    assert all("event" in json.loads(line) for line in lines)
    assert not [line for line in lines if "secret" in line]
