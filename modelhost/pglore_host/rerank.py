"""rerank: late interaction. The score of a document is the mean, over the query's tokens, of the best cosine that the
token finds among the document's tokens: ColBERT's MaxSim (arXiv:2004.12832) with the embedder's own token states.

Letters: Q query tokens, L tokens of a window, D model width.
"""

from functools import partial

import numpy as np

from . import errors
from .arguments import integer, optional_text, visible
from .errors import HostError
from .model import Model
from .registry import Registry

DOCUMENTS_LIMIT = 10_000
CHARACTERS_LIMIT = 8_000_000  # of all documents
WINDOWS_LIMIT = 8192
NOTHING = -1.0  # score of a document without a token: the lowest there is


async def rerank(registry: Registry, arguments: dict) -> list[dict]:
    """Places (from 1) and scores of documents, best first, ties in the order given; nulls are left out.

    raises  HostError LO101, LO102, LO103, LO201, LO302
    """
    query = visible(arguments, "query")
    documents = arguments.get("documents")
    if not isinstance(documents, list) or not all(entry is None or isinstance(entry, str) for entry in documents):
        raise HostError(errors.BAD_ARGUMENT, "documents must be a list of texts")
    if len(documents) > DOCUMENTS_LIMIT:
        raise HostError(
            errors.INPUT_TOO_LONG,
            f"{len(documents):,} documents are over the limit of {DOCUMENTS_LIMIT:,}",
            "Rerank the best few hundred candidates of a search.",
        )
    if (size := sum(len(entry) for entry in documents if entry)) > CHARACTERS_LIMIT:
        raise HostError(
            errors.INPUT_TOO_LONG,
            f"the documents are {size:,} characters, over the limit of {CHARACTERS_LIMIT:,}",
            "Rerank fewer or shorter documents.",
        )
    top_k = integer(arguments, "top_k", 1, 1 << 31)
    places = [place for place, entry in enumerate(documents, 1) if entry is not None]
    async with registry.use(optional_text(arguments, "model"), "rerank") as use:
        score = use.model.scores if use.entry.origin.kind != "builtin" else partial(late_interaction, use.model)
        best = await score(query, [documents[place - 1] for place in places])
    ranked = sorted(zip(places, best, strict=True), key=lambda pair: (-pair[1], pair[0]))
    return [{"ordinal": place, "score": score} for place, score in ranked[:top_k]]


async def late_interaction(model: Model, query: str, documents: list[str]) -> list[float]:
    """Late-interaction score of each document, -1 to 1; long ones are read in windows."""
    ids = await model.encode([query, *documents])
    if not len(ids[0]):
        raise HostError(errors.EMPTY_INPUT, "query is empty")
    windows, owners = [], []
    for number, entry in enumerate(ids[1:]):
        parts = model.tokenizer.windows(entry) if len(entry) else []
        windows += parts
        owners += [number] * len(parts)
    if len(windows) > WINDOWS_LIMIT:
        raise HostError(
            errors.INPUT_TOO_LONG,
            f"the documents take {len(windows):,} windows, over the limit of {WINDOWS_LIMIT:,}",
            "Rerank fewer or shorter documents.",
        )
    asked = np.concatenate(
        await model.states(model.tokenizer.windows(ids[0]), "interactive", lambda states, _: states)
    )  # (Q, D)
    best = np.full((len(documents), len(asked)), NOTHING, dtype=np.float32)
    found = await model.states(windows, "interactive", lambda states, _: (asked @ states.T).max(axis=1))
    for owner, row in zip(owners, found, strict=True):
        np.maximum(best[owner], row, out=best[owner])
    return best.mean(axis=1, dtype=np.float64).tolist()
