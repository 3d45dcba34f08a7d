"""The registrar: adds and drops models, chooses defaults, loads and unloads on request. For the operator alone."""

import asyncio
import time
from dataclasses import asdict, replace

from . import errors, log, options, sources, store
from .entry import OWN, OWN_DEFAULTS, Entry, of_model, shown
from .errors import HostError
from .files import ModelFiles
from .registry import Registry
from .tokenizer import ModelTokenizer


class Registrar:
    """Changes a registry, one change at a time, and keeps it on disk."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._changing = asyncio.Lock()

    def sources(self) -> list[dict]:
        """What the operator sees of each alias: source, options, hash of the files, time of adding."""
        return [asdict(entry) for entry in self._registry.entries.values()]

    async def add(self, alias: str, task: str, source: str, given: dict, *, replacing: bool = False) -> dict:
        """Register a model after a look at its files; it is loaded when first used.

        returns  its row
        raises   HostError LO103, LO204, LO206, LO301
        """
        entry = Entry(alias, task, source, options.admit(alias, task, source, given))
        self._fits(entry)
        async with self._changing:
            self._writable()
            if alias in self._registry.entries and not replacing:
                raise HostError(
                    errors.BAD_ARGUMENT,
                    f'there is a model "{alias}" already',
                    "Drop it first, or pass replace => true.",
                )
            if entry.origin.is_local:
                entry = await self._checked(entry)
            entry = replace(entry, added_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
            self._stays_fit(entry)
            await self._write({**self._registry.entries, alias: entry}, self._registry.defaults)
        log.write("model added", alias=alias, task=task, source=source)
        return await self._registry.row(entry)

    def _fits(self, entry: Entry) -> None:
        """Whether source, task and embedder go together; raises HostError LO103, LO201."""
        origin = entry.origin
        if origin.kind != "builtin":
            return
        if (task := sources.BUILTIN[origin.name]) != entry.task:
            raise HostError(errors.BAD_ARGUMENT, f"{origin.name} is for {task}, not for {entry.task}")
        if self._registry.worker(entry).origin.kind == "remote":
            raise HostError(errors.BAD_ARGUMENT, f"{origin.name} needs an embedder that runs here, not a remote one")

    def _stays_fit(self, entry: Entry) -> None:
        """A model that others borrow stays an embedder that runs here; raises HostError LO103."""
        users = self._users(entry.alias)
        if users and (entry.task != "embed" or not entry.origin.is_local):
            raise HostError(errors.BAD_ARGUMENT, f'"{entry.alias}" is the embedder of {users}', "Drop those first.")
        before = self._registry.entries.get(entry.alias)
        if before is not None and before.task != entry.task:
            raise HostError(errors.BAD_ARGUMENT, f'"{entry.alias}" is for {before.task}', "Drop it first.")

    def _users(self, alias: str) -> str:
        return ", ".join(e.alias for e in self._registry.entries.values() if e.options.get("embedder") == alias)

    async def _checked(self, entry: Entry) -> Entry:
        """The entry with the hash of its files, which are fetched where they come from a hub."""
        try:
            if entry.origin.kind == "hub":
                from .hub import download

                await download(self._registry.settings, entry.origin.name, dict(entry.options))
            found = await asyncio.to_thread(self._registry.files, entry)
            content_hash = await asyncio.to_thread(lambda: found.content_hash)
            await asyncio.to_thread(_tokenizer, found)
        except HostError as error:
            raise of_model(entry.alias, error) from error
        if entry.options.get("dimensions", 0) > found.dimensions:
            why = f"the option dimensions must be from 1 to {found.dimensions}, what the model makes"
            raise HostError(errors.BAD_ARGUMENT, why)
        return replace(entry, content_hash=content_hash)

    async def drop(self, alias: str, *, missing_ok: bool = False) -> bool:
        """Forget a model; requests that hold it finish.

        returns  whether it was there
        raises   HostError LO103, LO201
        """
        async with self._changing:
            if alias in OWN:
                raise HostError(errors.BAD_ARGUMENT, f'"{alias}" is pglore\'s own model, which stays')
            if missing_ok and alias not in self._registry.entries:
                return False
            task = self._known(alias).task
            if users := self._users(alias):
                raise HostError(errors.BAD_ARGUMENT, f'"{alias}" is the embedder of {users}', "Drop those first.")
            entries = {name: entry for name, entry in self._registry.entries.items() if name != alias}
            defaults = dict(self._registry.defaults)
            if defaults[task] == alias:
                defaults[task] = OWN_DEFAULTS[task]
            self._writable()
            await self._write(entries, defaults)
            self._registry.policy.forget(alias)
        log.write("model dropped", alias=alias)
        return True

    async def set_default(self, alias: str) -> str:
        """Make a model the one that is taken when none is named.

        returns  its task
        raises   HostError LO201
        """
        async with self._changing:
            task = self._known(alias).task
            self._writable()
            await self._write(self._registry.entries, {**self._registry.defaults, task: alias})
        return task

    async def load(self, alias: str) -> dict:
        """Load a model now; returns its row. raises HostError LO201, LO204, LO206, LO301, LO303"""
        entry = self._known(alias)
        await self._registry.ready(entry, again=True)
        return await self._registry.row(entry)

    async def unload(self, alias: str) -> bool:
        """Give a model's memory back.

        returns  whether it was loaded
        raises   HostError LO201, LO302 while it is in use
        """
        model = self._registry.behind(self._known(alias))[1]
        if model.state != "ready":
            return False
        if model.uses:
            raise HostError(errors.HOST_BUSY, f'the model "{alias}" is in use by {model.uses} requests')
        await model.unload()
        return True

    async def _write(self, entries: dict, defaults: dict) -> None:
        """Put a change on disk, then in force."""
        rows = [asdict(entry) for entry in entries.values() if entry.alias not in OWN]
        await asyncio.to_thread(store.write, self._registry.settings.folder, rows, defaults)
        self._registry.entries, self._registry.defaults = entries, defaults
        await self._registry.sweep()

    def _writable(self) -> None:
        if self._registry.damage:
            why = f"the list of models is damaged: {self._registry.damage}"
            raise HostError(errors.BAD_ARGUMENT, why, "Mend or remove pglore/models.json, then stop the model host.")

    def _known(self, alias: str) -> Entry:
        if alias not in self._registry.entries:
            raise HostError(errors.UNKNOWN_MODEL, f'there is no model "{shown(alias)}"')
        return self._registry.entries[alias]


def _tokenizer(found: ModelFiles) -> None:
    """Open the tokenizer of a model as its loading does; raises HostError LO204."""
    if found.task == "generate":
        from .generation.chat import Chat  # here: few hosts have a language model
        from .generation.files import LanguageFiles

        assert isinstance(found, LanguageFiles)
        Chat(found)
    else:
        ModelTokenizer.of(found)
