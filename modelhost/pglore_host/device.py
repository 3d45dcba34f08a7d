"""Devices: what there is, what is chosen, and why; found without importing torch, which takes seconds."""

import ctypes
import functools
import importlib.util
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from . import errors
from .errors import HostError
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Device:
    """Where and how a model runs, and the reason in words."""

    kind: str  # cpu, cuda, mps
    engine: str  # openvino, torch
    dtype: str  # float32, bfloat16, float16
    reason: str


def choose(settings: Settings) -> Device:
    """The device that settings ask for, or the best there is.

    raises  HostError LO204 when what was asked for is missing: there is no silent fallback
    """
    cuda = _cuda_devices()
    if settings.device == "cuda" and not cuda:
        raise HostError(
            errors.MODEL_NOT_LOADED,
            'host.json asks for the device "cuda", but the NVIDIA driver shows no GPU',
            'Set "device" to "auto" or "cpu", or make the GPU visible to the server\'s account.',
        )
    if settings.device == "mps" and not _has_mps():
        raise HostError(errors.MODEL_NOT_LOADED, 'host.json asks for the device "mps", but this is no Apple silicon')
    if settings.device == "cuda" or (settings.device == "auto" and cuda):
        why = "asked for in host.json" if settings.device == "cuda" else f"{cuda} NVIDIA GPU(s) found"
        return Device("cuda", "torch", "float16" if settings.dtype == "auto" else settings.dtype, why)
    if settings.device == "mps" or (settings.device == "auto" and _has_mps()):
        return Device("mps", "torch", "float32" if settings.dtype == "auto" else settings.dtype, "Apple silicon found")
    why = "asked for in host.json" if settings.device == "cpu" else "no GPU found"
    return _cpu(settings, why)


def _cpu(settings: Settings, why: str) -> Device:
    engine = settings.engine
    if engine == "auto":
        engine = "openvino" if importlib.util.find_spec("openvino") else "torch"
    flags = cpu_flags()
    found = sorted(flags & {"avx512_bf16", "amx_bf16"})
    # bfloat16 pays only in hardware: emulated it was measured at 1/100 of the speed of float32.
    if settings.dtype == "auto":
        dtype = "bfloat16" if found and engine == "openvino" else "float32"
        why += f"; {dtype} because the CPU has {found[0] if found else 'no bfloat16 instructions'}"
    else:
        dtype = settings.dtype
        why += f"; {dtype} asked for in host.json"
        if dtype == "float16":
            raise HostError(
                errors.MODEL_NOT_LOADED,
                'host.json asks for "float16", which no engine runs on a CPU',
                'Set "dtype" to "auto", "float32" or "bfloat16".',
            )
    return Device("cpu", engine, dtype, why)


@functools.cache
def cpu_flags() -> frozenset[str]:
    """Instruction sets of this CPU as Linux names them; empty elsewhere."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("flags", "Features")):
                return frozenset(line.partition(":")[2].split())
    except OSError:
        pass
    return frozenset()


@functools.cache
def _cuda_devices() -> int:
    """Number of GPUs the NVIDIA driver shows to this process."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    except (OSError, AttributeError):
        pass
    return 0


def _has_mps() -> bool:
    return sys.platform == "darwin" and platform.machine() == "arm64"
