"""The server: connections, their requests, and what becomes of both."""

import asyncio
import os
import socket
import struct

from . import __version__, device, errors, frames, log
from .errors import HostError
from .frames import BadFrame, Request
from .ops import Operations
from .registry import Registry
from .settings import Settings
from .status import resident_bytes, uptime_s

BACKLOG = 1024
IN_FLIGHT = 64  # unanswered requests of one connection
DRAIN_S = 10


class Server:
    """Reads requests, runs each as a task, writes replies in the order they are ready."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._operations = Operations(settings, self)
        self._connections: set[asyncio.Task] = set()
        self._active = 0
        self._answered = 0
        self._draining = False

    async def serve(self, listening: socket.socket, stopped: asyncio.Event) -> None:
        """Serve until `stopped`, then finish what is running."""
        server = await asyncio.start_unix_server(self._connection, sock=listening, limit=1 << 20, backlog=BACKLOG)
        await stopped.wait()
        server.close()
        self._draining = True
        deadline = asyncio.get_running_loop().time() + DRAIN_S
        while self._active and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: when it closes, all it asked for is cancelled."""
        tasks: set[asyncio.Task] = set()
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            if not _same_account(writer.get_extra_info("socket")):
                log.write("refused", reason="the peer is another account")
                return
            while (request := await frames.read(reader)) is not None:
                if len(tasks) >= IN_FLIGHT or self._draining:
                    why = (
                        "the model host is stopping" if self._draining else f"over {IN_FLIGHT} requests on a connection"
                    )
                    await self._write(writer, request.id, HostError(errors.HOST_BUSY, why))
                    continue
                task = asyncio.create_task(self._request(request, writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                del request, task
        except BadFrame as error:
            log.write("bad frame", reason=str(error))
            await self._write(writer, -1, HostError(errors.INTERNAL_ERROR, f"bad frame: {error}"))
        except ConnectionError:
            pass
        finally:
            for task in list(tasks):
                task.cancel()
            writer.close()
            self._connections.discard(connection)

    async def _request(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Answer one request; whatever goes wrong in it stays in it."""
        self._active += 1
        try:
            try:
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
            writer.write(data)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            self._active -= 1

    async def _write(self, writer: asyncio.StreamWriter, number: int, error: HostError) -> None:
        try:
            writer.write(_failed(number, error))
            await writer.drain()
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


def _failed(number: int, error: HostError) -> bytes:
    return frames.pack({"id": number, "error": error.as_dict()})


def _same_account(peer: socket.socket) -> bool:
    """Whether the other end runs as this account; where the system cannot tell, the folder's mode sees to it."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    return struct.unpack("iII", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1] == os.geteuid()
