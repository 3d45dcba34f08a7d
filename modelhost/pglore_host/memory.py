"""Memory of the devices: a budget each; models that nobody uses leave before a new one is turned away."""

import asyncio
import ctypes
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import errors, log
from .errors import HostError
from .settings import Settings

if TYPE_CHECKING:
    from .model import Model

ROOM_WAIT_S = 10  # how long a load waits for a model in use to become free
SHARE = {"cpu": 0.5, "mps": 0.5, "cuda": 0.8}  # of the device's memory, where host.json sets no budget
HINT = 'Unload another model, or raise "memory" in host.json: {"memory": {"cpu": "8GB"}}.'


class Memory:
    """Keeps the loaded models of each device within its budget."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._models: list[Model] = []
        self._reserved: dict[Model, int] = {}  # loads under way, by what they will take
        self._freed = asyncio.Event()
        self._budgets: dict[str, int] = {}

    def watch(self, model: "Model") -> None:
        """Count a model from now on."""
        self._models.append(model)

    def forget(self, model: "Model") -> None:
        """Count a model no longer; a remote one never counted."""
        if model in self._models:
            self._models.remove(model)

    def budget(self, kind: str) -> int:
        """Bytes that models may take on a device."""
        if kind not in self._budgets:
            given = self._settings.memory.get(kind)
            self._budgets[kind] = int(device_bytes(kind) * SHARE[kind]) if given is None else given
        return self._budgets[kind]

    def used(self, kind: str) -> int:
        """Bytes that the loaded models and the loads under way take on a device."""
        loaded = sum(m.memory_bytes or 0 for m in self._models if m.device.kind == kind and m not in self._reserved)
        return loaded + sum(size for m, size in self._reserved.items() if m.device.kind == kind)

    async def reserve(self, model: "Model") -> None:
        """Make room for a model that is about to load: the least recently used idle ones leave.

        raises  HostError LO303 when it is larger than the budget, or those in use leave too little for too long
        """
        kind, needs = model.device.kind, model.files.needs_bytes(model.device.dtype)
        budget = self.budget(kind)
        if needs > budget:
            raise HostError(
                errors.OUT_OF_MEMORY,
                f"it needs {shown(needs)}, and models may take {shown(budget)} on the device {kind}",
                HINT,
            )
        deadline = time.monotonic() + ROOM_WAIT_S
        while (used := self.used(kind)) + needs > budget:
            idle = [m for m in self._models if m.device.kind == kind and m.state == "ready" and not m.uses]
            if idle:
                leaving = min(idle, key=lambda m: m.used_at)
                log.write("model leaves", alias=leaving.alias, makes_room_for=model.alias)
                await leaving.unload()
                continue
            self._freed.clear()
            try:
                await asyncio.wait_for(self._freed.wait(), max(0, deadline - time.monotonic()))
            except TimeoutError:
                raise HostError(
                    errors.OUT_OF_MEMORY,
                    f"it needs {shown(needs)}, and models in use take {shown(used)} of {shown(budget)} on {kind}",
                    HINT,
                ) from None
        self._reserved[model] = needs

    def settle(self, model: "Model") -> None:
        """The load has ended, well or not: what it measured counts from now on."""
        self._reserved.pop(model, None)
        self._freed.set()

    def released(self) -> None:
        """A request has let go of a model: one that waits for room may look again."""
        self._freed.set()

    async def unload_idle(self) -> None:
        """Unload what nobody has used for a while; runs for ever."""
        limit = self._settings.unload_after_s
        while limit:
            await asyncio.sleep(max(0.2, min(30, limit / 4)))
            now = time.monotonic()
            for model in list(self._models):
                if model.state == "ready" and not model.uses and now - model.used_at > limit:
                    await model.unload()


def device_bytes(kind: str) -> int:
    """Memory of a device, in bytes: of the machine or its container, or of the first GPU."""
    if kind == "cuda":
        driver, total, handle = ctypes.CDLL("libcuda.so.1"), ctypes.c_size_t(0), ctypes.c_int(0)
        if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(handle), 0):
            raise HostError(errors.MODEL_NOT_LOADED, "the NVIDIA driver shows no GPU")
        driver.cuDeviceTotalMem_v2(ctypes.byref(total), handle)
        return total.value
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        return min(machine, int(limit)) if limit != "max" else machine
    except (OSError, ValueError):
        return machine


def shown(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
