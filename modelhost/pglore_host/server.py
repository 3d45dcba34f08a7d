"""The server: connections, their requests, and what becomes of both."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

import orjson

from . import __version__, device, errors, frames, log
from .errors import HostError
from .frames import BadFrame, Request
from .ops import STREAMS, Operations
from .registry import Registry
from .settings import Settings
from .status import resident_bytes, uptime_s

if TYPE_CHECKING:
    from .supervise import Worker

BACKLOG = 1024
IN_FLIGHT = 64  # unanswered requests of one connection
DRAIN_S = 10  # what is running when a stop is asked for has this long
STALL_S = 60  # a client that reads nothing of its replies for so long is let go
ROOM = 512 << 20  # bytes that large requests of all connections take together


class Server:
    """Reads requests, runs each as a task, writes replies in the order they are ready."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._operations = Operations(settings, self)
        self._connections: dict[asyncio.Task, Callable[[], None]] = {}  # and what ends the reading of each
        self._room = frames.Room(ROOM)
        self._active = 0
        self._answered = 0
        self._stopped: asyncio.Event | None = None
        self._drained = asyncio.Event()
        self._stops = 0  # requests for a stop, which wait for all others
        self._draining = False

    async def serve(self, listening: socket.socket, stopped: asyncio.Event, worker: "Worker | None" = None) -> None:
        """Serve until `stopped`, then finish what is running: DRAIN_S at most."""
        self._stopped = stopped
        self._operations.begin()
        server = await asyncio.start_unix_server(self._connection, sock=listening, limit=1 << 20, backlog=BACKLOG)
        log.write("serving", pid=os.getpid())
        if worker:
            worker.serving()
        await stopped.wait()
        server.close()
        if worker:
            worker.stopping()
        self._draining = True
        log.write("draining", active=self._active, connections=len(self._connections))
        for end_reading in self._connections.values():
            end_reading()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DRAIN_S
        while self._active > self._stops and loop.time() < deadline:
            await asyncio.sleep(0.01)
        self._drained.set()
        if self._connections:
            await asyncio.wait(list(self._connections), timeout=max(1.0, deadline - loop.time()))
        self._operations.end()

    async def stop(self) -> dict:
        """Ask for a stop, and answer when what else was running is finished: then every connection is closed."""
        assert self._stopped is not None
        self._stopped.set()
        self._stops += 1
        await self._drained.wait()
        return {"pid": os.getpid()}

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: when it closes, all it asked for is cancelled; when the host stops, that is finished."""
        tasks: set[asyncio.Task] = set()
        connection = asyncio.current_task()
        assert connection is not None

        def end_reading() -> None:
            writer.transport.pause_reading()
            reader.feed_eof()

        self._connections[connection] = end_reading
        try:
            if self._draining:
                return
            if not _same_account(writer.get_extra_info("socket")):
                log.seldom("refused", reason="the peer is another account")
                return
            while (request := await frames.read(reader, self._room)) is not None:
                if len(tasks) >= IN_FLIGHT:
                    request.done()
                    why = f"over {IN_FLIGHT} requests on a connection"
                    await self._write(writer, _failed(request.id, HostError(errors.HOST_BUSY, why)))
                    continue
                if not self._active and (quick := await self._operations.quick.answer(request)):
                    data, afterwards = quick
                    writer.write(data)
                    afterwards()
                    self._answered += 1
                    if writer.transport.get_write_buffer_size():
                        await self._write(writer, b"")
                    continue
                task = asyncio.create_task(self._request(request, writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                if request.room:  # here, since a task that is cancelled before it begins runs no line of its own
                    task.add_done_callback(request.done)
                del request, task
            if self._draining and tasks:
                await asyncio.wait(tasks)
        except BadFrame as error:
            log.seldom("bad frame", reason=str(error))
            await self._write(writer, _failed(-1, HostError(errors.INTERNAL_ERROR, f"bad frame: {error}")))
        finally:
            for task in list(tasks):
                task.cancel()
            writer.close()
            if self._draining:
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
            del self._connections[connection]

    async def _request(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Answer one request; whatever goes wrong in it stays in it."""
        self._active += 1
        try:
            try:
                if request.op in STREAMS:
                    data = await self._stream(request, writer)
                else:
                    fields, body = await self._operations.answer(request)
                    data = frames.pack({"id": request.id, **fields}, body)
            except HostError as error:
                data = _failed(request.id, error)
            except MemoryError:
                data = _failed(request.id, HostError(errors.OUT_OF_MEMORY, "the model host's memory is not enough"))
            except Exception as error:
                log.fault("request failed", error, op=request.op)
                data = _failed(request.id, HostError(errors.INTERNAL_ERROR, f"{request.op} failed in the model host"))
            self._answered += 1
            await self._write(writer, data)
        finally:
            self._active -= 1

    async def _stream(self, request: Request, writer: asyncio.StreamWriter) -> bytes:
        """Send the replies to a request as they come, and return the last; raises HostError.

        While the client does not read, pieces are joined: who pauses between two rows holds nothing up, and takes
        little memory.
        """
        waiting: list[str] = []
        async with aclosing(self._operations.stream(request)) as replies:  # type: ignore[type-var]
            async for more, reply in replies:
                if not more:
                    pieces = _piece(request.id, waiting) if waiting else b""
                    return pieces + frames.pack({"id": request.id}, orjson.dumps(reply))
                waiting.append(reply["text"])
                if not writer.transport.get_write_buffer_size():
                    await self._write(writer, _piece(request.id, waiting))
                    waiting = []
        raise AssertionError("a stream ended without a last reply")

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Send a frame; who does not read loses the connection."""
        writer.write(data)
        try:
            if writer.transport.get_write_buffer_size():
                async with asyncio.timeout(STALL_S):
                    await writer.drain()
        except TimeoutError:
            log.seldom("stalled", reason=f"a client has not read its replies for {STALL_S} s")
            writer.transport.abort()
        except ConnectionError:
            pass

    def status(self, registry: Registry) -> dict:
        """One row for lore.host_status; the request that asks is not counted as active."""
        try:
            chosen = device.choose(self._settings)
            kind, reason = chosen.kind, f"{chosen.engine}: {chosen.reason}"
        except HostError as error:
            kind, reason = None, error.message
        return {
            "pid": os.getpid(),
            "version": __version__,
            "uptime_s": uptime_s(),
            "device": kind,
            "device_reason": reason,
            "loaded": registry.loaded(),
            "active": self._active - 1,
            "queued": sum(model.queue.waiting + model.queue.running for model in registry.models),
            "connections": len(self._connections),
            "requests": self._answered,
            "memory_bytes": resident_bytes(),
        }


def _piece(number: int, texts: list[str]) -> bytes:
    """The frame of the next piece of a stream."""
    return frames.pack({"id": number, "more": True}, orjson.dumps({"text": "".join(texts)}))


def _failed(number: int, error: HostError) -> bytes:
    return frames.pack({"id": number, "error": error.as_dict()})


def _same_account(peer: socket.socket) -> bool:
    """Whether the other end runs as this account; where the system cannot tell, the folder's mode sees to it."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    return struct.unpack("iII", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1] == os.geteuid()
