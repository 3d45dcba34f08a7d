"""decided: who has decided so far about a condition or labels, of what the host remembers."""

from ..arguments import choice
from ..registry import Registry
from .classify import asked_of
from .deciding import shares
from .matches import asking


async def decided(registry: Registry, arguments: dict) -> dict:
    """{"examples", "by_embedding", "by_model"} of the question that a call of matches or classify asks.

    raises  HostError LO101, LO102, LO103, LO201, LO204, LO206, LO301
    """
    is_condition = choice(arguments, "operator", ("matches", "classify"), "matches") == "matches"
    return await shares(registry, arguments, asking(arguments) if is_condition else asked_of(arguments))
