"""Weighted quantiles of columns."""

import numpy as np
import pytest
from scipy import sparse

from skreg._data.quantiles import measure_quantiles

LEVELS = np.arange(1, 8) / 8


def measure(X, weight=None, columns=None):
    n_rows, n_columns = X.shape
    weight = np.ones(n_rows) if weight is None else weight
    columns = np.arange(n_columns) if columns is None else columns
    return measure_quantiles(X, np.arange(n_rows), weight, columns, LEVELS)


@pytest.mark.parametrize("n_rows", [1, 2, 7, 8, 64, 1000])
def test_quantiles_of_equal_weights_are_those_of_numpy(n_rows):
    X = np.random.default_rng(0).normal(size=(n_rows, 3))
    expected = np.quantile(X, [0, *LEVELS, 1], axis=0, method="averaged_inverted_cdf")
    np.testing.assert_allclose(measure(X), expected, rtol=1e-12)


@pytest.mark.parametrize("unit", [1, 1e-300, 3.7])
def test_a_weighted_row_is_as_many_rows(unit):
    rng = np.random.default_rng(1)
    X, counts = np.round(rng.normal(size=(50, 4)), 1), rng.integers(1, 5, size=50)
    np.testing.assert_array_equal(measure(X, unit * counts), measure(X.repeat(counts, axis=0)))


def test_order_of_rows_and_storage_change_no_bit():
    rng = np.random.default_rng(2)
    X, weight = np.round(rng.normal(size=(60, 5))), rng.uniform(0.1, 2, size=60)
    expected = measure(X, weight)
    order = rng.permutation(60)
    np.testing.assert_array_equal(measure(X[order], weight[order]), expected)
    np.testing.assert_array_equal(measure(sparse.csr_array(X), weight), expected)
    chosen = np.array([1, 4])
    np.testing.assert_array_equal(measure(X, weight, chosen), expected[:, chosen])


def test_quantiles_near_the_ends_of_float64_are_finite():
    X = np.array([[-1.7e308], [1.7e308]])
    assert np.isfinite(measure(X)).all()
