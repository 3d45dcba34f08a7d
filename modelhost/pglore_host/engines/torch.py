"""torch on CUDA, MPS or a CPU without OpenVINO. Imported only where it is chosen: importing torch takes seconds."""

import inspect

import numpy as np
import torch

from .. import errors
from ..device import Device
from ..errors import HostError
from ..files import ModelFiles
from ..settings import Settings
from . import give_back, pretrained
from .torch_head import Head


class TorchEngine:
    """A text encoder or cross-encoder of transformers."""

    name = "torch"
    quality = None

    def __init__(self, files: ModelFiles, device: Device, settings: Settings) -> None:
        self._files, self._device, self._settings = files, device, settings
        self._model: torch.nn.Module | None = None
        self.memory_bytes: int | None = None

    def load(self) -> None:
        """Read the weights (safetensors only, no code of the model's own) and move them to the device."""
        kind = self._device.kind
        if kind == "cuda" and not torch.cuda.is_available():
            raise HostError(
                errors.MODEL_NOT_LOADED,
                f"torch {torch.__version__} finds no CUDA device",
                'Install a CUDA build of torch, or set "device" to "cpu" in host.json.',
            )
        if kind == "mps" and not torch.backends.mps.is_available():
            raise HostError(errors.MODEL_NOT_LOADED, f"torch {torch.__version__} finds no MPS device")
        if kind == "cpu" and self._settings.threads:
            torch.set_num_threads(self._settings.threads)
        before = torch.cuda.memory_allocated() if kind == "cuda" else 0
        model = pretrained.load(self._files, getattr(torch, self._device.dtype), kind)
        try:
            self._model = model.to(kind)
            self._head = Head(self._files, kind) if self._files.task == "embed" else None
        except torch.cuda.OutOfMemoryError as error:
            raise MemoryError(str(error)) from error
        self._takes = set(inspect.signature(model.forward).parameters)
        if kind == "cuda":
            self.memory_bytes = torch.cuda.memory_allocated() - before

    def run(
        self, ids: np.ndarray, mask: np.ndarray, types: np.ndarray | None = None, pooled: bool = False
    ) -> np.ndarray:
        """See Engine.run."""
        given = {"input_ids": ids, "attention_mask": mask}
        if types is not None and "token_type_ids" in self._takes:
            given["token_type_ids"] = types
        try:
            with torch.inference_mode():
                inputs = {
                    name: torch.from_numpy(value).to(self._device.kind, non_blocking=True)
                    for name, value in given.items()
                }
                found = self._model(**inputs)
                if self._head is None:
                    answer = found.logits
                elif pooled:
                    answer = self._head(found.last_hidden_state, inputs["attention_mask"])
                else:
                    answer = found.last_hidden_state
                return answer.float().cpu().numpy()
        except torch.cuda.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise MemoryError(f"the device {self._device.kind} has too little memory for this batch") from error
        except RuntimeError as error:
            if "allocate memory" not in str(error):
                raise
            raise MemoryError("the machine has too little memory for this batch") from error

    def health(self) -> str | None:
        """See Engine.health. An error on a GPU stays: every later call fails too."""
        if self._model is None:
            return "not loaded"
        try:
            if self._device.kind == "cuda":
                torch.cuda.synchronize()
        except RuntimeError as error:
            return str(error).splitlines()[0]
        return None

    def unload(self) -> None:
        """See Engine.unload."""
        self._model = self._head = None
        give_back()
        if self._device.kind == "cuda":
            torch.cuda.empty_cache()
        elif self._device.kind == "mps":
            torch.mps.empty_cache()
