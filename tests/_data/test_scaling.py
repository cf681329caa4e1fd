"""Scales: statistics of every kind, and networks whose function outlives a move of them."""

import numpy as np
import pytest
from scipy import sparse

from skreg._data.scaling import (
    LARGEST_INPUT,
    LARGEST_SPARSE_INPUT,
    Statistics,
    iterate_blocks,
    measure_columns,
    measure_robustly,
    measure_sparse_columns,
    rescale_inputs,
    rescale_outputs,
    standardize,
    standardize_csr,
)


def statistics_of(X, weight=None, function=measure_columns):
    n_rows = X.shape[0]
    return function(X, np.arange(n_rows), np.ones(n_rows) if weight is None else weight)


def mean_and_scale(X, weight=None):
    statistics = statistics_of(X, weight)
    return statistics.center, statistics.scale


def test_statistics_are_those_of_the_weighted_table():
    X = np.random.default_rng(0).normal(size=(200, 5))
    weight = np.random.default_rng(1).uniform(0.1, 3, size=200)
    mean, scale = mean_and_scale(X, weight)
    expected = np.average(X, axis=0, weights=weight)
    np.testing.assert_allclose(mean, expected, rtol=1e-12)
    variance = np.average((X - expected) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(scale, np.sqrt(variance), rtol=1e-12)


@pytest.mark.parametrize(
    ("offset", "spread"), [(0, 1), (1e9, 1), (0, 1e300), (0, 1e-300), (1e6, 1e-3)]
)
def test_statistics_of_huge_tiny_and_far_columns(offset, spread):
    values = np.random.default_rng(0).normal(size=1000)
    X = (offset + spread * values)[:, None]
    mean, scale = mean_and_scale(X)
    np.testing.assert_allclose(scale / spread, values.std(), rtol=1e-6)
    np.testing.assert_allclose((mean - offset) / spread, values.mean(), atol=1e-6)
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
def test_constant_columns_have_scale_one(value, dtype):
    X = np.full((37, 1), value, dtype=dtype)
    X = np.hstack([X, np.arange(37, dtype=dtype)[:, None]])
    mean, scale = mean_and_scale(X)
    assert scale[0] == 1 or value > 1e30  # where rounding alone is more than 1
    assert mean[0] == X[0, 0]
    assert not standardize(X.astype(float), mean, scale)[:, 0].any()


def test_values_at_the_ends_of_float64_are_standardised_right():
    X = np.array([[-1.7e308], [1.7e308], [1.7e308]])
    mean, scale = mean_and_scale(X)
    got = standardize(X.copy(), mean, scale)[:, 0]
    small = np.array([-1.7, 1.7, 1.7])
    np.testing.assert_allclose(got, (small - small.mean()) / small.std(), rtol=1e-9)


def test_far_values_are_held_within_bounds():
    got = standardize(np.array([[1e308, -1e308]]), np.zeros(2), np.full(2, 1e-5))
    np.testing.assert_array_equal(got, [[LARGEST_INPUT, -LARGEST_INPUT]])


def test_blocks_cover_every_row_once():
    for n_rows, n_columns in [(0, 3), (1, 1), (100, 10**7), (10**6, 50)]:
        covered = [
            index
            for block in iterate_blocks(n_rows, n_columns)
            for index in (block.start, block.stop)
        ]
        assert covered[::2] == [0, *covered[1:-1:2]][: len(covered) // 2]
        assert (covered[-1] if covered else 0) == n_rows


@pytest.mark.parametrize("spread", [1.0, 1e-200, 1e200, 1.0e308])
def test_statistics_of_two_tables_combine_to_those_of_both(spread):
    rng = np.random.default_rng(0)
    X = np.clip(rng.normal(3, 1, size=(300, 4)), -10, 10) / 10 * spread
    X[:, 1] = spread / 2
    weight = rng.uniform(0.1, 3, size=300)
    whole = statistics_of(X, weight)
    parts = [statistics_of(X[rows], weight[rows]) for rows in np.split(np.arange(300), [7, 100])]
    combined = parts[0].combine(parts[1]).combine(parts[2])
    np.testing.assert_allclose(combined.center, whole.center, rtol=1e-10)
    np.testing.assert_allclose(combined.scale, whole.scale, rtol=1e-10)
    assert combined.weight == pytest.approx(whole.weight)


def test_sparse_statistics_are_those_of_the_dense_table():
    X = sparse.random_array((200, 30), density=0.1, rng=np.random.default_rng(0), format="csr")
    weight = np.random.default_rng(1).uniform(0.1, 3, size=200)
    dense, of_csr = (
        statistics_of(X.toarray(), weight),
        statistics_of(X, weight, measure_sparse_columns),
    )
    np.testing.assert_allclose(of_csr.center, dense.center, rtol=1e-12)
    np.testing.assert_allclose(of_csr.deviation, dense.deviation, rtol=1e-12)
    assert not of_csr.offset.any()


def test_no_scaled_sparse_value_exceeds_the_cap_and_empty_columns_stay():
    X = sparse.csr_array(np.eye(1000, 4) * [1e-300, 1.0, 1e300, 0.0])
    statistics = statistics_of(X, None, measure_sparse_columns)
    values = standardize_csr(X, statistics.scale).toarray()
    np.testing.assert_allclose(values.max(axis=0), [LARGEST_SPARSE_INPUT] * 3 + [0])
    assert statistics.scale[3] == 1


def test_robust_statistics_are_the_median_and_its_deviation():
    values = np.random.default_rng(0).normal(5, 2, size=(10_001, 1))
    values[:50] = 1e6
    statistics = statistics_of(values, None, measure_robustly)
    np.testing.assert_allclose(statistics.center, np.median(values))
    np.testing.assert_allclose(statistics.scale, 2, rtol=0.03)
    counts = np.random.default_rng(1).integers(0, 4, size=501)
    some = values[50:551]
    weighted = measure_robustly(some, np.flatnonzero(counts), counts[counts > 0].astype(float))
    repeated = statistics_of(some.repeat(counts, axis=0), None, measure_robustly)
    np.testing.assert_allclose(weighted.center, repeated.center)
    np.testing.assert_allclose(weighted.deviation, repeated.deviation)
    mostly_zero = np.r_[np.zeros(90), np.full(10, 8.0)][:, None]
    assert statistics_of(mostly_zero, None, measure_robustly).scale == pytest.approx(0.8)


def outputs(X, statistics, kernel, bias):
    return standardize(X, statistics.center, statistics.scale) @ kernel + bias


def test_function_is_the_same_when_the_inputs_scale_moves():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    X[:20, 2] = 7.0  # constant at first
    kernel, bias = rng.normal(size=(3, 4)), rng.normal(size=4)
    old, new = statistics_of(X[:20]), statistics_of(X)
    moved = rescale_inputs(kernel, bias, old, new)
    np.testing.assert_allclose(
        outputs(X[:20], new, *moved), outputs(X[:20], old, kernel, bias), atol=1e-5
    )
    # The column that was constant has told nothing of its scale: its weights stay.
    np.testing.assert_allclose(moved[0][2], kernel[2], rtol=1e-6)
    plain = Statistics.make_identity(3)
    back = rescale_inputs(*moved, new, plain)
    np.testing.assert_allclose(
        outputs(X[:20], plain, *back), outputs(X[:20], old, kernel, bias), atol=1e-4
    )


def test_function_is_the_same_when_the_targets_scale_moves():
    rng = np.random.default_rng(0)
    kernel, bias, hidden = rng.normal(size=(4, 2)), rng.normal(size=2), rng.normal(size=(9, 4))
    old, new = (np.array([1.0, -3.0]), np.array([2.0, 5.0])), (np.zeros(2), np.array([0.5, 10.0]))
    moved = rescale_outputs(kernel, bias, old, new)
    expected = old[0] + old[1] * (hidden @ kernel + bias)
    np.testing.assert_allclose(
        new[0] + new[1] * (hidden @ moved[0] + moved[1]), expected, atol=1e-4
    )
