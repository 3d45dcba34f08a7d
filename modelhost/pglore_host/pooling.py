"""Pooling: token states to one vector per text.

Letters: B texts, L tokens after padding, D model width, H width of the pooled vector, W windows.
Source: Sentence-BERT, arXiv:1908.10084; the modes are those of sentence-transformers.
"""

from collections.abc import Sequence

import numpy as np

from .dense import Step

# In the order in which sentence-transformers joins several.
MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")


def pool(states: np.ndarray, mask: np.ndarray, mode: str) -> np.ndarray:
    """One vector for each text.

    states   (B, L, D) float32, the last layer
    mask     (B, L) int64, 1 on tokens, 0 on the padding behind them
    mode     one of MODES, or several joined by "+"
    returns  (B, D) float32 for each mode, side by side
    """
    parts = [_pool(states, mask, one) for one in mode.split("+")]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _pool(states: np.ndarray, mask: np.ndarray, mode: str) -> np.ndarray:
    if mode == "cls":
        return states[:, 0, :]
    if mode == "max":
        return np.where(mask[:, :, None] > 0, states, -np.inf).max(axis=1)
    if mode == "lasttoken":
        return states[np.arange(len(states)), mask.sum(axis=1) - 1]
    weights = mask.astype(np.float32)
    if mode == "weightedmean":
        weights *= np.arange(1, mask.shape[1] + 1, dtype=np.float32)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    if mode == "mean_sqrt_len_tokens":
        total = np.sqrt(total)
    return np.matmul(weights[:, None, :], states)[:, 0, :] / total


def head(states: np.ndarray, mask: np.ndarray, mode: str, steps: Sequence[Step] = ()) -> np.ndarray:
    """Pooled vectors with the model's dense layers behind them; (B, L, D) and (B, L) to (B, H) float32."""
    vectors = pool(states, mask, mode)
    for step in steps:
        vectors = step(vectors)
    return vectors


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; (..., D) float32 to the same."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def join_windows(vectors: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Vector of a text that was read in windows: their mean, weighted by tokens, of length 1.

    vectors  (W, D) float32, unit rows
    tokens   (W,) content tokens of each window
    returns  (D,) float32
    """
    return unit(np.average(vectors, axis=0, weights=tokens).astype(np.float32))
