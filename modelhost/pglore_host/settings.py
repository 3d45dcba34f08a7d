"""Settings: what the operator wrote in host.json, checked once at the start."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from . import prometheus, tracing

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "float16")
ENGINES = ("auto", "openvino", "torch")
SIZE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) ?(MB|GB|TB)")
UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
NUMBERS = (  # whole numbers: name, least, most
    ("threads", 0, 4096),
    ("queue_texts", 1, 1 << 24),
    ("max_wait_ms", 1, 86_400_000),
    ("unload_after_s", 0, 1 << 31),
    ("log_calls", 0, 10_000_000),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How this host runs; every field but data_directory may stand in host.json."""

    data_directory: Path
    cache: Path  # converted and compiled models; made if missing, the server's account must be able to write it
    device: str = "auto"
    dtype: str = "auto"
    engine: str = "auto"
    threads: int = 0  # of the engine on a CPU; 0 is all
    queue_texts: int = 1 << 17  # texts that may wait in a lane of a model before the host answers "busy"
    max_wait_ms: int = 10_000  # a query that would wait longer than this is told "busy" at once
    memory: Mapping[str, int] = field(default_factory=dict)  # bytes that models may take, by device; a share if not set
    unload_after_s: int = 3600  # a model that nobody has used for this long is unloaded; 0 is never
    log_calls: int = 100_000  # calls of models that are remembered for lore.calls; 0 is none
    log_texts: bool = False  # whether what was asked and answered is remembered too
    hub_url: str = ""  # of another hub than the usual one
    prometheus: str = ""  # address to answer GET /metrics at, such as 127.0.0.1:9187; off if empty
    otel: str = ""  # base URL of the OTLP/HTTP collector that spans are sent to; off if empty

    @property
    def folder(self) -> Path:
        """Where socket, locks and log are."""
        return self.data_directory / "pglore"


def load(data_directory: Path, path: Path | None) -> Settings:
    """Read host.json; raises ValueError for a value that is not allowed."""
    given = json.loads(path.read_text(encoding="utf-8")) if path else {}
    known = {field.name for field in fields(Settings)} - {"data_directory"}
    values = {name: value for name, value in given.items() if name in known}
    values["memory"] = _sizes(values.get("memory") or {})
    values["cache"] = Path(values.get("cache") or data_directory / "pglore" / "cache")
    settings = Settings(data_directory=data_directory, **values)
    for name, allowed in (("device", DEVICES), ("dtype", DTYPES), ("engine", ENGINES)):
        if getattr(settings, name) not in allowed:
            raise ValueError(f"{name} in {path} is {getattr(settings, name)!r}, not one of {', '.join(allowed)}")
    for name, low, high in NUMBERS:
        value = getattr(settings, name)
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{name} in {path} is {value!r}, not a number from {low} to {high}")
    if not isinstance(settings.log_texts, bool):
        raise ValueError(f"log_texts in {path} is {settings.log_texts!r}, not true or false")
    if not isinstance(settings.hub_url, str) or not re.fullmatch(r"(https?://[!-~]+)?", settings.hub_url):
        raise ValueError(f"hub_url in {path} is no http or https address")
    for name, read in (("prometheus", prometheus.address), ("otel", tracing.endpoint)):
        _understood(path, name, getattr(settings, name), read)
    return settings


def _understood(path: Path | None, name: str, value: object, read: Callable[[str], object]) -> None:
    try:
        if not isinstance(value, str):
            raise ValueError("not a text")
        if value:
            read(value)
    except ValueError as error:
        raise ValueError(f"{name} in {path} is {value!r}: {error}") from None


def _sizes(given: object) -> dict[str, int]:
    """Budgets by device in bytes, from numbers or texts such as "8GB"; raises ValueError."""
    if not isinstance(given, dict):
        raise ValueError('memory is not like {"cpu": "8GB"}')
    found = {}
    for kind, size in given.items():
        match = SIZE.fullmatch(size) if isinstance(size, str) else None
        if kind not in DEVICES[1:] or not (match or (type(size) is int and size >= 0)):
            raise ValueError(f'memory is not like {{"cpu": "8GB"}}: {kind!r}: {size!r}')
        found[kind] = int(float(match[1]) * UNITS[match[2]]) if match else size
    return found


def quiet_environment() -> None:
    """No network, no telemetry, no thread pools beside the engine's own; to be set before the libraries load."""
    os.environ.update(
        HF_HUB_OFFLINE="1",
        TRANSFORMERS_OFFLINE="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        DO_NOT_TRACK="1",
        OPENBLAS_NUM_THREADS="1",
        TOKENIZERS_PARALLELISM="false",
    )
    # The cores are the database's too: torch's threads that wait for each other by spinning, as is usual, made a text
    # take some seven times as long on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
