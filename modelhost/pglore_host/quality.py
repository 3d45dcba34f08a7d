"""Quality: what a coarser number format loses, measured on texts of pglore's own against the float32 model.

Letters: N texts, D length of a vector.
"""

import re

import numpy as np

from .dense import activate
from .files import ModelFiles
from .pooling import head, unit
from .tokenizer import ModelTokenizer

QUERY = "How does a database keep its tables small?"
SAMPLE = """
How do I get disk space back after deleting many rows?
lock
The quick brown fox jumps over the lazy dog.
Vacuuming a table marks the space of dead rows as free, so that new rows can be put there; only a full vacuum \
rewrites the table and gives the space back to the operating system, and it holds a lock while it does.
Where is my order?
Paris is the capital of France, and the Seine runs through it.
SELECT name, count(*) FROM orders WHERE total > 100 GROUP BY name ORDER BY 2 DESC
An index speeds up the queries that can use it and slows down every insert.
error: could not extend file: No space left on device
A transaction either happens as a whole or not at all. What others see of it meanwhile depends on the isolation level: \
under read committed each statement sees what was committed before it began, under repeatable read all of them see \
what was committed before the first, and under serializable the result is as if they had run one after the other.
yes
Der Vertrag kann mit einer Frist von drei Monaten zum Ende eines Kalenderjahres gekündigt werden.
Water boils at 100 degrees Celsius at sea level, and at about 71 degrees on top of Mount Everest.
The patient complained of a persistent cough, mild fever and loss of appetite over the past two weeks.
print("hello, world")
What is the difference between a left join and an inner join?
The court found that the notice had been given too late and set the decision aside.
Le chat dort sur le canapé pendant que la pluie tombe.
Photosynthesis turns light, water and carbon dioxide into sugar and oxygen. It takes place in the chloroplasts of \
plants and algae, in two stages: the first catches light and splits water, the second builds sugar.
Invoice 2024-0117, due within 30 days, total 1,249.00 EUR including 19 % tax
best running shoes for flat feet
He who would travel happily must travel light.
In 1969 two people walked on the Moon while a third kept watch above them.
El precio incluye el desayuno, pero no las bebidas.
To reset your password, open the settings, choose security, and follow the link that is sent to you.
The company's revenue grew by 12 percent to 4.3 billion dollars, driven by services, while costs rose by 8 percent.
Bread is made of flour, water, salt and yeast, and of time.
What year did the war end?
Turn left at the second light, then go straight for about two miles until you see the red barn on your right.
A neural network is a function of many numbers that are changed, a little at a time, until its answers are good.
数据库是按照数据结构来组织、存储和管理数据的仓库。
Not every text that is short is simple, and not every long one is hard; what counts is how much of it one has met \
before, in what order, and whether the words that carry the meaning stand where the reader expects them. A model that \
has read many books will still stumble over a list of part numbers, a table of tides or the minutes of a meeting.
"""


def texts() -> list[str]:
    """The sample, some short, some of a few sentences."""
    return [line for line in re.split(r"(?<!\\)\n", SAMPLE.strip()) if line]


def compared(exact, coarse, found: ModelFiles) -> dict:  # two openvino.CompiledModel
    """How far a coarser model is from the exact one.

    returns  cosine_min, cosine_mean, texts; of a cross-encoder difference_max, difference_mean of its scores, texts
    """
    tokens = ModelTokenizer.of(found)
    rows, types = [], []
    asked, *ids = tokens.encode([QUERY, *texts()])
    for part in ids:
        if found.task == "rerank":
            pair = tokens.pairs(asked, part)[0]
            rows.append(pair[0])
            types.append(pair[1])
        else:
            rows.append(tokens.windows(part[: tokens.content_tokens])[0])
            types.append(np.zeros_like(rows[-1]))
    one, other = (
        np.concatenate([_run(model, *pair, found) for pair in zip(rows, types, strict=True)])
        for model in (exact, coarse)
    )
    count = {"texts": len(rows)}
    if found.task == "rerank":
        apart = np.abs(activate(found.activation, one) - activate(found.activation, other))
        return {
            "difference_max": round(float(apart.max()), 6),
            "difference_mean": round(float(apart.mean()), 6),
            **count,
        }
    cosines = (unit(one) * unit(other)).sum(axis=1)
    return {"cosine_min": round(float(cosines.min()), 6), "cosine_mean": round(float(cosines.mean()), 6), **count}


def _run(model, ids: np.ndarray, types: np.ndarray, found: ModelFiles) -> np.ndarray:
    """The vector (1, D) or score (1, 1) of one text."""
    given = {"input_ids": ids, "token_type_ids": types, "attention_mask": np.ones_like(ids)}
    names = {port.get_any_name() for port in model.inputs}
    answer = model({name: value[None].astype(np.int64) for name, value in given.items() if name in names})[0]
    if found.task == "rerank":
        return answer
    return head(answer, np.ones((1, len(ids)), dtype=np.int64), found.pooling, found.steps)
