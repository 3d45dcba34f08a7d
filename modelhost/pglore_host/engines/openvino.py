"""OpenVINO on a CPU: a converted model (conversions.py), compiled when it is loaded.

What is compiled is not kept: reading and checking it was measured to take as long as compiling.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from .. import errors, log, pooling
from ..device import Device, cpu_flags
from ..errors import HostError
from ..files import ModelFiles
from ..settings import Settings
from . import conversions, give_back
from .lean import openvino

PRECISION = {"float32": "f32", "bfloat16": "bf16"}
INT8_GROUP = "64"  # numbers that are rounded together: larger groups are a little faster and lose more


def options(dtype: str, threads: int) -> dict[str, str]:
    """How a model is compiled; 0 threads are all."""
    if dtype == "int8":  # of the weights; the rest is as fast as this CPU allows
        dtype = "bfloat16" if cpu_flags() & {"avx512_bf16", "amx_bf16"} else "float32"
    chosen = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_PRECISION_HINT": PRECISION[dtype],
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": INT8_GROUP,
    }
    return {**chosen, "INFERENCE_NUM_THREADS": str(threads)} if threads else chosen


class OpenVinoEngine:
    """A text encoder or cross-encoder compiled for this CPU."""

    name = "openvino"
    memory_bytes = None

    def __init__(self, files: ModelFiles, device: Device, settings: Settings) -> None:
        self._files, self._device, self._settings = files, device, settings
        self._request = self._compiled = None
        self.quality: dict | None = None

    def load(self) -> None:
        """Convert where the cache holds no intact copy, then compile."""
        int8 = self._device.dtype == "int8"
        place = conversions.folder(self._settings.cache, self._files, openvino.__version__, int8)
        about = conversions.manifest(place)
        if about is None or not self._compile(place, about):
            if place.exists():
                log.write("damaged cache", folder=str(place))
            conversions.make(place, self._files, int8)
            about = conversions.manifest(place)
            if about is None or not self._compile(place, about):
                raise HostError(errors.MODEL_NOT_LOADED, "OpenVINO cannot compile it", 'Set "engine" to "torch".')
        self.quality = about.get("quality")

    def _compile(self, place: Path, about: dict) -> bool:
        """Compile a conversion while its weights are hashed; False where either shows that it is damaged."""
        chosen = options(self._device.dtype, self._settings.threads)
        if not conversions.intact(place, about, conversions.GRAPH):
            return False
        with ThreadPoolExecutor(1) as hasher:
            whole = hasher.submit(conversions.intact, place, about, conversions.WEIGHTS)
            try:
                core = openvino.Core()
                self._compiled = core.compile_model(core.read_model(place / conversions.GRAPH), "CPU", chosen)
            except RuntimeError as error:
                log.write("OpenVINO cannot compile", error=str(error)[:1000])
                return False
            if not whole.result():
                self._compiled = None
                return False
        self._inputs = {port.get_any_name() for port in self._compiled.inputs}
        self._request = self._compiled.create_infer_request()
        return True

    def run(
        self, ids: np.ndarray, mask: np.ndarray, types: np.ndarray | None = None, pooled: bool = False
    ) -> np.ndarray:
        """See Engine.run."""
        inputs = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._inputs:
            inputs["token_type_ids"] = np.zeros_like(ids) if types is None else types
        try:
            found = self._request.infer(inputs, share_inputs=True, share_outputs=True)[0]
        except RuntimeError as error:
            if "alloc" not in str(error) and "memory" not in str(error):
                raise
            raise MemoryError("the machine has too little memory for this batch") from error
        if pooled and self._files.task == "embed":
            return pooling.head(found, mask, self._files.pooling, self._files.steps)
        return found

    def health(self) -> str | None:
        """See Engine.health."""
        return "not loaded" if self._request is None else None

    def unload(self) -> None:
        """See Engine.unload."""
        self._request = self._compiled = None
        give_back()
