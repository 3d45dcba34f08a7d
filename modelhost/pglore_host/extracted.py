"""The extractive generator at work: its plan, the embedder's view of the passages, its answer."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from . import errors, extractive, prompt
from .entry import Use
from .errors import HostError
from .generation.request import GenerationRequest
from .model import Model
from .pooling import unit

HINT = "Register a language model with lore.add_model and pass its alias as model, or make it the default."


async def answer(use: Use, request: GenerationRequest) -> dict:
    """An answer with its citations and usage; a conversation's last message is the prompt.

    raises  HostError LO206 for what only a language model can do
    """
    asked = request.constraint.kind if request.constraint else "tools" if request.tools else "stop"
    if request.constraint or request.tools or request.stop:
        why = f'the model "{use.entry.alias}" quotes its sources and writes nothing itself: it cannot keep to {asked}'
        raise HostError(errors.UNKNOWN_ENGINE, why, HINT)
    text = request.messages[-1]["content"]
    plan = await asyncio.to_thread(extractive.plan, text)
    return await _found(use, plan, [text], request.max_tokens)


async def quoted(use: Use, question: str, texts: Sequence[str]) -> dict:
    """An answer to a question from texts, which its citations number from 1."""
    sources = [prompt.Source(number, text) for number, text in enumerate(texts, 1)]
    plan = await asyncio.to_thread(extractive.plan_of, question, sources)
    return await _found(use, plan, [question, *texts], None)


async def _found(use: Use, plan: extractive.Plan, read: Sequence[str], max_tokens: int | None) -> dict:
    """read: the texts that count as the prompt."""
    states = await states_of(use.model, plan.units)
    found = await asyncio.to_thread(extractive.finish, plan, states, max_tokens=max_tokens)
    counts = await use.model.encode([*read, found.text])
    return {
        "text": found.text,
        "citations": [asdict(citation) for citation in found.citations],
        "usage": {"prompt_tokens": sum(map(len, counts[:-1])), "completion_tokens": len(counts[-1])},
        "finish_reason": found.finish_reason,
        "reason": found.reason,
    }


async def states_of(model: Model, units: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each text its token states (L, D) and its vector (D,), unit rows; a long one is read in windows."""
    windows, owners = [], []
    for number, ids in enumerate(await model.encode(units)):
        parts = model.tokenizer.windows(ids)
        windows += parts
        owners += [number] * len(parts)
    found = await model.states(windows, "interactive", lambda states, vector: (states, vector.copy()))
    if len(windows) == len(units):
        return found
    grouped: list[list] = [[] for _ in units]
    for owner, pair in zip(owners, found, strict=True):
        grouped[owner].append(pair)
    return [
        (
            np.concatenate([states for states, _ in group]),
            unit(
                np.average([vector for _, vector in group], axis=0, weights=[len(states) or 1 for states, _ in group])
            ),
        )
        for group in grouped
    ]
