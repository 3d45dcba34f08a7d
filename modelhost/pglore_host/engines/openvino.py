"""OpenVINO on a CPU: the torch module is converted once, cached on disk by fingerprint, and compiled from there.

Converting runs in a process of its own: torch and transformers never enter the host, and a later start needs neither.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import openvino

from .. import errors, log
from ..device import Device
from ..errors import HostError
from ..files import ModelFiles
from ..settings import Settings

CONVERT_TIMEOUT_S = 600
PRECISION = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoEngine:
    """A text encoder compiled for this CPU."""

    name = "openvino"

    def __init__(self, files: ModelFiles, device: Device, settings: Settings) -> None:
        self._files, self._device, self._settings = files, device, settings
        self._request = None

    def load(self) -> None:
        """Convert where the cache has no copy, then compile."""
        folder = (
            self._settings.cache / f"{self._files.content_hash[:32]}-openvino-{openvino.__version__[:8].rstrip('-.')}"
        )
        cached = (folder / "model.xml").exists()
        if not cached:
            self._convert(folder)
        try:
            self._compile(folder)
        except RuntimeError as error:
            shutil.rmtree(folder, ignore_errors=True)
            if not cached:
                raise HostError(errors.MODEL_NOT_LOADED, f"OpenVINO cannot compile the model: {error}") from error
            log.write("damaged cache", folder=str(folder), error=str(error))
            self.load()

    def _compile(self, folder: Path) -> None:
        """Make the model ready from the cache; what is compiled is kept there too, for the next start."""
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "CACHE_DIR": str(folder / "compiled"),
            "INFERENCE_PRECISION_HINT": PRECISION[self._device.dtype],
        }
        if self._settings.threads:
            options["INFERENCE_NUM_THREADS"] = str(self._settings.threads)
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(folder / "model.xml"), "CPU", options)
        self._inputs = {port.get_any_name() for port in compiled.inputs}
        self._request = compiled.create_infer_request()

    def _convert(self, folder: Path) -> None:
        """Have a child process write the model's intermediate form, and move it into the cache in one step."""
        part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
        try:
            self._settings.cache.mkdir(parents=True, exist_ok=True)
            for left in self._settings.cache.glob("*.part"):  # by a host that ended while it converted
                if time.time() - left.stat().st_mtime > 2 * CONVERT_TIMEOUT_S:
                    shutil.rmtree(left, ignore_errors=True)
            part.mkdir()
            log.write("converting", model=str(self._files.folder), to=str(folder))
            command = [sys.executable, "-m", "pglore_host.convert", str(self._files.folder), str(part / "model.xml")]
            done = subprocess.run(command, capture_output=True, text=True, timeout=CONVERT_TIMEOUT_S, check=False)
            if done.returncode:
                log.write("conversion failed", stderr=done.stderr[-4000:])
                last = (done.stderr.strip().splitlines() or ["no word"])[-1]
                raise HostError(errors.MODEL_NOT_LOADED, f"the model cannot be converted for OpenVINO: {last}")
            try:
                part.rename(folder)
            except OSError:
                if not (folder / "model.xml").exists():
                    shutil.rmtree(folder, ignore_errors=True)
                    part.rename(folder)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HostError(
                errors.MODEL_NOT_LOADED,
                f"the model cannot be converted for OpenVINO: {error}",
                'Check that the folder "cache" of host.json can be written, and its disk has room.',
            ) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """See Engine.run."""
        inputs = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._inputs:
            inputs["token_type_ids"] = np.zeros_like(ids)
        return self._request.infer(inputs, share_inputs=True, share_outputs=True)[0]

    def unload(self) -> None:
        """See Engine.unload."""
        self._request = None
