"""answer: a question answered from many texts, for lore.answer_agg.

A language model notes what each part says to the question, and answers from the notes. Without one the answer is made
of the sentences that answer best, as the extractive generator finds them.
"""

import asyncio

from .. import errors, extracted, extractive
from ..arguments import optional_text, visible
from ..errors import HostError
from ..prompt import Source
from ..registry import Registry
from . import groups, prompts
from .batch import Batch
from .writing import Writer, alone, writer

QUESTION_CHARACTERS = 4000
ANSWER_TOKENS = 400
NOTED, ANSWERED = 8, 2  # sentences without a language model: of a part, and of the answer
ROUNDS = 8


async def answer_group(registry: Registry, arguments: dict) -> list[dict]:
    """{"text", "found", "decided_by"} of each group (a JSON array of texts); in the stage "map", {"parts": [text]}.

    raises  HostError LO101, LO102, LO103, LO201, LO204, LO301, LO302, LO303
    """
    batch = Batch(arguments)
    question = visible(arguments, "question", limit=QUESTION_CHARACTERS)
    mapping = groups.mapping(arguments)
    noted = arguments.get("noted") is True
    async with writer(registry, arguments, batch.lane) as model:
        for place in batch.open:
            try:
                texts = groups.texts(batch.texts[place])
                if model is None:
                    batch.results[place] = await _extracted(registry, arguments, question, texts, mapping)
                else:
                    batch.results[place] = await _written(registry, model, question, texts, mapping, noted)
            except HostError as error:
                if error.code not in (errors.EMPTY_INPUT, errors.INPUT_TOO_LONG):
                    raise
                batch.results[place] = error
    return batch.answer()


async def _written(
    registry: Registry, model: Writer, question: str, texts: list[str], mapping: bool, noted: bool
) -> dict:
    most = model.most(ANSWER_TOKENS)
    for _ in range(ROUNDS):
        asked = prompts.answer(question, noted)
        parts = await groups.packed(registry, model, texts, await model.room(prompts.notes(question), most))
        if len(parts) == 1 and not mapping:
            [text] = await groups.told(model, [(prompts.conversation(asked, parts[0]), None, most)])
            return {"text": text.strip(), "found": True, "decided_by": "model"}
        asked = prompts.notes(question)
        notes = await groups.told(model, [(prompts.conversation(asked, part), None, most) for part in parts])
        texts, noted = [note for note in notes if note.strip().strip(".").lower() != "nothing"], True
        if mapping:
            return {"parts": texts, "decided_by": "model"}
        if not texts:
            return {"text": "The texts do not answer this question.", "found": False, "decided_by": "model"}
    raise HostError(errors.INPUT_TOO_LONG, "the notes on the texts do not become short enough for one answer")


async def _extracted(registry: Registry, arguments: dict, question: str, texts: list[str], mapping: bool) -> dict:
    told = {"alone": True} if alone(arguments) else {}
    sources = [Source(number, text) for number, text in enumerate(texts, 1)]
    async with registry.use(optional_text(arguments, "model"), "generate") as use:
        plan = await asyncio.to_thread(extractive.plan_of, question, sources)
        states = await extracted.states_of(use.model, plan.units)
        found = await asyncio.to_thread(extractive.finish, plan, states, sentences=NOTED if mapping else ANSWERED)
    if mapping:
        return {"parts": [one.quote for one in found.citations], "decided_by": "embedding", **told}
    return {
        "text": " ".join(one.quote for one in found.citations) or found.text,
        "found": bool(found.citations),
        "decided_by": "embedding",
        **told,
    }
