"""Attention over rows of different lengths: the mask comes from the step under way, not from the model's own code.

Letters: B rows, H heads, T new tokens of a row, L states that are read, D width of a head.
A state lies at its position, so what a token may see follows from its position alone, however rows are put together.
"""

import threading
from dataclasses import dataclass, field

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

NAME = "pglore_rows"
_current = threading.local()  # .step of the thread that runs a model


@dataclass(eq=False, slots=True)
class Step:
    """New tokens of some neighbouring rows: where they go and how much they read."""

    low: int  # rows from here on
    positions: torch.Tensor  # (B, T) int64, of the new tokens
    length: int  # L
    dtype: torch.dtype
    rows: torch.Tensor  # (B, 1) int64, 0 to B - 1
    together: int | None = None  # the position where all rows begin, where it is the same
    _masks: dict[int | None, torch.Tensor] = field(default_factory=dict)

    def mask(self, window: int | None) -> torch.Tensor:
        """(B, 1, T, L) of 0 and -inf; with a window a token sees no more than so many states."""
        if window not in self._masks:
            places = torch.arange(self.length, device=self.positions.device)
            ahead = places - self.positions[:, :, None]
            hidden = ahead > 0 if window is None else (ahead > 0) | (ahead <= -window)
            mask = torch.zeros(hidden.shape, dtype=self.dtype, device=hidden.device)
            self._masks[window] = mask.masked_fill_(hidden, float("-inf"))[:, None]
        return self._masks[window]

    def __enter__(self) -> "Step":
        _current.step = self
        return self

    def __exit__(self, *problem: object) -> None:
        _current.step = None


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **other: object,
) -> tuple[torch.Tensor, None]:
    """What transformers calls in place of its own attention. query (B, H, T, D) to (B, T, H, D)."""
    mask = _current.step.mask(sliding_window)
    if softcap is None and s_aux is None:
        return sdpa_attention_forward(module, query, key, value, mask, scaling=scaling)
    groups = query.shape[1] // key.shape[1]
    scores = query @ repeat_kv(key, groups).transpose(2, 3) * (scaling or query.shape[-1] ** -0.5)
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    scores = (scores + mask).float()
    if s_aux is not None:  # a score that every token has, and that nothing is read for
        scores = torch.cat((scores, s_aux.reshape(1, -1, 1, 1).expand(*scores.shape[:3], 1).float()), dim=-1)
    shares = scores.softmax(dim=-1)[..., : key.shape[2]].to(value.dtype)
    return (shares @ repeat_kv(value, groups)).transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, attend)
