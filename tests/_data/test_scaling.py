"""Scales: weighted statistics, standardised values, and rescaled kernels."""

import numpy as np
import pytest
from scipy import sparse

from skreg._data.scaling import (
    LARGEST_INPUT,
    LARGEST_SPARSE_INPUT,
    Statistics,
    compute_relative_weight,
    iterate_blocks,
    measure_columns,
    measure_robustly,
    measure_sparse_columns,
    rescale_inputs,
    rescale_outputs,
    standardize,
    standardize_csr,
)


def measure_all_rows(X, weight=None, function=measure_columns):
    n_rows = X.shape[0]
    return function(X, np.arange(n_rows), np.ones(n_rows) if weight is None else weight)


def measure_mean_and_scale(X, weight=None):
    statistics = measure_all_rows(X, weight)
    return statistics.center, statistics.scale


def test_statistics_are_those_of_the_weighted_table():
    X = np.random.default_rng(0).normal(size=(200, 5))
    weight = np.random.default_rng(1).uniform(0.1, 3, size=200)
    mean, scale = measure_mean_and_scale(X, weight)
    expected = np.average(X, axis=0, weights=weight)
    np.testing.assert_allclose(mean, expected, rtol=1e-12)
    variance = np.average((X - expected) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(scale, np.sqrt(variance), rtol=1e-12)


@pytest.mark.parametrize(
    ("offset", "factor"), [(0, 1), (1e9, 1), (0, 1e300), (0, 1e-300), (1e6, 1e-3)]
)
def test_huge_tiny_and_far_columns_are_standardised(offset, factor):
    values = np.random.default_rng(0).normal(size=1000)
    X = (offset + factor * values)[:, None]
    mean, scale = measure_mean_and_scale(X)
    np.testing.assert_allclose(scale / factor, values.std(), rtol=1e-6)
    np.testing.assert_allclose((mean - offset) / factor, values.mean(), atol=1e-6)
    block = standardize(X.copy(), mean, scale)
    np.testing.assert_allclose(block.std(), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (0.0, np.float32),
        (0.1, np.float32),
        (1e38, np.float32),
        (0.0, np.float64),
        (0.1, np.float64),
        (1e300, np.float64),
        (-7e-310, np.float64),
    ],
)
def test_constant_columns_become_zero(value, dtype):
    X = np.full((37, 1), value, dtype=dtype)
    X = np.hstack([X, np.arange(37, dtype=dtype)[:, None]])
    mean, scale = measure_mean_and_scale(X)
    assert scale[0] == 1 or value > 1e30  # there a rounding error is more than 1
    assert mean[0] == X[0, 0]
    assert not standardize(X.astype(float), mean, scale)[:, 0].any()


def test_values_at_the_ends_of_float64_are_standardised():
    X = np.array([[-1.7e308], [1.7e308], [1.7e308]])
    mean, scale = measure_mean_and_scale(X)
    values = standardize(X.copy(), mean, scale)[:, 0]
    small = np.array([-1.7, 1.7, 1.7])
    np.testing.assert_allclose(values, (small - small.mean()) / small.std(), rtol=1e-9)


def test_a_column_of_both_ends_of_float64_is_not_lost():
    largest = np.finfo(np.float64).max
    mean, scale = measure_mean_and_scale(np.array([[-largest], [largest]]))
    assert np.isfinite(scale).all()
    values = standardize(np.array([[-largest], [largest]]), mean, scale)
    np.testing.assert_allclose(values, [[-1], [1]])


def test_zeros_of_both_signs_have_a_mean_without_sign():
    for values in ([[-0.0], [0.0]], [[0.0], [-0.0]]):
        assert not np.signbit(measure_mean_and_scale(np.array(values))[0]).any()


def test_standardised_values_are_clipped():
    values = standardize(np.array([[1e308, -1e308]]), np.zeros(2), np.full(2, 1e-5))
    np.testing.assert_array_equal(values, [[LARGEST_INPUT, -LARGEST_INPUT]])


@pytest.mark.parametrize(("n_rows", "n_columns"), [(0, 3), (1, 1), (100, 10**7), (10**6, 50)])
def test_blocks_cover_every_row_once(n_rows, n_columns):
    bounds = [
        index for block in iterate_blocks(n_rows, n_columns) for index in (block.start, block.stop)
    ]
    assert bounds[::2] == [0, *bounds[1:-1:2]][: len(bounds) // 2]
    assert (bounds[-1] if bounds else 0) == n_rows


@pytest.mark.parametrize("factor", [1.0, 1e-200, 1e200, 1.0e308])
def test_statistics_of_two_tables_combine_to_those_of_both(factor):
    rng = np.random.default_rng(0)
    X = np.clip(rng.normal(3, 1, size=(300, 4)), -10, 10) / 10 * factor
    X[:, 1] = factor / 2
    weight = rng.uniform(0.1, 3, size=300)
    whole = measure_all_rows(X, weight)
    parts = [measure_all_rows(X[rows], weight[rows]) for rows in np.split(np.arange(300), [7, 100])]
    combined = parts[0].combine(parts[1]).combine(parts[2])
    np.testing.assert_allclose(combined.center, whole.center, rtol=1e-10)
    np.testing.assert_allclose(combined.scale, whole.scale, rtol=1e-10)
    assert combined.weight == pytest.approx(whole.weight)


def test_sparse_statistics_are_those_of_the_dense_table():
    X = sparse.random_array((200, 30), density=0.1, rng=np.random.default_rng(0), format="csr")
    weight = np.random.default_rng(1).uniform(0.1, 3, size=200)
    dense, of_csr = (
        measure_all_rows(X.toarray(), weight),
        measure_all_rows(X, weight, measure_sparse_columns),
    )
    np.testing.assert_allclose(of_csr.center, dense.center, rtol=1e-12)
    np.testing.assert_allclose(of_csr.deviation, dense.deviation, rtol=1e-12)
    assert not of_csr.offset.any()


def test_the_weight_of_a_stream_stays_finite():
    statistics = measure_all_rows(np.eye(2), np.full(2, 4e307))
    for _ in range(3):
        statistics = statistics.combine(statistics)
    assert np.isfinite(statistics.weight)
    np.testing.assert_allclose(statistics.center, 0.5)


@pytest.mark.parametrize("factor", [3.0, 0.1, 1e-3, 1e300, 1e-310])
def test_relative_weights_do_not_depend_on_the_unit(factor):
    weight = np.random.default_rng(0).integers(1, 9, size=50).astype(float)
    np.testing.assert_array_equal(
        compute_relative_weight(factor * weight), compute_relative_weight(weight)
    )


@pytest.mark.parametrize("measure", [measure_columns, measure_sparse_columns])
def test_the_divisor_of_a_constant_column_makes_it_zero(measure):
    X = np.column_stack([np.full(5, 7.0), np.arange(5.0)])
    X = X if measure is measure_columns else sparse.csr_array(X)
    np.testing.assert_array_equal(
        np.isinf(measure_all_rows(X, None, measure).divisor), [True, False]
    )


@pytest.fixture
def sparse_values():
    """Statistics of sparse columns with tiny, usual and huge values and of an empty one."""
    X = sparse.csr_array(np.eye(1000, 4) * [1e-300, 1.0, 1e300, 0.0])
    return X, measure_all_rows(X, None, measure_sparse_columns)


def test_scaled_sparse_values_have_an_upper_bound(sparse_values):
    X, statistics = sparse_values
    values = standardize_csr(X, statistics.scale).toarray()
    np.testing.assert_allclose(values.max(axis=0), [LARGEST_SPARSE_INPUT] * 3 + [0])


def test_huge_sparse_values_are_clipped():
    X = sparse.csr_array([[np.finfo(np.float64).max]])
    np.testing.assert_array_equal(standardize_csr(X, np.array([1e-3])).toarray(), [[LARGEST_INPUT]])


def test_an_empty_sparse_column_has_scale_one(sparse_values):
    _, statistics = sparse_values
    assert statistics.scale[3] == 1


@pytest.fixture
def with_outliers():
    """Numbers of deviation 2, of which the first 50 are outliers."""
    values = np.random.default_rng(0).normal(5, 2, size=(10_001, 1))
    values[:50] = 1e6
    return values


def test_robust_statistics_are_the_median_and_a_deviation_without_outliers(with_outliers):
    statistics = measure_all_rows(with_outliers, None, measure_robustly)
    np.testing.assert_allclose(statistics.center, np.median(with_outliers))
    np.testing.assert_allclose(statistics.scale, 2, rtol=0.03)


def test_robust_statistics_of_weighted_rows_are_those_of_repeated_rows(with_outliers):
    values = with_outliers[50:551]
    counts = np.random.default_rng(1).integers(0, 4, size=501)
    weighted = measure_robustly(values, np.flatnonzero(counts), counts[counts > 0].astype(float))
    repeated = measure_all_rows(values.repeat(counts, axis=0), None, measure_robustly)
    np.testing.assert_allclose(weighted.center, repeated.center)
    np.testing.assert_allclose(weighted.deviation, repeated.deviation)


def test_robust_scale_of_mostly_equal_numbers_is_their_mean_deviation():
    values = np.r_[np.zeros(90), np.full(10, 8.0)][:, None]
    assert measure_all_rows(values, None, measure_robustly).scale == pytest.approx(0.8)


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
    plain = Statistics.make_identity(3)
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
    tiny, usual = (measure_all_rows(unit * np.eye(2)[:, :1], None) for unit in (1e-40, 1.0))
    for part in rescale_inputs(kernel, bias, tiny, usual):
        assert np.abs(part).max() <= 1
    huge = np.zeros(3), np.full(3, 1e300)
    for part in rescale_outputs(np.ones((1, 3), np.float32), bias, huge, (np.zeros(3), np.ones(3))):
        assert np.abs(part).max() <= 1


def test_statistics_of_the_smallest_weights_combine():
    smallest = np.nextafter(0, 1)
    one = measure_all_rows(np.array([[1.0]]), np.array([smallest]))
    two = measure_all_rows(np.array([[3.0]]), np.array([smallest]))
    assert one.combine(two).center == 2


def test_float16_is_scaled_in_float64():
    block = np.full((1, 1), 6e4, np.float16)
    for mean in (None, np.zeros(1)):
        assert standardize(block, mean, np.full(1, 1e-3)) == block.astype(float) / 1e-3
