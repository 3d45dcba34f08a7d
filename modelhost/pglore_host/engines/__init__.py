"""Engines: what runs a model. Each is one module with a class that fits `Engine`."""

import ctypes
import gc
import importlib
from contextlib import suppress
from typing import Protocol

import numpy as np

from .. import errors
from ..device import Device
from ..errors import HostError
from ..files import ModelFiles
from ..settings import Settings


class Engine(Protocol):
    """Token ids to token states, vectors or scores. load, run and unload are called from the model's own thread.

    Letters: B texts, L tokens after padding, D model width, H width of a pooled vector.
    """

    name: str
    quality: dict | None  # loss against float32 where it was measured: cosine_min, cosine_mean, texts
    memory_bytes: int | None  # taken on the device, where the engine knows

    def load(self) -> None:
        """Make ready to run; raises HostError LO204 or LO206 with a reason, MemoryError."""

    def run(
        self, ids: np.ndarray, mask: np.ndarray, types: np.ndarray | None = None, pooled: bool = False
    ) -> np.ndarray:
        """One batch.

        ids, mask, types  (B, L) int64; mask is 0 on the padding behind a text; types are segments, None is all 0
        returns           float32, valid until the next run: of an embedder the last layer (B, L, D), or pooled and
                          through its dense layers (B, H), not yet of length 1; of a cross-encoder logits (B, 1)
        raises            MemoryError when the device's memory is not enough
        """

    def unload(self) -> None:
        """Give the memory back."""

    def health(self) -> str | None:
        """Why the engine cannot go on, or None."""


def create(files: ModelFiles, device: Device, settings: Settings) -> Engine:
    """The engine for a model on a device; raises HostError LO206 where its library is missing."""
    try:
        if device.engine == "openvino":
            from .openvino import OpenVinoEngine

            return OpenVinoEngine(files, device, settings)
        from .torch import TorchEngine

        return TorchEngine(files, device, settings)
    except ImportError as error:
        raise HostError(errors.UNKNOWN_ENGINE, f"the engine {device.engine} is not installed: {error}") from error


def prepare(device: Device) -> None:
    """Import an engine's library, which can be done while the model's files are read; never raises."""
    with suppress(Exception):  # `create` says what is wrong
        importlib.import_module(f".{device.engine}", __name__)


def give_back() -> None:
    """Return freed memory to the system: the C library keeps it otherwise."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library has no such function, and keeps less
        ctypes.CDLL(None).malloc_trim(0)
