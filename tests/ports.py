"""Ports for servers that take a number and not a socket."""

import contextlib
import os
import random
import socket


def free_port() -> int:
    """A free port of this machine that the system does not give to others: it lies below those that it hands out."""
    for port in random.Random(os.getpid()).sample(range(20_000, 32_000), 1000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")
