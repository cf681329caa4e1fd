"""Scales: standardised values, and rescaled kernels."""

import numpy as np
import pytest
from scipy import sparse

from skreg._data.scaling import (
    MAX_INPUT,
    rescale_inputs,
    rescale_outputs,
    standardize,
    standardize_sparse,
)
from skreg._data.statistics import ColumnStatistics, measure_columns


def measure_all_rows(X, weight=None, function=measure_columns):
    n_rows = X.shape[0]
    return function(X, np.arange(n_rows), np.ones(n_rows) if weight is None else weight)


def measure_mean_and_scale(X, weight=None):
    statistics = measure_all_rows(X, weight)
    return statistics.center, statistics.scale


def test_values_at_the_ends_of_float64_are_standardised():
    X = np.array([[-1.7e308], [1.7e308], [1.6e308]])
    mean, scale = measure_mean_and_scale(X)
    values = standardize(X.copy(), mean, scale)[:, 0]
    small = np.array([-1.7, 1.7, 1.6])
    np.testing.assert_allclose(values, (small - small.mean()) / small.std(), rtol=1e-9)


def test_a_column_of_both_ends_of_float64_is_not_lost():
    largest = np.finfo(np.float64).max
    X = np.array([[-largest], [largest], [1.0]])
    mean, scale = measure_mean_and_scale(X)
    assert np.isfinite(scale).all()
    np.testing.assert_allclose(
        standardize(X, mean, scale)[:, 0], np.sqrt(1.5) * np.array([-1, 1, 0]), atol=1e-9
    )
    low, span = measure_mean_and_scale(X[:2])  # their distance is beyond float64's range
    np.testing.assert_allclose(standardize(X[:2], low, span)[:, 0], [0, 2])


def test_standardised_values_are_clipped():
    values = standardize(np.array([[1e308, -1e308]]), np.zeros(2), np.full(2, 1e-5))
    np.testing.assert_array_equal(values, [[MAX_INPUT, -MAX_INPUT]])


def test_huge_sparse_values_are_clipped():
    X = sparse.csr_array([[np.finfo(np.float64).max]])
    values = standardize_sparse(X, np.zeros(1), np.array([1e-3]))
    np.testing.assert_array_equal(values.toarray(), [[MAX_INPUT]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8])
def test_sparse_values_are_those_of_the_dense_table_without_zeros(dtype):
    X = (20 * sparse.random_array((60, 9), density=0.4, rng=np.random.default_rng(0))).toarray()
    X = X.astype(dtype)
    X[:, 0], X[:, 1] = np.arange(60), np.arange(60) % 2  # centred, and of two values
    X[:, 2] = 5  # constant
    center, scale = measure_mean_and_scale(X)
    assert center[0]
    assert not center[3]
    scale[2] = np.inf
    expected = standardize(X, center, scale)
    before = sparse.csr_array(X)
    for rows in (X, before, sparse.csr_matrix(X)):
        values = standardize_sparse(rows, center, scale)
        np.testing.assert_array_equal(values.toarray(), expected)
        assert values.data.all()
        assert values.has_canonical_format
    np.testing.assert_array_equal(before.toarray(), X)
    np.testing.assert_array_equal(standardize_sparse(before, None, None).toarray(), X)


# -- rescaled kernels --------------------------------------------------------------------------


def compute_outputs(X, statistics, kernel, bias):
    return standardize(X, statistics.center, statistics.scale) @ kernel + bias


@pytest.fixture
def rescaled():
    """A table, and a kernel and a bias with the scales of its first rows and of all rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    X[:20, 2] = 7.0  # constant in the first rows
    kernel, bias = rng.normal(size=(3, 4)), rng.normal(size=4)
    old, new = measure_all_rows(X[:20]), measure_all_rows(X)
    return X[:20], (old, kernel, bias), (new, *rescale_inputs(kernel, bias, old, new))


def test_rescaled_inputs_give_the_same_outputs(rescaled):
    X, before, after = rescaled
    np.testing.assert_allclose(compute_outputs(X, *after), compute_outputs(X, *before), atol=1e-5)


def test_weights_of_a_column_that_was_constant_are_not_rescaled(rescaled):
    _, (_, kernel, _), (_, rescaled_kernel, _) = rescaled
    np.testing.assert_allclose(rescaled_kernel[2], kernel[2], rtol=1e-6)


def test_inputs_rescaled_to_no_scale_give_the_same_outputs(rescaled):
    X, before, (new, kernel, bias) = rescaled
    plain = ColumnStatistics.from_scaling(np.zeros(3), np.ones(3))
    after = rescale_inputs(kernel, bias, new, plain)
    np.testing.assert_allclose(
        compute_outputs(X, plain, *after), compute_outputs(X, *before), atol=1e-4
    )


def test_rescaled_outputs_give_the_same_targets():
    rng = np.random.default_rng(0)
    kernel, bias, hidden = rng.normal(size=(4, 2)), rng.normal(size=2), rng.normal(size=(9, 4))
    old, new = (np.array([1.0, -3.0]), np.array([2.0, 5.0])), (np.zeros(2), np.array([0.5, 10.0]))
    rescaled_kernel, rescaled_bias = rescale_outputs(kernel, bias, old, new)
    expected = old[0] + old[1] * (hidden @ kernel + bias)
    np.testing.assert_allclose(
        new[0] + new[1] * (hidden @ rescaled_kernel + rescaled_bias), expected, atol=1e-4
    )


def test_columns_and_targets_far_away_keep_finite_weights():
    kernel, bias = np.ones((1, 3), np.float32), np.zeros(3, np.float32)
    values = np.array([[0.0], [1.0], [3.0]])
    tiny, usual = (measure_all_rows(unit * values, None) for unit in (1e-40, 1.0))
    for part in rescale_inputs(kernel, bias, tiny, usual):
        assert np.abs(part).max() <= 1
    huge = np.zeros(3), np.full(3, 1e300)
    for part in rescale_outputs(np.ones((1, 3), np.float32), bias, huge, (np.zeros(3), np.ones(3))):
        assert np.abs(part).max() <= 1


def test_float16_is_scaled_in_float64():
    block = np.full((1, 1), 6e4, np.float16)
    values = standardize(block, np.zeros(1), np.full(1, 1e-3))
    assert values == block.astype(float) / 1e-3
