"""The state of the process: memory, uptime, what it is doing."""

import os
import time
from pathlib import Path

_started = time.monotonic()


def begin() -> None:
    """Count the uptime from now: a worker is forked long after this was imported."""
    global _started
    _started = time.monotonic()


def resident_bytes() -> int:
    """Resident memory of this process, in bytes; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def uptime_s() -> float:
    """Seconds since the start of the process."""
    return time.monotonic() - _started


def threads() -> int:
    """Threads of this process; 0 where the system does not tell."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 0
