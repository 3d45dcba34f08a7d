"""A server of embeddings that does what a script says, for faults that no real server makes when asked."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import Callable


def vector(text: str) -> list[float]:
    """Any vector, but always the same for a text."""
    return [len(text) + 1.0, float(ord(text[0])), float(ord(text[-1])), 1.0]


def openai(texts: list[str]) -> dict:
    """A good answer in the OpenAI protocol; the order is told by "index" alone."""
    rows = [{"index": place, "embedding": vector(text)} for place, text in enumerate(texts)]
    return {"data": rows[::-1]}


def reply(body: object, status: int = 200, headers: str = "") -> bytes:
    """An HTTP reply; a body given as bytes goes as it is."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status} x\r\nContent-Length: {len(data)}\r\n{headers}\r\n".encode() + data


def good(body: dict) -> bytes:
    """The reply of a server that does its work."""
    return reply(openai(body["input"]))


# What to do with a request: a reply, a function that makes one of the request's body, seconds or an event to wait for
# before a good reply, or None: close the connection without a word.
Action = bytes | Callable[[dict], bytes] | float | asyncio.Event | None


class Scripted:
    """Does one action of `script` for each request, then `always`."""

    def __init__(self) -> None:
        self.script: list[Action] = []
        self.always: Action = good
        self.bodies: list[dict] = []
        self.heads: list[str] = []
        self.at_once = self.most_at_once = self.aborted = 0
        self.hold = 0.0  # seconds for which half an answer is followed by silence before the connection closes
        self.endless = b""  # what follows an answer without a length, again and again
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, context: ssl.SSLContext | None = None, bound: socket.socket | None = None) -> None:
        """Listen, on a socket that is bound already or on any port."""
        place = {"sock": bound} if bound else {"host": "127.0.0.1", "port": 0}
        self._server = await asyncio.start_server(self._connection, limit=1 << 26, ssl=context, **place)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no longer, and break what is connected."""
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                sizes = [line[15:] for line in head.lower().split("\r\n") if line.startswith("content-length:")]
                body = json.loads(await reader.readexactly(int(sizes[0]) if sizes else 0) or b"{}")
                self.heads.append(head)
                self.bodies.append(body)
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                try:
                    answer = await self._answer(body, reader)
                finally:
                    self.at_once -= 1
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
                if b"Content-Length: " not in answer or b"half" in answer:
                    while self.endless:
                        writer.write(self.endless)
                        await writer.drain()
                        await asyncio.sleep(0.005)
                    if self.hold:
                        await self._silence(reader)
                    return
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _silence(self, reader: asyncio.StreamReader) -> None:
        """Say nothing until the client gives up."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(1), self.hold)
            self.aborted += 1

    async def _answer(self, body: dict, reader: asyncio.StreamReader) -> bytes | None:
        action = self.script.pop(0) if self.script else self.always
        if isinstance(action, int | float):
            try:
                await asyncio.wait_for(reader.read(1), action)  # only a client that gives up ends it early
                self.aborted += 1
                return None
            except TimeoutError:
                action = good
        if isinstance(action, asyncio.Event):
            await action.wait()
            action = good
        return action(body) if callable(action) else action
