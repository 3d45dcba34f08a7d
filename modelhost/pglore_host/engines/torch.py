"""torch on CUDA, MPS or a CPU without OpenVINO. Imported only where it is chosen: importing torch takes seconds."""

import numpy as np
import torch
from transformers import AutoModel

from .. import errors
from ..device import Device
from ..errors import HostError
from ..files import ModelFiles
from ..settings import Settings


class TorchEngine:
    """A text encoder of transformers with scaled dot product attention."""

    name = "torch"

    def __init__(self, files: ModelFiles, device: Device, settings: Settings) -> None:
        self._files, self._device, self._settings = files, device, settings
        self._model: torch.nn.Module | None = None

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
        try:
            model = AutoModel.from_pretrained(
                str(self._files.folder),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                attn_implementation="sdpa",
                dtype=getattr(torch, self._device.dtype),
            )
            self._model = model.to(kind).eval()
        except torch.cuda.OutOfMemoryError as error:
            raise HostError(errors.OUT_OF_MEMORY, f"the model does not fit the device: {error}") from error
        except (OSError, ValueError, RuntimeError) as error:
            raise HostError(errors.MODEL_NOT_LOADED, f"the model cannot be read: {error}") from error

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """See Engine.run."""
        with torch.inference_mode():
            inputs = {
                name: torch.from_numpy(value).to(self._device.kind, non_blocking=True)
                for name, value in (("input_ids", ids), ("attention_mask", mask))
            }
            try:
                return self._model(**inputs).last_hidden_state.float().cpu().numpy()
            except torch.cuda.OutOfMemoryError as error:
                torch.cuda.empty_cache()
                raise MemoryError(str(error)) from error

    def unload(self) -> None:
        """See Engine.unload."""
        self._model = None
        if self._device.kind == "cuda":
            torch.cuda.empty_cache()
