"""sentiment: whether a text is positive, negative, neutral, or mixed.

Without a language model the embedding compares a text with sentences that are plainly the one or the other; it never
says mixed.
"""

import numpy as np

from ..arguments import optional_text
from ..pooling import unit
from ..registry import Registry
from .batch import Batch
from .classify import asking
from .deciding import decide
from .reading import Nearness, Reader

SENTIMENTS = ["positive", "negative", "neutral", "mixed"]
MEANINGS = [
    "pleased, praising, glad, satisfied",
    "displeased, blaming, sad, angry, dissatisfied",
    "tells facts or asks, without a feeling",
    "praises some of it and blames some of it",
]
EXAMPLES = {
    "positive": [
        "I love it, it is wonderful.", "Great quality, I am very happy with it.", "Excellent service, recommended!",
        "This works perfectly, thank you so much.", "The best I have ever had, amazing.",
        "What a delightful, beautiful evening.", "It exceeded my expectations.",
        "Good news: we are proud and grateful.", "The staff was friendly and helpful.",
        "A masterpiece, moving and brilliant.",
    ],
    "negative": [
        "I hate it, it is terrible.", "Poor quality, I am very disappointed.", "Awful service, never again!",
        "This does not work at all, what a waste of money.", "The worst I have ever had, horrible.",
        "What a sad, ugly, miserable evening.", "It fell far short of my expectations.",
        "Bad news: we are angry and upset.", "The staff was rude and unhelpful.", "A boring, stupid mess.",
        "It broke after a day and I want my money back.", "I am frustrated: nobody answers my complaint.",
    ],
    "neutral": [
        "The parcel weighs two kilograms.", "The meeting is on Tuesday at ten.", "The report has twelve pages.",
        "Please send me the invoice of March.", "The shop is open from nine to five.", "Water boils at 100 degrees.",
        "The train leaves from platform four.", "How do I change my address?", "The file is stored on the server.",
        "The product is available in three colours.",
    ],
}  # fmt: skip


async def sentiment(registry: Registry, arguments: dict) -> list[dict]:
    """{"sentiment", "score" (-1 to 1), "decided_by"} of each input.

    raises  HostError LO101, LO102, LO103, LO201, LO204, LO206, LO301, LO302, LO303
    """
    batch = Batch(arguments)
    async with registry.use(optional_text(arguments, "embedder"), "embed") as use:
        near = await nearness(Reader(use))
    question = asking(SENTIMENTS, list(MEANINGS), "the feeling of the writer", False, near)
    decided = await decide(registry, arguments, batch, question)
    results = []
    for place in batch.open:
        chances = decided.chances[place]
        label = SENTIMENTS[int(decided.answers[place].argmax())]
        results.append(
            {
                "sentiment": label,
                "score": round(score(label, chances), 4),
                "decided_by": decided.by[place],
                **({"alone": True} if decided.alone else {}),
            }
        )
    batch.put(batch.open, results)
    return batch.answer()


async def nearness(reader: Reader) -> Nearness:
    """Of the four sentiments, by the mean of the vectors of their examples; nothing is near to mixed."""
    vectors = [unit((await reader.labels(EXAMPLES[name])).mean(axis=0)) for name in SENTIMENTS[:3]]
    labels = np.array([*vectors, np.zeros_like(vectors[0])], dtype=np.float32)
    return Nearness(labels, np.array([0.0, 0.0, 0.0, 1.0], dtype=np.float32), np.ones(4, dtype=np.float32))


def score(label: str, chances: np.ndarray) -> float:
    """From -1 to 1: how much nearer the text is to what is positive, never against what was decided."""
    balance = float((chances[0] - chances[1]) / max(1e-9, chances[0] + chances[1]))
    if label == "positive":
        return max(balance, 0.1)
    if label == "negative":
        return min(balance, -0.1)
    return balance / 2
