"""Pooling: each mode by hand on small states."""

import numpy as np
import pytest

from pglore_host.pooling import join_windows, pool, unit

STATES = np.array([[[1, 0], [0, 2], [9, 9]], [[3, 4], [0, 1], [1, 0]]], dtype=np.float32)
MASK = np.array([[1, 1, 0], [1, 1, 1]])


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("mean", [[0.5, 1], [4 / 3, 5 / 3]]),
        ("cls", [[1, 0], [3, 4]]),
        ("max", [[1, 2], [3, 4]]),
        ("lasttoken", [[0, 2], [1, 0]]),
    ],
)
def test_pooling_leaves_padding_out_and_scales_to_length_1(mode, expected):
    expected = np.array(expected) / np.linalg.norm(expected, axis=1, keepdims=True)
    found = pool(STATES, MASK, mode)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_windows_are_joined_by_their_tokens():
    joined = join_windows(np.array([[1, 0], [0, 1]], dtype=np.float32), np.array([3, 1]))
    np.testing.assert_allclose(joined, np.array([3, 1]) / np.sqrt(10), atol=1e-6)


def test_a_zero_vector_stays_finite():
    assert np.isfinite(unit(np.zeros((1, 4), dtype=np.float32))).all()
