"""generate: the extractive generator, which answers with sentences of the sources in the prompt."""

import asyncio
from dataclasses import asdict

import numpy as np

from .arguments import integer, optional_text, visible
from .model import Model
from .pooling import unit
from .registry import Registry

PROMPT_LIMIT = 1_000_000  # characters
TOKENS_LIMIT = 1 << 20


async def generate(registry: Registry, arguments: dict) -> dict:
    """An answer with its citations and usage; raises HostError LO101, LO102, LO103, LO201, LO302."""
    from . import extractive

    prompt = visible(arguments, "prompt", limit=PROMPT_LIMIT)
    optional_text(arguments, "system")  # an instruction: there is nobody in the extractive generator to instruct
    max_tokens = integer(arguments, "max_tokens", 1, TOKENS_LIMIT)
    async with registry.use(optional_text(arguments, "model"), "generate") as use:
        plan = await asyncio.to_thread(extractive.plan, prompt)
        states = await _states(use.model, plan.units)
        answer = await asyncio.to_thread(extractive.finish, plan, states, max_tokens=max_tokens)
        counts = await use.model.encode([prompt, answer.text])
    return {
        "text": answer.text,
        "citations": [asdict(citation) for citation in answer.citations],
        "usage": {"prompt_tokens": len(counts[0]), "completion_tokens": len(counts[1])},
        "finish_reason": answer.finish_reason,
        "reason": answer.reason,
        "model": use.entry.alias,
    }


async def _states(model: Model, units: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
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
