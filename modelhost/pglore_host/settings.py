"""Settings: what the operator wrote in host.json, checked once at the start."""

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "float16")
ENGINES = ("auto", "openvino", "torch")


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
    embedder: str = ""  # folder of the default embedder; empty is the installed package

    @property
    def folder(self) -> Path:
        """Where socket, locks and log are."""
        return self.data_directory / "pglore"


def load(data_directory: Path, path: Path | None) -> Settings:
    """Read host.json; raises ValueError for a value that is not allowed."""
    given = json.loads(path.read_text(encoding="utf-8")) if path else {}
    known = {field.name for field in fields(Settings)} - {"data_directory"}
    values = {name: value for name, value in given.items() if name in known}
    values["cache"] = Path(values.get("cache") or data_directory / "pglore" / "cache")
    settings = Settings(data_directory=data_directory, **values)
    for name, allowed in (("device", DEVICES), ("dtype", DTYPES), ("engine", ENGINES)):
        if getattr(settings, name) not in allowed:
            raise ValueError(f"{name} in {path} is {getattr(settings, name)!r}, not one of {', '.join(allowed)}")
    for name, low, high in (("threads", 0, 4096), ("queue_texts", 1, 1 << 24)):
        value = getattr(settings, name)
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{name} in {path} is {value!r}, not a number from {low} to {high}")
    return settings


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
