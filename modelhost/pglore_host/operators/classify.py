"""classify: which of some labels fits a text, or which of them do."""

import json
from typing import Any

import numpy as np

from .. import errors
from ..arguments import flag, optional_text
from ..errors import HostError
from ..generation import Constraint
from ..registry import Registry
from . import prompts
from .batch import Batch
from .deciding import Question, decide, meets, nearest
from .reading import Nearness

LABELS_LIMIT = 10_000
LABEL_CHARACTERS = 500
LABELS_CHARACTERS = 400_000  # of all labels
DESCRIPTION_CHARACTERS = 2000
CHOSEN_LIMIT = 50  # labels of one text
SCORES = 20  # of the labels that come with a result: the nearest


async def classify(registry: Registry, arguments: dict) -> list[dict]:
    """{"labels", "scores", "decided_by"} of each input: the labels that were given it, and how near the nearest are.

    raises  HostError LO101, LO102, LO103, LO201, LO204, LO206, LO301, LO302, LO303
    """
    batch = Batch(arguments)
    question = asked_of(arguments)
    names = list(question.labels)
    decided = await decide(registry, arguments, batch, question)
    batch.put(
        batch.open,
        (
            {
                "labels": _chosen(names, decided.answers[place], decided.chances[place]),
                "scores": _scores(names, decided.answers[place], decided.chances[place]),
                "decided_by": decided.by[place],
                **({"alone": True} if decided.alone else {}),
            }
            for place in batch.open
        ),
    )
    return batch.answer()


def asked_of(arguments: dict) -> Question:
    """The question that a call asks; raises HostError LO102, LO103."""
    names = labels(arguments.get("labels"))
    meanings = descriptions(arguments.get("descriptions"), len(names))
    return asking(names, meanings, optional_text(arguments, "instruction"), flag(arguments, "multiple"))


def asking(
    names: list[str],
    meanings: list[str | None] | None,
    instruction: str | None,
    several: bool,
    near: Nearness | None = None,
) -> Question:
    """The question which of some labels fit."""

    def asked(places: list[int]) -> str:
        own = [meanings[place] for place in places] if meanings else None
        return prompts.classify([names[place] for place in places], own, instruction, several)

    def limit(places: list[int]) -> Constraint:
        shown = [names[place] for place in places]
        if not several:
            return Constraint("choices", shown)
        most = min(len(shown), CHOSEN_LIMIT)
        return Constraint("schema", {"type": "array", "items": {"enum": shown}, "maxItems": most})

    def heard(places: list[int], answer: str) -> list[int]:
        by_name = {names[place]: place for place in places}
        given = json.loads(answer) if several else [answer]
        return sorted({by_name[name] for name in given})

    return Question(
        key=("classify", names, meanings, instruction, several),
        readings=[f"{name}: {meaning}" if meaning else name for name, meaning in zip(names, meanings, strict=True)]
        if meanings
        else names,
        labels=names,
        single=not several,
        asked=asked,
        limit=limit,
        heard=heard,
        alone=meets if several else nearest,
        near=near,
    )


def labels(given: Any) -> list[str]:
    """Labels, checked; raises HostError LO102, LO103."""
    if not isinstance(given, list) or not given:
        raise HostError(
            errors.BAD_ARGUMENT, "labels is empty", "Pass an array of labels, such as '{billing,delivery}'."
        )
    if len(given) > LABELS_LIMIT or sum(len(label) for label in given if isinstance(label, str)) > LABELS_CHARACTERS:
        raise HostError(
            errors.INPUT_TOO_LONG,
            f"{len(given):,} labels are over the limit of {LABELS_LIMIT:,}, or of {LABELS_CHARACTERS:,} characters",
            "Classify into groups of labels first, then within a group.",
        )
    for place, label in enumerate(given, 1):
        if not isinstance(label, str) or not label.strip() or len(label) > LABEL_CHARACTERS:
            why = f"label {place} is no text of 1 to {LABEL_CHARACTERS} visible characters"
            raise HostError(errors.BAD_ARGUMENT, why)
    seen: set[str] = set()
    for label in given:
        if label in seen:
            shown = label if len(label) <= 60 else label[:57] + "..."
            raise HostError(errors.BAD_ARGUMENT, f'the label "{shown}" is there twice', "Name each label once.")
        seen.add(label)
    return given


def descriptions(given: Any, count: int) -> list[str | None] | None:
    """What the labels mean, one for each, checked; raises HostError LO103."""
    if given is None:
        return None
    fits = isinstance(given, list) and len(given) == count
    if not fits or not all(
        text is None or (isinstance(text, str) and len(text) <= DESCRIPTION_CHARACTERS) for text in given
    ):
        why = f"descriptions must hold NULL or a text of at most {DESCRIPTION_CHARACTERS:,} characters for each label"
        raise HostError(errors.BAD_ARGUMENT, why)
    return [text if text and text.strip() else None for text in given]


def _chosen(names: list[str], answers: np.ndarray, chances: np.ndarray) -> list[str]:
    """The labels of a text, the nearest first."""
    places = np.flatnonzero(answers)
    return [names[place] for place in places[np.argsort(-chances[places], kind="stable")]]


def _scores(names: list[str], answers: np.ndarray, chances: np.ndarray) -> dict[str, float]:
    """How near the labels are that a text was given, and those nearest to it."""
    places = [*np.argsort(-chances, kind="stable")[:SCORES], *np.flatnonzero(answers)]
    return {names[place]: round(float(chances[place]), 4) for place in places}
