"""Devices: what there is, what is chosen, and why; found without importing torch, which takes seconds."""

import ctypes
import functools
import importlib.util
import platform
import sys
from collections.abc import Mapping
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
    dtype: str  # float32, bfloat16, float16, int8
    reason: str


def choose(settings: Settings, options: Mapping[str, object] | None = None) -> Device:
    """The device that a model's options or else the settings ask for, or the best there is.

    raises  HostError LO204 when what was asked for is missing: there is no silent fallback
    """
    asked = {
        name: value if (value := (options or {}).get(name)) not in (None, "auto") else getattr(settings, name)
        for name in ("device", "engine", "dtype")
    }
    cuda = _cuda_devices()
    if asked["device"] == "cuda" and not cuda:
        raise _missing(
            'the device "cuda" is asked for, but the NVIDIA driver shows no GPU',
            'Set "device" to "auto" or "cpu", or make the GPU visible to the server\'s account.',
        )
    if asked["device"] == "mps" and not _has_mps():
        raise _missing(
            'the device "mps" is asked for, but this is no Apple silicon', 'Set "device" to "auto" or "cpu".'
        )
    # OpenVINO and int8 run on the CPU only, so asking for one of them is asking for the CPU.
    on_cpu = asked["device"] == "cpu" or asked["engine"] == "openvino" or asked["dtype"] == "int8"
    if on_cpu and asked["device"] in ("cuda", "mps"):
        what = "int8" if asked["dtype"] == "int8" else "the engine openvino"
        raise _missing(f"{what} runs on the CPU only, and the device {asked['device']} is asked for")
    if not on_cpu and (asked["device"] == "cuda" or (asked["device"] == "auto" and cuda)):
        return _gpu("cuda", "float16", asked, f"{cuda} NVIDIA GPU(s) found")
    if not on_cpu and (asked["device"] == "mps" or (asked["device"] == "auto" and _has_mps())):
        return _gpu("mps", "float32", asked, "Apple silicon found")
    return _cpu(asked, "no GPU found" if not on_cpu else "asked for")


def _gpu(kind: str, usual: str, asked: dict, found: str) -> Device:
    why = "asked for" if asked["device"] == kind else found
    return Device(kind, "torch", usual if asked["dtype"] == "auto" else asked["dtype"], why)


def _cpu(asked: dict, why: str) -> Device:
    engine, dtype = asked["engine"], asked["dtype"]
    if engine == "auto":
        engine = "openvino" if importlib.util.find_spec("openvino") else "torch"
    if dtype == "float16":
        raise _missing('"float16" is asked for, which no engine runs on a CPU', 'Set "dtype" to "auto" or "float32".')
    if dtype == "int8" and engine != "openvino":
        raise _missing('"int8" is asked for, which only the engine openvino runs', 'Set "engine" to "openvino".')
    # bfloat16 pays only in hardware: emulated it was measured at 1/100 of the speed of float32.
    found = sorted(cpu_flags() & {"avx512_bf16", "amx_bf16"})
    if dtype == "auto":
        dtype = "bfloat16" if found and engine == "openvino" else "float32"
        why += f"; {dtype} because the CPU has {found[0] if found else 'no bfloat16 instructions'}"
    elif dtype == "bfloat16" and not found:
        raise _missing(
            '"bfloat16" is asked for, and this CPU has no instructions for it', 'Set "dtype" to "auto" or "float32".'
        )
    else:
        why += f"; {dtype} asked for"
    return Device("cpu", engine, dtype, why)


def _missing(why: str, hint: str | None = None) -> HostError:
    return HostError(errors.MODEL_NOT_LOADED, why, hint)


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
