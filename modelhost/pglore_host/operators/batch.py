"""The inputs of an operator, checked, and what has become of each.

A result is a dict. One input that cannot be read fails alone: {"error": {"code", "message", "hint"}} stands in its
place, and the SQL function raises it with the input's place in the array.
"""

from collections.abc import Iterable
from typing import Any

from .. import errors
from ..errors import HostError

INPUTS_LIMIT = 5000  # of a request; lore._operate sends more in several
INPUT_CHARACTERS = 1_000_000
CHARACTERS_LIMIT = 16_000_000  # of all inputs
BULK_INPUTS = 16  # so many at once wait behind single ones


class Batch:
    """N inputs and their results."""

    def __init__(self, arguments: dict, name: str = "inputs") -> None:
        """Raises HostError LO102 for too many, LO103 for what is no list of texts."""
        texts = arguments.get(name)
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise HostError(errors.BAD_ARGUMENT, f"{name} must be a list of texts")
        if len(texts) > INPUTS_LIMIT or sum(map(len, texts)) > CHARACTERS_LIMIT:
            why = f"a request is over {INPUTS_LIMIT:,} inputs or {CHARACTERS_LIMIT:,} characters"
            raise HostError(errors.INPUT_TOO_LONG, why)
        self.texts: list[str] = texts
        self.results: list[Any] = [None] * len(texts)
        self.lane = "bulk" if len(texts) >= BULK_INPUTS else "interactive"
        for place, text in enumerate(texts):
            if not text or text.isspace():
                self.results[place] = HostError(errors.EMPTY_INPUT, "the text is empty")
            elif len(text) > INPUT_CHARACTERS:
                why = f"the text is {len(text):,} characters, over the limit of {INPUT_CHARACTERS:,}"
                self.results[place] = HostError(errors.INPUT_TOO_LONG, why)

    @property
    def open(self) -> list[int]:
        """Places of the inputs without a result."""
        return [place for place, result in enumerate(self.results) if result is None]

    def put(self, places: Iterable[int], results: Iterable[Any]) -> None:
        """Results, or errors, of inputs."""
        for place, result in zip(places, results, strict=True):
            self.results[place] = result

    def answer(self) -> list[dict]:
        """The results as they are sent."""
        return [{"error": one.as_dict()} if isinstance(one, HostError) else one for one in self.results]
