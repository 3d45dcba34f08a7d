"""similarity_join: for each text of one array the texts of another that are most like it."""

from typing import Any

import numpy as np

from .. import errors
from ..arguments import integer, number, optional_text
from ..errors import HostError
from ..generation import Constraint
from ..registry import Registry
from . import prompts
from .batch import Batch
from .reading import Reader
from .writing import alone, writer

PARTNERS_LIMIT = 1000  # of one text
CONDITION_CHARACTERS = 4000
BLOCK = 512  # texts whose cosines are in memory at once
YES = Constraint("choices", ["true", "false"])
ANSWER_TOKENS = 16


async def similarity_join(registry: Registry, arguments: dict) -> list[dict]:
    """{"partners": [[place from 1, cosine], ...], "decided_by"} of each input, the most alike first.

    raises  HostError LO102, LO103, LO201, LO204, LO206, LO301, LO302, LO303
    """
    left, right = Batch(arguments), Batch(arguments, "partners")
    k = integer(arguments, "k", 1, PARTNERS_LIMIT, 1)
    least = number(arguments, "min_score", -1, 1, -1.0)
    condition = optional_text(arguments, "condition")
    if condition is not None and (not condition.strip() or len(condition) > CONDITION_CHARACTERS):
        raise HostError(errors.BAD_ARGUMENT, f"condition must be a text of 1 to {CONDITION_CHARACTERS:,} characters")
    for number_, failed in enumerate(right.results, 1):
        if failed:
            raise _of_right(number_, failed)
    places = left.open
    async with registry.use(optional_text(arguments, "embedder"), "embed") as use:
        reader = Reader(use, left.lane)
        others = await reader.vectors(right.texts)
        for number_, vector in enumerate(others, 1):
            if isinstance(vector, HostError):
                raise _of_right(number_, vector)
        vectors = await reader.vectors([left.texts[place] for place in places])
    good = [i for i, vector in enumerate(vectors) if not isinstance(vector, HostError)]
    found: list[Any] = list(vectors)
    beside = np.array(others, dtype=np.float32)
    for start in range(0, len(good), BLOCK):
        block = good[start : start + BLOCK]
        cosines = np.clip(np.array([vectors[i] for i in block], dtype=np.float32) @ beside.T, -1, 1)
        for i, row in zip(block, cosines, strict=True):
            best = np.argsort(-row, kind="stable")[:k]
            found[i] = [(int(place), float(row[place])) for place in best if row[place] >= least]
    by, told = "embedding", {}
    if condition is not None:
        async with writer(registry, arguments, left.lane) as model:
            if model is None:
                told = {"alone": True} if alone(arguments) else {}
            else:
                by = "model"
                await _confirm(model, condition, left, right, places, found)
    left.put(
        places,
        (
            one
            if isinstance(one, HostError)
            else {"partners": [[place + 1, round(score, 6)] for place, score in one], "decided_by": by, **told}
            for one in found
        ),
    )
    return left.answer()


async def _confirm(model: Any, condition: str, left: Batch, right: Batch, places: list[int], found: list) -> None:
    """Leave the pairs for which the model says that the condition holds."""
    instruction = prompts.join(condition)
    room = await model.room(instruction, ANSWER_TOKENS)
    pairs = [(i, pair) for i, one in enumerate(found) if not isinstance(one, HostError) for pair in one]
    questions = []
    for i, (place, _) in pairs:
        both = {"left": left.texts[places[i]], "right": right.texts[place]}
        if sum(map(len, both.values())) > room:  # each its half of the window: a token has a character at least
            both = {side: text[: room // 2] for side, text in both.items()}
        questions.append((prompts.conversation(instruction, prompts.said(both)), YES, ANSWER_TOKENS))
    kept: dict[int, Any] = {i: [] for i, _ in pairs}
    for (i, pair), answer in zip(pairs, await model.ask(questions), strict=True):
        if isinstance(answer, HostError):
            kept[i] = answer
        elif answer == "true" and not isinstance(kept[i], HostError):
            kept[i].append(pair)
    for i, one in kept.items():
        found[i] = one


def _of_right(number: int, error: HostError) -> HostError:
    """The error of a text that is no left one: it ends the call."""
    return HostError(error.code, f"element {number} of right_inputs (NULLs not counted): {error.message}", error.hint)
