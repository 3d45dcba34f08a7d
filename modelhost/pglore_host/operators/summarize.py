"""summarize: a shorter text that says what a text, or many texts, say.

A language model summarizes; what is beyond its window in parts, and then the parts' summaries, as often as it takes.
Without one the summary is made of the most central sentences.
"""

from typing import Any

from .. import errors, stopping
from ..arguments import integer, optional_text
from ..errors import HostError
from ..registry import Registry
from ..text import WORKERS
from . import central, groups, prompts
from .batch import Batch
from .reading import Reader
from .writing import Writer, alone, writer

WORDS, WORDS_LIMIT = 100, 2000
INSTRUCTION_CHARACTERS = 2000
TOKENS_OF_WORD = 2.5
ROUNDS = 8  # of summaries of summaries


async def summarize(registry: Registry, arguments: dict) -> list[dict]:
    """{"text", "decided_by"} of each input.

    raises  HostError LO101, LO102, LO103, LO201, LO204, LO301, LO302, LO303
    """
    return await _summaries(registry, arguments, Batch(arguments), "whole")


async def summarize_group(registry: Registry, arguments: dict) -> list[dict]:
    """The same of groups: each input is a JSON array of texts. In the stage "map" the result is {"parts": [text]}."""
    batch = Batch(arguments)
    return await _summaries(registry, arguments, batch, "many")


async def _summaries(registry: Registry, arguments: dict, batch: Batch, kind: str) -> list[dict]:
    words = integer(arguments, "max_words", 1, WORDS_LIMIT, WORDS)
    instruction = optional_text(arguments, "instruction")
    if instruction and len(instruction) > INSTRUCTION_CHARACTERS:
        raise HostError(errors.INPUT_TOO_LONG, f"instruction is over {INSTRUCTION_CHARACTERS:,} characters")
    mapping = groups.mapping(arguments)
    async with writer(registry, arguments, batch.lane) as model:
        for place in batch.open:
            texts = groups.texts(batch.texts[place]) if kind == "many" else [batch.texts[place]]
            try:
                if model is None:
                    parts = await _central(registry, arguments, texts, words, mapping)
                    told = {"alone": True} if alone(arguments) else {}
                    made = {"parts": parts} if mapping else {"text": " ".join(parts)}
                    batch.results[place] = {**made, "decided_by": "embedding", **told}
                else:
                    batch.results[place] = await _written(registry, model, texts, words, instruction, kind, mapping)
            except HostError as error:
                if error.code not in (errors.EMPTY_INPUT, errors.INPUT_TOO_LONG):
                    raise
                batch.results[place] = error
    return batch.answer()


async def _written(
    registry: Registry, model: Writer, texts: list[str], words: int, instruction: str | None, kind: str, mapping: bool
) -> dict:
    """Map and reduce: parts that fit the window, their summaries, and again, until one is left."""
    most = model.most(int(words * TOKENS_OF_WORD) + 32)
    for _ in range(ROUNDS):
        asked = prompts.summarize(words, instruction, kind)
        parts = await groups.packed(registry, model, texts, await model.room(asked, most))
        if len(parts) > 1 and kind == "whole":
            asked = prompts.summarize(words, instruction, "part")
        texts = await groups.told(model, [(prompts.conversation(asked, part), None, most) for part in parts])
        if mapping:
            return {"parts": texts, "decided_by": "model"}
        if len(texts) == 1:
            return {"text": texts[0].strip(), "decided_by": "model"}
        kind = "parts" if kind == "whole" else kind
    raise HostError(errors.INPUT_TOO_LONG, "the summaries of the parts do not become short enough for one")


async def _central(registry: Registry, arguments: dict, texts: list[str], words: int, mapping: bool) -> list[str]:
    """The most central sentences of all texts together."""
    found: list[str] = []
    for text in texts:
        found += await stopping.run(WORKERS, central.split, text)
    found = list(dict.fromkeys(found))
    if not found:
        raise HostError(errors.EMPTY_INPUT, "the text holds no sentence")
    async with registry.use(optional_text(arguments, "embedder"), "embed") as use:
        reader = Reader(use, "bulk")
        while len(found) > central.SENTENCES_LIMIT:
            shorter: list[str] = []
            for start in range(0, len(found), central.SENTENCES_LIMIT):
                shorter += await _chosen(reader, found[start : start + central.SENTENCES_LIMIT], 1 << 30, central.KEPT)
            found = shorter
        return await _chosen(reader, found, 1 << 30 if mapping else words, central.KEPT)


async def _chosen(reader: Reader, found: list[str], words: int, most: int) -> list[str]:
    vectors = await reader.vectors(found)
    good = [i for i, vector in enumerate(vectors) if not isinstance(vector, HostError)]
    if not good:
        raise vectors[0]
    import numpy as np

    chosen: Any = await stopping.run(
        WORKERS, central.choose, [found[i] for i in good], np.array([vectors[i] for i in good]), words, most
    )
    return [found[good[i]] for i in chosen]
