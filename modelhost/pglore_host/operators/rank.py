"""rank: how far each text has a quality that is described, for ORDER BY."""

import numpy as np

from ..arguments import optional_text, visible
from ..errors import HostError
from ..generation import Constraint
from ..registry import Registry
from . import prompts
from .batch import Batch
from .reading import Nearness, Reader
from .writing import alone, writer

QUALITY_CHARACTERS = 4000
GRADES = 10
GRADE = Constraint("choices", [str(grade) for grade in range(GRADES + 1)])
ANSWER_TOKENS = 8


async def rank(registry: Registry, arguments: dict) -> list[dict]:
    """{"score" (0 to 1), "decided_by"} of each input: the model's grade, and within a grade the embedding's order.

    raises  HostError LO101, LO102, LO103, LO201, LO204, LO206, LO301, LO302, LO303
    """
    batch = Batch(arguments)
    quality = visible(arguments, "quality", limit=QUALITY_CHARACTERS)
    places = batch.open
    async with registry.use(optional_text(arguments, "embedder"), "embed") as use:
        reader = Reader(use, batch.lane)
        near_to = await Nearness.of(reader, [quality])
        vectors = await reader.vectors([batch.texts[place] for place in places])
    near = [vector if isinstance(vector, HostError) else _near(near_to, vector) for vector in vectors]
    async with writer(registry, arguments, batch.lane) as model:
        if model is None:
            told = {"alone": True} if alone(arguments) else {}
            batch.put(places, (_result(one, "embedding", **told) for one in near))
            return batch.answer()
        instruction = prompts.rank(quality, GRADES)
        room = await model.room(instruction, ANSWER_TOKENS)
        questions, owners = [], []
        for number, place in enumerate(places):
            for piece in await model.pieces(registry, batch.texts[place], room):
                questions.append((prompts.conversation(instruction, piece), GRADE, ANSWER_TOKENS))
                owners.append((number, len(piece)))
        grades: list = [[] for _ in places]
        for (number, size), answer in zip(owners, await model.ask(questions), strict=True):
            grades[number].append((answer, size))
    batch.put(places, (_graded(grade, one) for grade, one in zip(grades, near, strict=True)))
    return batch.answer()


def _near(near_to: Nearness, vector: np.ndarray) -> float:
    deviations = near_to.deviations(near_to.of_texts(vector[None]))
    return float(1 / (1 + np.exp(-(deviations[0, 0] - 2.5))))


def _result(score: float | HostError, by: str, **told: bool) -> object:
    return score if isinstance(score, HostError) else {"score": round(score, 5), "decided_by": by, **told}


def _graded(grades: list, near: float | HostError) -> object:
    """The mean grade of a text's pieces, and behind it the embedding's word."""
    for grade, _ in grades:
        if isinstance(grade, HostError):
            return grade
    mean = sum(int(grade) * size for grade, size in grades) / max(1, sum(size for _, size in grades))
    within = 0.5 if isinstance(near, HostError) else near
    return _result((mean + 0.99 * within) / (GRADES + 1), "model")
