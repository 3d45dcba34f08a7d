"""matches: whether a condition, in words, holds for a text."""

from ..arguments import visible
from ..generation import Constraint
from ..registry import Registry
from . import prompts
from .batch import Batch
from .deciding import Question, decide, meets

CONDITION_CHARACTERS = 4000


def asking(arguments: dict) -> Question:
    """The question whether a condition holds; raises HostError LO101, LO102, LO103."""
    condition = visible(arguments, "condition", limit=CONDITION_CHARACTERS)
    return Question(
        key=("matches", condition),
        readings=[condition],
        labels=[condition],
        single=False,
        asked=lambda _: prompts.matches(condition),
        limit=lambda _: Constraint("choices", ["true", "false"]),
        heard=lambda _, answer: [0] if answer == "true" else [],
        alone=meets,
    )


async def matches(registry: Registry, arguments: dict) -> list[dict]:
    """{"matches", "score", "decided_by"} of each input; of a long one, read in windows, one that matches is enough.

    raises  HostError LO101, LO102, LO103, LO201, LO204, LO206, LO301, LO302, LO303
    """
    batch = Batch(arguments)
    question = asking(arguments)
    decided = await decide(registry, arguments, batch, question)
    batch.put(
        batch.open,
        (
            {
                "matches": bool(decided.answers[place, 0]),
                "score": round(float(decided.chances[place, 0]), 4),
                "decided_by": decided.by[place],
                **({"alone": True} if decided.alone else {}),
            }
            for place in batch.open
        ),
    )
    return batch.answer()
