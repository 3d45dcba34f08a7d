"""Starting the model host: the first call that finds no socket does it, however many call at once."""

import fcntl
import json
import os
import stat
import time

from .failure import Failure, HostGone
from .waits import wait

FOLDER = "pglore"  # under the data directory, which is every backend's working directory
LOG_HINT = "See pglore/host.log in the data directory."
START_TIMEOUT_S = 60
SETTINGS_HINT = (
    'The file host.json says how to start it: {"command": ["/path/to/python", "-m", "pglore_host"]}, '
    "in the folder pglore of the data directory or of the server's SHAREDIR; `make install` and `make up` write it."
)


def connect_or_start(plpy, dial):
    """A connection from `dial`; where nobody listens, start the host under a lock and dial again."""
    try:
        return dial()
    except HostGone:
        pass
    try:
        os.makedirs(FOLDER, mode=0o700, exist_ok=True)
        lock = os.open(os.path.join(FOLDER, "start.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Failure("LO301", f"the model host cannot be started: {error}", SETTINGS_HINT) from None
    try:
        _take(plpy, lock)
        try:
            return dial()  # another backend may have started it while this one waited for the lock
        except HostGone:
            return _start(plpy, dial)
    finally:
        os.close(lock)


def _take(plpy, lock):
    """Wait for the start lock, open to interrupts."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            wait(plpy, -1, 0, 0.02)


def _start(plpy, dial):
    """Run the host's command and wait until it listens.

    The command puts itself into the background and ends once it listens, or ends with an error.
    """
    child = _run()
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        ended = child.poll()
        try:
            return dial()
        except HostGone:
            if ended:
                raise Failure("LO301", f"the model host ended at once, with status {ended}", LOG_HINT) from None
        wait(plpy, -1, 0, 0.01)
        if ended == 0:  # it listened, and was stopped before anyone could connect
            child = _run()
    raise Failure("LO301", f"the model host did not listen within {START_TIMEOUT_S} s", LOG_HINT)


def _run():
    """The process of the host's command."""
    import subprocess  # here: few calls start a host, and every connection would pay for the import

    command, environment, path = _settings()
    log_file = os.open(os.path.join(FOLDER, "host.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with open(log_file, "ab") as log:
        try:
            # The host's environment is a clean one: a backend's may hold what is the server's alone.
            return subprocess.Popen(
                [*command, "--data-directory", os.getcwd(), "--settings", path],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment,
                close_fds=True,
                start_new_session=True,
            )
        except OSError as error:
            raise Failure("LO301", f"the model host's command cannot be run: {error}", SETTINGS_HINT) from None


def _settings():
    """Command, environment and path of the first host.json there is; one that others may write is refused."""
    for path in (os.path.join(FOLDER, "host.json"), os.path.join(_shared_folder(), "pglore", "host.json")):
        try:
            with open(path, encoding="utf-8") as file:
                about = os.fstat(file.fileno())
                if about.st_uid not in (0, os.geteuid()) or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                    raise Failure(
                        "LO301",
                        f"{path} is not the server's own: its owner or mode lets others change it",
                        "Make root or the server's account its owner, and chmod go-w.",
                    )
                settings = json.load(file)
            command, extra = settings["command"], settings.get("environment", {})
            if not command or not all(isinstance(word, str) for word in [*command, *extra, *extra.values()]):
                raise ValueError("command is a list of strings, environment an object of strings")
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Failure("LO301", f"{path} cannot be used: {error!r}", SETTINGS_HINT) from None
        return command, {"PATH": os.defpath, "LANG": "C.UTF-8", **extra}, os.path.abspath(path)
    raise Failure("LO301", "the model host is not running, and no host.json says how to start it", SETTINGS_HINT)


def _shared_folder():
    """SHAREDIR of this server: the folder two above the bridge's own, <SHAREDIR>/extension/pglore/pglore_bridge."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
