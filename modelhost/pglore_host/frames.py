"""Frames on the socket: u32le header length, u32le body length, header (JSON, UTF-8), body (bytes).

A request's header is {"id": int, "op": text, "arguments": object}.
A reply's is {"id": int} with more about its body, or {"id": int, "error": {"code", "message", "hint"}}.
The body of a reply is JSON; for embed it is one pgvector literal a line.
"""

import asyncio
import struct
from dataclasses import dataclass

import orjson

LENGTHS = struct.Struct("<II")
HEADER_LIMIT = 32 << 20  # bytes
BODY_LIMIT = 32 << 20  # bytes, of a request
INLINE_LIMIT = 1 << 16  # bytes; a longer header is parsed off the event loop


class BadFrame(Exception):
    """The bytes are no frame of ours: the connection cannot go on."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came."""

    id: int
    op: str
    arguments: dict
    body: bytes


async def read(reader: asyncio.StreamReader) -> Request | None:
    """The next request, or None at the end of the connection.

    raises  BadFrame
    """
    try:
        head, body = LENGTHS.unpack(await reader.readexactly(LENGTHS.size))
        if head > HEADER_LIMIT or body > BODY_LIMIT:
            raise BadFrame(f"a frame of {head + body} bytes is over the limit")
        header, payload = await reader.readexactly(head), await reader.readexactly(body)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    try:
        if len(header) <= INLINE_LIMIT:
            fields = orjson.loads(header)
        else:
            fields = await asyncio.to_thread(orjson.loads, header)
    except orjson.JSONDecodeError as error:
        raise BadFrame(f"a header is not JSON: {error}") from None
    return _request(fields, payload)


def _request(fields: object, body: bytes) -> Request:
    if not isinstance(fields, dict):
        raise BadFrame("a header is not an object")
    number, op, arguments = fields.get("id"), fields.get("op"), fields.get("arguments", {})
    if type(number) is not int or not isinstance(op, str) or not isinstance(arguments, dict):
        raise BadFrame("a header lacks id, op or arguments, or one is of the wrong kind")
    return Request(number, op, arguments, body)


def pack(header: dict, body: bytes = b"") -> bytes:
    """The bytes of one frame."""
    head = orjson.dumps(header)
    return b"".join((LENGTHS.pack(len(head), len(body)), head, body))
