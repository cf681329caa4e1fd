"""The counter hash: uniform, independent, pure, and the same bits compiled and in NumPy."""

import numpy as np
import pytest
from helpers import compute_mask_numpy

from skreg._nn.dropout import compute_mask, compute_threshold
from skreg._tensorflow import tensorflow

RATES = [0.1, 0.5, 0.9]
SEEDS = [(0, 0), (1, 2), (0xFFFFFFFF, 0x12345678)]


def standardised_masks(rate, seed, layer=1, n_steps=1000, shape=(32, 128)):
    """Masks of many steps with mean 0 and variance 1 if units are kept at 1 - rate."""
    threshold = compute_threshold(rate)
    masks = np.stack(
        [compute_mask_numpy(shape, seed, step, layer, threshold) for step in range(n_steps)]
    )
    return (masks - (1 - rate)) / np.sqrt(rate * (1 - rate))


def largest_score(products, n):
    """Absolute mean of n draws, in standard errors."""
    return np.abs(np.mean(products)) * np.sqrt(n)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.999])
@pytest.mark.parametrize("shape", [(32, 128), (7, 3), (1, 1)])
def test_compiled_and_numpy_twins_are_equal_bit_for_bit(rate, shape):
    tf = tensorflow()

    @tf.function(jit_compile=True)
    def compiled(seed, step, threshold):
        return compute_mask(shape, (seed[0], seed[1]), step, 2, threshold)

    for seed in SEEDS:
        for step in (0, 1, 12345, 2**31):
            threshold = compute_threshold(rate)
            arguments = (seed, step, threshold)
            expected = compute_mask_numpy(shape, seed, step, 2, threshold)
            got = compiled(*(tf.constant(value, tf.uint32) for value in arguments))
            np.testing.assert_array_equal(got, expected)


def test_rate_zero_keeps_every_unit():
    assert compute_threshold(0.0) == 2**32 - 1
    assert compute_mask_numpy((64, 1024), (3, 4), 5, 1, compute_threshold(0.0)).all()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seed", SEEDS)
def test_units_are_kept_at_the_rate_everywhere(rate, seed):
    """Over 4 million draws: in all, by unit, by row and by step, within 5.5 standard errors."""
    masks = standardised_masks(rate, seed)
    for axes in [(0, 1, 2), (0, 1), (0, 2), (1, 2)]:
        n = np.prod([masks.shape[axis] for axis in axes])
        assert np.abs(masks.mean(axis=axes)).max() * np.sqrt(n) < 5.5


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seed", SEEDS)
def test_units_rows_steps_layers_and_seeds_are_independent(rate, seed):
    masks = standardised_masks(rate, seed)
    n_steps, _n_rows, n_units = masks.shape
    units = masks.reshape(-1, n_units)
    by_unit = units.T @ units / np.sqrt(len(units))
    assert np.abs(by_unit[~np.eye(n_units, dtype=bool)]).max() < 6
    steps = masks.reshape(n_steps, -1)
    for lag in (1, 2, 3, 4, 16, 64, 256, 512):
        assert largest_score(steps[lag:] * steps[:-lag], steps[lag:].size) < 5
    rows = masks[:, 1:] * masks[:, :-1]
    assert largest_score(rows, rows.size) < 5
    other_layer = standardised_masks(rate, seed, layer=2)
    assert largest_score(masks * other_layer, masks.size) < 5
    other_seed = standardised_masks(rate, (seed[0] ^ 1, seed[1]))
    assert largest_score(masks * other_seed, masks.size) < 5
    other_seed = standardised_masks(rate, (seed[0], seed[1] ^ 1))
    assert largest_score(masks * other_seed, masks.size) < 5


def test_no_two_steps_share_a_mask():
    masks = {
        compute_mask_numpy((8, 16), (1, 2), step, 1, compute_threshold(0.5)).tobytes()
        for step in range(5000)
    }
    assert len(masks) == 5000
