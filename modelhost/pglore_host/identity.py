"""identity: what the results of an operation are known by in the result cache, for who may have them."""

import hashlib
import json

from . import __version__
from .arguments import integer, number, optional_text, text
from .entry import Entry
from .registry import Registry

TASKS = {
    **{"embed": ("embed",), "rerank": ("rerank",)},
    **dict.fromkeys(("generate", "chat", "answer", "standalone"), ("generate",)),
}
OF_OPERATORS = ("embed", "generate")  # what one may ask: it decides itself


async def identity(registry: Registry, arguments: dict) -> dict:
    """Alias, fingerprint and whether the same call gives the same result.

    raises  HostError 42501 for a model that the caller may not use, LO103, LO201
    """
    op = text(arguments, "op", limit=100)
    tasks = TASKS.get(op, OF_OPERATORS)
    named = {
        task: optional_text(arguments, "embedder" if task == "embed" and op not in TASKS else "model") for task in tasks
    }
    entries = [registry.allowed(alias, task) for task, alias in named.items()]
    parts = [__version__, *(_parts(registry, entry) for entry in entries)]
    temperature, seed = number(arguments, "temperature", 0, 2), integer(arguments, "seed", 0, 1 << 63)
    of_server = temperature is None and registry.worker(entries[-1]).origin.kind == "remote"
    writes = registry.worker(entries[-1]).task == "generate"
    return {
        "model": entries[-1].alias,
        "fingerprint": hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest(),
        "repeatable": not writes or seed is not None or (not temperature and not of_server),
    }


def _parts(registry: Registry, entry: Entry) -> list:
    """What decides the results of an alias: files, options and number format; of a server what is known of it here."""
    worker, model = registry.behind(entry)
    device = None if worker.origin.kind == "remote" else model.device.dtype
    own = [[one.alias, one.source, one.task, one.content_hash, dict(one.options)] for one in (entry, worker)]
    return [*own, device]
