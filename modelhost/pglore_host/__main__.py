"""python -m pglore_host --data-directory DIR [--settings host.json] [--foreground]: run the model host of a cluster."""

import argparse
import contextlib
import os
import socket
import sys
import time
from pathlib import Path

from . import __version__, lifecycle, log, settings, status, supervise


def main() -> None:
    """Parse, go into the background, listen, import, fork the worker: callers can connect from the first moment."""
    parser = argparse.ArgumentParser(prog="pglore_host", description=__doc__)
    parser.add_argument("--data-directory", type=Path, required=True, help="data directory of the cluster to serve")
    parser.add_argument(
        "--settings", type=Path, help="host.json; default: pglore/host.json in the data directory, if there"
    )
    parser.add_argument("--foreground", action="store_true", help="stay in the foreground, for systemd and containers")
    parser.add_argument("--version", action="version", version=__version__)
    options = parser.parse_args()
    directory = options.data_directory.resolve()
    own = directory / "pglore" / "host.json"
    try:
        chosen = settings.load(directory, options.settings or (own if own.exists() else None))
    except (OSError, ValueError, TypeError) as error:
        raise SystemExit(f"pglore_host: {error}") from None
    if os.geteuid() != directory.stat().st_uid:
        raise SystemExit(f"pglore_host: run it as the account that owns {directory}")
    ready = (lambda: None) if options.foreground else lifecycle.into_background()
    lifecycle.settle(chosen.folder)
    pid = lifecycle.postmaster(directory)
    end = lifecycle.handle(pid)
    try:
        lock = lifecycle.take_lock()
    except SystemExit as ending:
        if not ending.code:
            ready()
        raise
    listening = lifecycle.listen(1024)
    ready()
    log.write(
        "listening", pid=os.getpid(), postmaster=pid, version=__version__, lock=lock, python=sys.version.split()[0]
    )
    settings.quiet_environment()
    log.take_all()
    started = time.perf_counter()
    _import(chosen)
    log.write("ready to fork", import_s=round(time.perf_counter() - started, 3), threads=status.threads())
    supervise.Supervisor(
        listening, lambda worker: _work(worker, chosen, listening, pid, end), lambda: _import_more(chosen)
    ).run()


def _import(chosen: settings.Settings) -> None:
    """Import what workers need and what starts no thread: a worker that is forked later serves at once."""
    from . import chunk, parse, server  # noqa: F401

    if chosen.engine in ("auto", "openvino") and chosen.device in ("auto", "cpu"):
        with contextlib.suppress(ImportError):
            from .engines import lean  # noqa: F401


def _import_more(chosen: settings.Settings) -> None:
    """Import what takes seconds where it is likely to be used, while the first worker serves: for the next ones."""
    likely = chosen.engine == "torch" or chosen.device == "cuda"
    if likely or (chosen.device == "auto" and os.path.exists("/dev/nvidia0")):  # the driver itself bears no fork
        from transformers.models.bert import modeling_bert  # noqa: F401  # with what all models need

        from .engines import torch  # noqa: F401

        log.write("torch is imported for the next worker", threads=status.threads())


def _work(
    worker: supervise.Worker, chosen: settings.Settings, listening: socket.socket, pid: int, end: int | None
) -> None:
    """Serve; the worker's whole life."""
    from .server import Server

    status.begin()
    sys.setswitchinterval(0.001)  # seconds: the event loop gets its turn soon beside threads that work in Python
    server = Server(chosen)
    lifecycle.run(lambda stopped: server.serve(listening, stopped, worker), pid, end)


if __name__ == "__main__":
    main()
