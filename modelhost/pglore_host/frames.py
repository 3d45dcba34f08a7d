"""Frames on the socket: u32le header length, u32le body length, header (JSON, UTF-8), body (bytes).

A request's header is {"id": int, "op": text, "arguments": object}, with "traceparent": text where there is one, and
from the bridge "role": oid, "login": oid, "statement": text, and perhaps "member": [oid] (see Caller).
A reply's is {"id": int} with more about its body, or {"id": int, "error": {"code", "message", "hint"}}.
A request of a stream has several replies, all but the last with "more": true.
The body of a reply is JSON; for embed it is one pgvector literal a line.
"""

import asyncio
import struct
from dataclasses import dataclass

import orjson

LENGTHS = struct.Struct("<II")
HEADER_LIMIT = 32 << 20  # bytes
BODY_LIMIT = 32 << 20  # bytes, of a request
INLINE_LIMIT = 1 << 16  # bytes; a longer frame takes room, and is parsed off the event loop
FRAME_S = 60  # a frame over INLINE_LIMIT that has not come by then does not come


class BadFrame(Exception):
    """The bytes are no frame of ours: the connection cannot go on."""


class Room:
    """Bytes that large requests may take together: one that finds too few waits unread, and its client with it."""

    def __init__(self, size: int) -> None:
        self.free = size
        self._waiting: list[asyncio.Future] = []

    async def take(self, size: int) -> None:
        """Wait until there is room, and take it."""
        while size > self.free:
            self._waiting.append(asyncio.get_running_loop().create_future())
            await self._waiting[-1]
        self.free -= size

    def give(self, size: int) -> None:
        """Give room back."""
        self.free += size
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as the bridge says it: SQL can write a request's arguments, and nothing of this."""

    role: int  # oid of current_user
    login: int  # oid of session_user
    statement: str = ""  # the same for all calls of one statement of the client
    member: frozenset[int] | None = None  # of the roles named when a model was refused to it: those it belongs to


@dataclass(slots=True)
class Request:
    """One request as it came."""

    id: int
    op: str
    arguments: dict
    body: bytes
    size: int = 0  # bytes of room that it has taken
    room: Room | None = None
    traceparent: object = None  # W3C Trace Context, where the session has one; checked where it is used
    caller: Caller | None = None  # None is the server's own account, outside of SQL

    def done(self, *_: object) -> None:
        """Give back the room it took; once."""
        if self.room:
            self.room.give(self.size)
            self.room = None


async def read(reader: asyncio.StreamReader, room: Room) -> Request | None:
    """The next request, or None at the end of the connection and for a frame that does not come whole.

    raises  BadFrame
    """
    try:
        head, body = LENGTHS.unpack(await reader.readexactly(LENGTHS.size))
        if head > HEADER_LIMIT or body > BODY_LIMIT:
            raise BadFrame(f"a frame of {head + body} bytes is over the limit")
        if head + body <= INLINE_LIMIT:
            return _request(orjson.loads(await reader.readexactly(head)), await reader.readexactly(body))
        return await _read_long(reader, head, body, room)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except orjson.JSONDecodeError as error:
        raise BadFrame(f"a header is not JSON: {error}") from None


async def _read_long(reader: asyncio.StreamReader, head: int, body: int, room: Room) -> Request | None:
    """The rest of a frame over INLINE_LIMIT: when there is room for it, and in bounded time."""
    size = head + body
    await room.take(size)
    try:
        async with asyncio.timeout(FRAME_S):
            header, payload = await reader.readexactly(head), await reader.readexactly(body)
        request = _request(await asyncio.to_thread(orjson.loads, header), payload)
    except TimeoutError:  # no word about it: a client that was held up sends the request once more
        room.give(size)
        return None
    except BaseException:
        room.give(size)
        raise
    request.size, request.room = size, room
    return request


def _request(fields: object, body: bytes) -> Request:
    if not isinstance(fields, dict):
        raise BadFrame("a header is not an object")
    number, op, arguments = fields.get("id"), fields.get("op"), fields.get("arguments", {})
    if type(number) is not int or not isinstance(op, str) or not isinstance(arguments, dict):
        raise BadFrame("a header lacks id, op or arguments, or one is of the wrong kind")
    caller = _caller(fields) if "role" in fields else None
    return Request(number, op, arguments, body, traceparent=fields.get("traceparent"), caller=caller)


def _caller(fields: dict) -> Caller:
    role, login, statement = fields["role"], fields.get("login"), fields.get("statement")
    member = fields.get("member")
    if type(role) is not int or type(login) is not int or not isinstance(statement, str) or not _oids(member):
        raise BadFrame("a header does not say who calls")
    return Caller(role, login, statement, None if member is None else frozenset(member))


def _oids(member: object) -> bool:
    return member is None or (isinstance(member, list) and all(type(oid) is int for oid in member))


def pack(header: dict, body: bytes = b"") -> bytes:
    """The bytes of one frame."""
    return join(orjson.dumps(header), body)


def join(header: bytes, body: bytes) -> bytes:
    """The same of a header that is JSON already."""
    return b"".join((LENGTHS.pack(len(header), len(body)), header, body))
