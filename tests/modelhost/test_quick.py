"""The short way of one short text: the same vector as any other way, and all that is unusual goes the ordinary way."""

import concurrent.futures
import json

import numpy as np
import pytest

from .conftest import Running


def vector(reply: tuple[dict, bytes]) -> np.ndarray:
    header, body = reply
    assert "error" not in header, header
    return np.array(json.loads(body), dtype=np.float32)


def ask(link, **arguments) -> tuple[dict, bytes]:
    link.send("embed", **arguments)
    return link.read()


def runs(link) -> dict:
    (row,) = [row for row in link.call("metrics") if row["alias"] == "all-minilm-l6-v2"]
    return row


def test_the_short_way_gives_the_vector_of_the_ordinary_way(link):
    for text in ("how do I shrink a table?", "x", "Ünïcödé 漢字 🙂", '\\"quoted"'):
        short, ordinary = vector(ask(link, texts=[text])), vector(ask(link, texts=[text], dimensions=384))
        assert short == pytest.approx(ordinary, abs=1e-6)
        assert np.linalg.norm(short) == pytest.approx(1, abs=1e-6)


def test_what_the_engine_took_is_told(running: Running, link):
    running.until_idle()
    header, _ = ask(link, texts=["how do I shrink a table?"])
    assert 0 < header["engine_us"] < 60e6


def test_it_counts_as_any_request(running: Running, link):
    running.until_idle()
    ask(link, texts=["one"])
    before = runs(link)
    for _ in range(5):
        ask(link, texts=["one"], model="all-minilm-l6-v2", input_type="query", truncate=False, dimensions=None)
    after = runs(link)
    assert after["requests"] - before["requests"] == after["texts"] - before["texts"] == 5
    assert after["batches"] - before["batches"] == 5 and after["tokens"] - before["tokens"] == 15
    assert after["interactive_p50_ms"] > 0 and after["parts"]["interactive"]["infer"]["p50"] > 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"texts": [""]}, "LO101"),
        ({"texts": [" \n"]}, "LO101"),
        ({"texts": ["\u200b"]}, "LO101"),
        ({"texts": [7]}, "LO103"),
        ({"texts": "text"}, "LO103"),
        ({"texts": ["a"], "input_type": "passage"}, "LO103"),
        ({"texts": ["a"], "lane": "fast"}, "LO103"),
        ({"texts": ["a"], "truncate": 1}, "LO103"),
        ({"texts": ["a"], "dimensions": 0}, "LO103"),
        ({"texts": ["a"], "model": 7}, "LO103"),
        ({"texts": ["a"], "model": "nope"}, "LO201"),
        ({"texts": ["a"], "model": "extractive"}, "LO201"),
    ],
)
def test_wrong_arguments_are_told_as_ever(link, arguments, code):
    assert ask(link, **arguments)[0]["error"]["code"] == code


def test_the_kinds_of_reply_to_one_connection_do_not_mix(running: Running, link):
    for number in range(50):
        texts = ["short"] if number % 3 else [f"a text {number} " * 30, "another"]
        link.send("embed", number=number, texts=texts)
    replies = dict((header["id"], body.count(b"\n") + 1) for header, body in (link.read() for _ in range(50)))
    assert replies == {number: 1 if number % 3 else 2 for number in range(50)}


def test_connections_at_once_get_their_own_vectors(running: Running):
    texts = [f"sentence number {number}" for number in range(16)]

    def alone(text: str) -> np.ndarray:
        link = running.connect()
        return np.array([vector(ask(link, texts=[text])) for _ in range(20)])

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = list(pool.map(alone, texts))
    expected = np.array([vector(ask(running.connect(), texts=[text])) for text in texts])
    for place, rows in enumerate(found):
        assert (np.argmax(rows @ expected.T, axis=1) == place).all()
    running.until_idle()


def test_a_client_that_leaves_while_its_text_runs_harms_nobody(running: Running, link):
    for _ in range(20):
        other = running.connect()
        other.send("embed", texts=["a short query"])
        other.close()
    assert vector(ask(link, texts=["a short query"])).shape == (384,)
    running.until_idle()
