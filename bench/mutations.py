"""Frames as no client of ours sends them: good ones, changed at random in a way that names itself."""

import json
import random
import struct
from collections.abc import Callable

LENGTHS = struct.Struct("<II")
WORDS = ("a", "few", "words", "of", "text", "that", "somebody", "might", "send", "to", "be", "read")
VALUES = (
    *(None, True, False, 0, -1, 2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, 0.5, "", " ", "\0", "x" * 5000),
    *([], {}, [None], [[]], {"": {}}, ["a", 1], "\u202e\ufeff\U0010ffff", [""] * 2000, {"a": {"b": [0] * 100}}),
)
NUMBERS = (0, 1, 7, 255, 65535, 1 << 20, (32 << 20) + 1, 1 << 31, 0xFFFFFFFF)


def frame(head: bytes, body: bytes = b"") -> bytes:
    """Bytes of one frame."""
    return LENGTHS.pack(len(head), len(body)) + head + body


def good(source: random.Random) -> tuple[dict, bytes]:
    """Header and body of a request that has an answer."""
    text = " ".join(source.choices(WORDS, k=source.randint(1, 12)))
    op, arguments, body = source.choice(
        (
            ("status", {}, b""),
            ("models", {}, b""),
            ("tokens", {"input": text}, b""),
            ("tokens", {"input": text * 3, "model": None}, b""),
            ("embed", {"texts": [text], "input_type": "query", "lane": "interactive"}, b""),
            ("embed", {"texts": [text, "another"], "lane": "bulk"}, b""),
            ("similarity", {"a": text, "b": "something"}, b""),
            ("rerank", {"query": text, "documents": ["one", None, "two words"], "top_k": 2}, b""),
            ("chunk", {"content": f"# {text}\n\n{text}.", "size": 16, "overlap": 2}, b""),
            ("parse", {"mime": "text/html"}, f"<h1>{text}</h1><p>{text}".encode()),
        )
    )
    return {"id": source.randrange(1 << 20), "op": op, "arguments": arguments}, body


def _dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _bits(source: random.Random) -> bytes:
    head, body = good(source)
    data = bytearray(frame(_dumps(head), body))
    for _ in range(source.randint(1, 8)):
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)
    return bytes(data)


def _cut(source: random.Random) -> bytes:
    head, body = good(source)
    data = frame(_dumps(head), body)
    return data[: source.randrange(len(data))]


def _lengths(source: random.Random) -> bytes:
    head, body = good(source)
    return LENGTHS.pack(source.choice(NUMBERS), source.choice(NUMBERS)) + _dumps(head) + body


def _kinds(source: random.Random) -> bytes:
    """One value, anywhere in the header, becomes another."""
    head, body = good(source)
    place: dict | list = head
    while True:
        key = source.choice(list(place) if isinstance(place, dict) else range(len(place)))
        inner = place[key]  # type: ignore[call-overload]
        if isinstance(inner, dict | list) and inner and source.random() < 0.7:
            place = inner
            continue
        place[key] = source.choice(VALUES)  # type: ignore[call-overload]
        return frame(_dumps(head), body)


def _keys(source: random.Random) -> bytes:
    """A key is missing, strange, or there twice."""
    head, body = good(source)
    where = head if source.random() < 0.6 else head["arguments"]
    if where and source.random() < 0.5:
        del where[source.choice(list(where))]
    else:
        where[source.choice(("", "id ", "\0", "__class__", "model", "x" * 3000))] = source.choice(VALUES)
    data = _dumps(head)
    if source.random() < 0.3:
        data = data[:-1] + b', "id": ' + _dumps(source.choice(VALUES)) + b"}"
    return frame(data, body)


def _operations(source: random.Random) -> bytes:
    op = source.choice(("", "nope", "\0", "__init__", "Status", "embed ", "../embed", "\ud800", "e" * 100_000, "ADMIN"))
    return frame(_dumps({"id": 1, "op": op, "arguments": {}}))


def _nested(source: random.Random) -> bytes:
    depth, inside = source.choice((100, 1000, 1025, 50_000)), source.random() < 0.5
    deep = b"[" * depth + (b"]" * depth if source.random() < 0.7 else b"")
    return frame(b'{"id": 1, "op": "tokens", "arguments": {"input": ' + deep + b"}}" if inside else deep)


def _bytes(source: random.Random) -> bytes:
    """What is no UTF-8, no JSON, or nothing at all, in frames of the right length; or no frame."""
    junk = source.randbytes(source.choice((0, 1, 7, 8, 9, 100, 3000)))
    spoilt = _dumps(good(source)[0]).replace(b"a", source.choice((b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\0", b'"')))
    return source.choice((junk, frame(junk), frame(spoilt), frame(b"NaN"), frame(b"{}" + b" " * 1000 + b"x")))


def _bodies(source: random.Random) -> bytes:
    """A body where none is due, and documents of no kind at all."""
    head, _ = good(source)
    junk = source.randbytes(source.randrange(4000))
    markup = b"<" * source.randrange(2000) + b"<table><tr>" * source.randrange(200)
    return frame(_dumps(head), source.choice((junk, markup, b"%PDF-1.7" + junk, b"\0" * 70_000)))


def _several(source: random.Random) -> bytes:
    """Good frames with the same id, and something after them."""
    head, body = good(source)
    return frame(_dumps(head), body) * source.randint(2, 80) + source.choice((b"", b"\0", _cut(source), _bits(source)))


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    *(_bits, _cut, _lengths, _kinds, _keys, _operations, _nested, _bytes, _bodies),
)
SEVERAL = _several


def mutated(source: random.Random) -> bytes:
    """A frame, or what takes the place of one."""
    return SEVERAL(source) if source.random() < 0.01 else source.choice(KINDS)(source)
