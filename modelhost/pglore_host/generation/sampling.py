"""Sampling: logits to the next token of each row, by each row's own settings.

Letters: B rows, V size of the vocabulary.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

SHORTLIST = 512  # tokens that top_p looks at first: sorting a whole vocabulary takes ten times as long
COLDEST = 1e-30  # what is colder is 0 as float32, and nothing can be divided by that


class Row(Protocol):
    """How a row wants to be sampled."""

    temperature: float
    top_p: float
    chance: np.random.Generator
    ids: Sequence[int]  # of all tokens so far


def pick(
    logits: torch.Tensor, rows: Sequence[Row], allowed: dict[int, np.ndarray], penalty: float = 1.0
) -> list[int | None]:
    """The next token of each row; None where its logits hold nothing finite.

    logits   (B, V) float32, changed by this
    allowed  by row the tokens that may come, (V,) bool; a row that is missing may take any
    penalty  of tokens that were there before, as transformers has it (CTRL, arXiv:1909.05858); 1 is none
    """
    if penalty != 1:
        for row, how in enumerate(rows):
            seen = torch.tensor(sorted(set(how.ids)), device=logits.device)
            scores = logits[row, seen]
            logits[row, seen] = torch.where(scores < 0, scores * penalty, scores / penalty)
    for row, mask in allowed.items():
        logits[row].masked_fill_(torch.from_numpy(~mask).to(logits.device), float("-inf"))
    best, tokens = logits.max(dim=-1)
    # One that is not a number makes the maximum one too.
    finite, chosen = torch.isfinite(best).tolist(), tokens.tolist()
    drawn = [row for row, how in enumerate(rows) if how.temperature > 0 and finite[row]]
    if drawn:
        heat = torch.tensor([max(rows[row].temperature, COLDEST) for row in drawn], device=logits.device)
        chances = ((logits[drawn] - best[drawn, None]) / heat[:, None]).softmax(dim=-1)
        for number, row in enumerate(drawn):
            chosen[row] = _draw(chances[number], rows[row])
    return [token if ok else None for token, ok in zip(chosen, finite, strict=True)]


def _draw(chances: torch.Tensor, how: Row) -> int:
    """A token by chance. chances (V,), their sum 1; only the likeliest that make up top_p take part."""
    drawn = how.chance.random()
    if how.top_p >= 1:
        return _at(chances.cumsum(0), drawn)
    values, tokens = chances.topk(min(SHORTLIST, len(chances)))
    sums = values.cumsum(0)
    if sums[-1] < how.top_p and len(tokens) < len(chances):
        values, tokens = chances.sort(descending=True)
        sums = values.cumsum(0)
    kept = int((sums < how.top_p).sum()) + 1
    return int(tokens[_at(sums[:kept], drawn)])


def _at(sums: torch.Tensor, drawn: float) -> int:
    """The place where a share of the total falls, among those with a chance above 0."""
    goal = torch.tensor(drawn, dtype=sums.dtype, device=sums.device) * sums[-1]
    return min(int(torch.searchsorted(sums, goal, right=True)), int(torch.searchsorted(sums, sums[-1])))
