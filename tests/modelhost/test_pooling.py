"""Pooling and the layers behind it: each by hand on small numbers. test_engines.py compares with the libraries."""

from pathlib import Path

import numpy as np
import pytest

from pglore_host.dense import ACTIVATIONS, Step, activate
from pglore_host.pooling import MODES, head, join_windows, pool, unit

STATES = np.array([[[1, 0], [0, 2], [9, 9]], [[3, 4], [0, 1], [1, 0]]], dtype=np.float32)
MASK = np.array([[1, 1, 0], [1, 1, 1]])
BY_HAND = {
    "mean": [[0.5, 1], [4 / 3, 5 / 3]],
    "cls": [[1, 0], [3, 4]],
    "max": [[1, 2], [3, 4]],
    "lasttoken": [[0, 2], [1, 0]],
    "mean_sqrt_len_tokens": [[1 / 2**0.5, 2 / 2**0.5], [4 / 3**0.5, 5 / 3**0.5]],
    "weightedmean": [[1 / 3, 4 / 3], [6 / 6, 6 / 6]],
}


@pytest.mark.parametrize("mode", MODES)
def test_pooling_leaves_padding_out(mode):
    found = pool(STATES, MASK, mode)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, BY_HAND[mode], atol=1e-6)


def test_several_modes_stand_side_by_side_in_their_order():
    found = pool(STATES, MASK, "max+cls")
    np.testing.assert_allclose(found, np.concatenate((BY_HAND["max"], BY_HAND["cls"]), axis=1))


def test_layers_follow_the_pooling_in_their_order():
    double, tanh = Step("Dense", Path(), 2), Step("Dense", Path(), 1, "Tanh", residual=True)
    double.__dict__["tensors"] = {"linear.weight": 2 * np.eye(2, dtype=np.float32)}
    weights = {"linear.weight": [[1, 1]], "linear.bias": [-1], "residual.weight": [[0, 1]]}
    tanh.__dict__["tensors"] = {name: np.array(value, dtype=np.float32) for name, value in weights.items()}
    found = head(STATES, MASK, "cls", (double, tanh))
    np.testing.assert_allclose(found, [[np.tanh(1)], [np.tanh(13) + 8]], atol=1e-6)


def test_a_norm_layer_centres_and_scales():
    step = Step("LayerNorm", Path(), 2)
    step.__dict__["tensors"] = {"norm.weight": np.array([1, 2], "f4"), "norm.bias": np.array([0, 1], "f4")}
    np.testing.assert_allclose(step(np.array([[1, 3]], "f4")), [[-1, 3]], atol=1e-4)


def test_activations_are_those_of_torch():
    torch = pytest.importorskip("torch")
    numbers = np.linspace(-100, 100, 401, dtype=np.float32)
    for name in ACTIVATIONS:
        expected = getattr(torch.nn, name)()(torch.from_numpy(numbers)).numpy()
        found = activate(name, numbers)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=name)


def test_windows_are_joined_by_their_tokens():
    joined = join_windows(np.array([[1, 0], [0, 1]], dtype=np.float32), np.array([3, 1]))
    np.testing.assert_allclose(joined, np.array([3, 1]) / np.sqrt(10), atol=1e-6)


def test_a_zero_vector_stays_finite():
    assert np.isfinite(unit(np.zeros((1, 4), dtype=np.float32))).all()
