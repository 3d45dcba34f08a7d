"""The registry: aliases to models. A model is made when first named and loaded when first used.

Three aliases are pglore's own and need no network; what the operator adds (registrar.py) is kept in models.json.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from . import errors, files, log, metrics, options, sources, store
from .entry import EMBEDDER, OF_ALIAS, OWN, OWN_DEFAULTS, Entry, Use, of_model, shown
from .errors import HostError
from .files import ModelFiles
from .memory import Memory
from .metrics import Served
from .model import Model
from .policy import Policy
from .settings import Settings


class Registry:
    """Finds, loads and lends models."""

    def __init__(self, settings: Settings, policy: Policy | None = None) -> None:
        self.settings = settings
        self.policy = policy or Policy(settings.folder)
        self.memory = Memory(settings)
        self.entries: dict[str, Entry] = dict(OWN)
        self.defaults: dict[str, str] = dict(OWN_DEFAULTS)
        self.damage: str | None = None  # why models.json could not be read; it is not written over then
        self._models: dict[str, Model] = {}  # by what makes them different; a Remote among them looks the same
        self._found: dict[str, tuple[Entry, Entry, Model]] = {}  # by alias: entry, worker, model
        self._read()

    def _read(self) -> None:
        try:
            models, defaults = store.read(self.settings.folder)
            for row in models:
                entry = Entry(**row)
                options.admit(entry.alias, entry.task, entry.source, dict(entry.options))
                self.entries[entry.alias] = entry
            for task, alias in defaults.items():
                if alias in self.entries and self.entries[alias].task == task:
                    self.defaults[task] = alias
        except (ValueError, TypeError, AttributeError, HostError) as error:
            self.damage = str(error)
            self.entries, self.defaults = dict(OWN), dict(OWN_DEFAULTS)
            log.write("registry damaged", error=self.damage)

    def find(self, alias: str | None, task: str) -> Entry:
        """The entry of an alias, or the task's default for None.

        raises  HostError LO201
        """
        entry = self.entries.get(self.defaults[task] if alias is None else alias)
        if entry is not None and entry.task == task:
            return entry
        fitting = sorted(entry.alias for entry in self.entries.values() if entry.task == task)
        hint = f"Models for {task}: {', '.join(fitting)}."
        if entry is not None:
            raise HostError(errors.UNKNOWN_MODEL, f'the model "{alias}" is for {entry.task}, not for {task}', hint)
        raise HostError(errors.UNKNOWN_MODEL, f'there is no model "{shown(alias)}"', hint)

    def use(self, alias: str | None, task: str) -> "Hold":
        """`async with registry.use(alias, task) as use`: the model, loaded, and kept so for the time of the block.

        raises  HostError 42501, LO201, LO204, LO206, LO301, LO303
        """
        return Hold(self, self.allowed(alias, task))

    def allowed(self, alias: str | None, task: str) -> Entry:
        """As `find`, for who makes the request that is under way; raises HostError 42501 too."""
        entry = self.find(alias, task)
        metrics.named(entry.alias)
        self.policy.check(entry.alias, metrics.caller())
        return entry

    def local(self, alias: str | None) -> "Hold":
        """As `use` for an embedder, but for one with a tokenizer here: a remote one is stood in for by pglore's own."""
        entry = self.allowed(alias, "embed")
        return Hold(self, OWN[EMBEDDER] if entry.origin.kind == "remote" else entry)

    async def ready(self, entry: Entry, *, again: bool = False) -> Model:
        """The loaded model of an entry; raises HostError LO204, LO206, LO301, LO303 that name the alias."""
        try:
            model = self.behind(entry)[1]
            while model.state != "ready":
                started = time.perf_counter()
                await model.ready(again=again)
                metrics.part("load", started)
            return model
        except HostError as error:
            raise of_model(entry.alias, error) from error

    def behind(self, entry: Entry) -> tuple[Entry, Model]:
        """The entry whose model does the work, and that model, not necessarily loaded."""
        found = self._found.get(entry.alias)
        if found is None or found[0] is not entry:
            found = self._found[entry.alias] = (entry, self.worker(entry), self._model(self.worker(entry)))
        return found[1], found[2]

    def worker(self, entry: Entry) -> Entry:
        """The entry whose model does the work: a method of pglore's own borrows an embedder's."""
        if entry.origin.kind != "builtin":
            return entry
        return self.find(entry.options.get("embedder", EMBEDDER), "embed")

    def _model(self, worker: Entry) -> Model:
        """The model of an entry; aliases that differ in little share one."""
        own = {name: value for name, value in worker.options.items() if name not in OF_ALIAS}
        if worker.origin.kind == "remote":
            own = {"alias": worker.alias, **worker.options}
        key = json.dumps([worker.source, worker.task, worker.content_hash, own], sort_keys=True)
        if key not in self._models:
            self._models[key] = self._make(worker, own)
        return self._models[key]

    def _make(self, entry: Entry, own: dict) -> Model:
        if entry.origin.kind == "remote":
            from .remote import KINDS  # here: few hosts need an HTTP client

            return KINDS[entry.task](entry.alias, entry.task, entry.source, dict(entry.options), self.settings)
        chosen = replace(self.settings, **{name: own[name] for name in own if hasattr(self.settings, name)})
        if entry.task == "generate":
            from .generation.model import LanguageModel  # here: few hosts have one

            model: Model = LanguageModel(entry.alias, lambda: self.files(entry), chosen, self.memory, own)
        else:
            model = Model(entry.alias, lambda: self.files(entry), chosen, self.memory)
        self.memory.watch(model)
        return model

    def files(self, entry: Entry) -> ModelFiles:
        """Read and check the files of an entry; blocking. raises HostError LO204"""
        named = ("pooling", "window_tokens", "cache_tokens", "quantize")
        own = {name: entry.options[name] for name in named if name in entry.options}
        found = files.read(self.folder(entry), entry.task, **own)
        if entry.content_hash is not None:
            found.verify(entry.content_hash)
        return found

    def folder(self, entry: Entry) -> Path:
        """Where the files of an entry lie; raises HostError LO204."""
        origin = entry.origin
        if origin.kind == "package":
            return sources.package_folder(origin.name)
        if origin.kind == "hub":
            from .hub import folder

            return folder(self.settings.cache, origin.name, entry.options["revision"])
        return Path(origin.name)

    @property
    def models(self) -> list[Model]:
        """The models made so far."""
        return list(self._models.values())

    async def sweep(self) -> None:
        """Unload and forget the models that no alias stands for any longer; one in use is left to the idle limit."""
        self._found.clear()
        wanted = []
        for entry in self.entries.values():
            with suppress(HostError):  # one that asks for a device that is not there, say
                wanted.append(self.behind(entry)[1])
        for key, model in list(self._models.items()):
            if model not in wanted and not model.uses:
                del self._models[key]
                await model.unload()
                self.memory.forget(model)

    def release(self, model: Model) -> None:
        """A request has let go of a model."""
        model.uses -= 1
        model.used_at = time.monotonic()
        if not model.uses:
            self.memory.released()

    def loaded(self) -> list[str]:
        """Aliases that can be used without loading anything."""
        return [entry.alias for entry in self.entries.values() if self._state(entry) == "ready"]

    def _state(self, entry: Entry) -> str:
        try:
            return self.behind(entry)[1].state
        except HostError:
            return "failed"

    def served(self) -> Iterator[Served]:
        """Each alias as lore.host_metrics shows it beside its requests."""
        for entry in list(self.entries.values()):
            try:
                worker, model = self.behind(entry)
            except HostError:
                yield Served(entry.alias, loaded=False)
                continue
            loaded = model.state == "ready"
            if worker.origin.kind == "remote":
                yield Served(entry.alias, loaded, "remote", queued={"interactive": model.waiting})
            elif entry is not worker:
                yield Served(entry.alias, loaded, model.device.kind)
            else:
                queue = model.queue
                yield Served(entry.alias, loaded, model.device.kind, model.memory_bytes, queue.queued, queue.usage)

    async def rows(self) -> list[dict]:
        """One row for each alias, as lore.models shows it; a model that cannot be read says why."""
        return list(await asyncio.gather(*map(self.row, list(self.entries.values()))))

    async def row(self, entry: Entry) -> dict:
        """The row of one alias."""
        is_default = self.defaults.get(entry.task) == entry.alias
        row: dict = {"alias": entry.alias, "task": entry.task, "is_default": is_default, "state": "failed"}
        try:
            worker, model = self.behind(entry)
            about = None if worker.origin.kind == "remote" else await model.inspected()
        except HostError as error:
            return {**row, "error": error.message}
        row |= {"state": model.state, "error": model.error and model.error.message}
        if about is None:
            return {**row, **model.row()}
        use = Use(entry, worker, model)
        row |= {
            "device": model.device.kind,
            "device_reason": model.device.reason,
            "dtype": model.device.dtype,
            "engine": "builtin",
            "window_tokens": about.window_tokens,
            "fingerprint": use.fingerprint,
        }
        if entry is worker:
            row |= {"engine": model.device.engine, "memory_bytes": model.memory_bytes, "quality": model.quality}
        if entry.task == "embed":
            row["dimensions"] = use.dimensions or about.dimensions
        return row


class Hold:
    """The block of `Registry.use`."""

    __slots__ = ("_entry", "_model", "_registry")

    def __init__(self, registry: Registry, entry: Entry) -> None:
        self._registry, self._entry = registry, entry

    async def __aenter__(self) -> Use:
        metrics.named(self._entry.alias)
        self._model = await self._registry.ready(self._entry)
        self._model.uses += 1
        return Use(self._entry, self._registry.behind(self._entry)[0], self._model)

    async def __aexit__(self, *problem: object) -> None:
        self._registry.release(self._model)
