"""Pooling: token states to one vector per text.

Letters: B texts, L tokens after padding, D model width, W windows.
Source: Sentence-BERT, arXiv:1908.10084.
"""

import numpy as np


def pool(states: np.ndarray, mask: np.ndarray, mode: str) -> np.ndarray:
    """One vector of length 1 for each text.

    states   (B, L, D) float32, the last layer
    mask     (B, L) int64, 0 on padding
    mode     mean, cls, max, lasttoken
    returns  (B, D) float32, unit rows
    """
    if mode == "mean":
        weights = mask.astype(np.float32)
        pooled = np.matmul(weights[:, None, :], states)[:, 0, :]
    elif mode == "cls":
        pooled = states[:, 0, :]
    elif mode == "max":
        pooled = np.where(mask[:, :, None] > 0, states, -np.inf).max(axis=1)
    else:
        pooled = states[np.arange(len(states)), mask.sum(axis=1) - 1]
    return unit(pooled)


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
