"""translate: a text in another language, by a language model."""

from ..arguments import optional_text, visible
from ..errors import HostError
from ..registry import Registry
from . import prompts
from .batch import Batch
from .writing import needed, writer

LANGUAGE_CHARACTERS = 100
SHARE = 0.4  # of the window that a text may take: its translation takes another, and can be longer


async def translate(registry: Registry, arguments: dict) -> list[dict]:
    """{"text", "decided_by"} of each input; one beyond the window is translated in pieces, cut at paragraphs.

    raises  HostError LO101, LO102, LO103, LO201, LO204, LO206, LO301, LO302, LO303
    """
    batch = Batch(arguments)
    language = visible(arguments, "language", limit=LANGUAGE_CHARACTERS)
    source = optional_text(arguments, "source_language")
    source = source[:LANGUAGE_CHARACTERS] if source and source.strip() else None
    async with writer(registry, arguments, batch.lane) as found:
        model = needed(found, "translate")
        instruction = prompts.translate(language, source)
        room = int(SHARE * await model.room(instruction, 0))
        places, questions, owners, gaps = batch.open, [], [], []
        for place in places:
            text = batch.texts[place]
            end = 0
            for piece in await model.pieces(registry, text, room):
                start = max(end, text.find(piece, end))
                gaps.append(text[end:start])  # what stands between two pieces stays: empty lines
                end = start + len(piece)
                questions.append((prompts.conversation(instruction, piece), None, int(1.5 * room)))
                owners.append(place)
        parts: dict[int, list] = {place: [] for place in places}
        for place, gap, answer in zip(owners, gaps, await model.ask(questions), strict=True):
            parts[place].append((gap, answer))
    for place, translated in parts.items():
        failed = [answer for _, answer in translated if isinstance(answer, HostError)]
        whole = "".join(gap + answer for gap, answer in translated) if not failed else ""
        batch.results[place] = failed[0] if failed else {"text": whole.strip(), "decided_by": "model"}
    return batch.answer()
