"""Engines: what runs a model. Each is one module with a class that fits `Engine`."""

from typing import Protocol

import numpy as np

from .. import errors
from ..device import Device
from ..errors import HostError
from ..files import ModelFiles
from ..settings import Settings


class Engine(Protocol):
    """Token ids to token states. load, run and unload are called from the model's own thread.

    Letters: B texts, L tokens after padding, D model width.
    """

    name: str

    def load(self) -> None:
        """Make ready to run; raises HostError LO204 with a reason."""

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Last layer of the model.

        ids, mask  (B, L) int64; mask is 0 on padding
        returns    (B, L, D) float32, valid until the next run
        raises     MemoryError when the device's memory is not enough
        """

    def unload(self) -> None:
        """Give the memory back."""


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
