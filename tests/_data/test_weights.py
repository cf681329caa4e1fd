"""Weights of rows, of which only the ratios matter."""

import numpy as np
import pytest

from skreg._data.weights import compute_relative_weight


@pytest.mark.parametrize("factor", [3.0, 0.1, 1e-3, 1e300, 1e-310])
def test_relative_weights_do_not_depend_on_the_unit(factor):
    weight = np.random.default_rng(0).integers(1, 9, size=50).astype(float)
    np.testing.assert_array_equal(
        compute_relative_weight(factor * weight), compute_relative_weight(weight)
    )


@pytest.mark.parametrize("factor", [0.1, 3.0, 1000.0])
def test_relative_weights_of_many_rows_do_not_depend_on_the_unit(factor):
    for seed in range(5):
        weight = np.random.default_rng(seed).uniform(0.2, 5, size=100_000)
        np.testing.assert_array_equal(
            compute_relative_weight(factor * weight), compute_relative_weight(weight)
        )
