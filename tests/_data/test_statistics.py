"""Weighted statistics of columns and targets, and the rules for centers and scales."""

import numpy as np
import pytest
from scipy import sparse

from skreg._data.scaling import standardize
from skreg._data.statistics import (
    find_weighted_quantiles,
    iterate_blocks,
    measure_columns,
    measure_numbers,
    measure_robustly,
)


def measure_all_rows(X, weight=None, function=measure_columns):
    n_rows = X.shape[0]
    return function(X, np.arange(n_rows), np.ones(n_rows) if weight is None else weight)


def measure_mean_and_scale(X, weight=None):
    statistics = measure_all_rows(X, weight, measure_numbers)
    return statistics.center, statistics.scale


def test_statistics_are_those_of_the_weighted_table():
    X = np.random.default_rng(0).normal(size=(200, 5))
    weight = np.random.default_rng(1).uniform(0.1, 3, size=200)
    mean, scale = measure_mean_and_scale(X, weight)
    expected = np.average(X, axis=0, weights=weight)
    # Relative weights are rounded to 28 bits.
    np.testing.assert_allclose(mean, expected, rtol=1e-8)
    variance = np.average((X - expected) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(scale, np.sqrt(variance), rtol=1e-8)
    mean, scale = measure_mean_and_scale(X)
    np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scale, X.std(axis=0), rtol=1e-12)


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


def test_zeros_of_both_signs_have_a_mean_without_sign():
    for values in ([[-0.0], [0.0]], [[0.0], [-0.0]]):
        assert not np.signbit(measure_mean_and_scale(np.array(values))[0]).any()


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
    assert combined.moments.weight == pytest.approx(whole.moments.weight)


def test_kinds_of_columns_of_two_tables_combine_to_those_of_both(mixed_columns):
    X, weight = mixed_columns
    whole = measure_all_rows(X, weight)
    parts = [measure_all_rows(X[rows], weight[rows]) for rows in np.split(np.arange(2500), [3, 90])]
    combined = parts[0].combine(parts[1]).combine(parts[2])
    for name in FIELDS:
        one, two = getattr(combined, name), getattr(whole, name)
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


@pytest.fixture
def mixed_columns():
    """Columns of all kinds: numbers, indicators, mostly zeros, constants, huge and tiny ones."""
    rng = np.random.default_rng(0)
    n_rows = 2500  # several blocks
    few = rng.random((n_rows, 4)) < 0.1
    columns = [
        rng.normal(5, 2, n_rows),
        rng.random(n_rows) < 0.02,
        rng.random(n_rows) < 0.98,
        np.where(few[:, 0], rng.lognormal(size=n_rows), 0),
        np.where(few[:, 1], 3e-300 * rng.normal(size=n_rows), 0),
        np.where(few[:, 2], 1e300, 7e299),
        np.where(rng.random(n_rows) < 0.5, 0, rng.integers(1, 4, n_rows)),
        np.full(n_rows, 7.0),
        np.zeros(n_rows),
        np.where(few[:, 3], -5.0, 0),
    ]
    return np.column_stack(columns), rng.uniform(0.1, 3, n_rows)


FIELDS = ("low", "high", "zeros", "is_two_valued", "center", "scale", "divisor", "constant")


def assert_equal_statistics(one, two):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_array_equal(one.moments.deviation, two.moments.deviation)


def test_statistics_do_not_depend_on_the_storage(mixed_columns):
    X, weight = mixed_columns
    expected = measure_all_rows(X, weight)
    for stored in (sparse.csr_array(X), sparse.csr_matrix(X), np.asfortranarray(X)):
        assert_equal_statistics(measure_all_rows(stored, weight), expected)


def test_statistics_of_a_column_do_not_depend_on_the_others(mixed_columns):
    X, weight = mixed_columns
    whole = measure_all_rows(X, weight)
    for k in range(X.shape[1]):
        alone = measure_all_rows(X[:, [k]], weight)
        for name in FIELDS:
            assert getattr(alone, name)[0] == getattr(whole, name)[k]


def test_two_values_become_zero_and_one(mixed_columns):
    X, weight = mixed_columns
    statistics = measure_all_rows(X, weight)
    np.testing.assert_array_equal(
        statistics.is_two_valued, [False, True, True, False, False, True, False, True, True, True]
    )
    scaled = standardize(X, statistics.center, statistics.divisor)
    for k, rare in ((1, 1), (2, -1), (5, 1), (9, -1)):
        assert set(scaled[:, k]) == {0, rare}
        assert (scaled[:, k] == 0).mean() > 0.5


def test_the_more_frequent_value_is_so_by_weight():
    X = np.array([[0.0], [1.0], [1.0]])
    assert measure_all_rows(X).center == 1
    assert measure_all_rows(X, np.array([3.0, 1.0, 1.0])).center == 0


def test_mostly_zeros_are_not_centred_and_have_an_upper_bound(mixed_columns):
    X, weight = mixed_columns
    statistics = measure_all_rows(X, weight)
    assert not statistics.center[[3, 4]].any()
    deviation = np.sqrt(np.cov(X[:, 3], aweights=weight, ddof=0))
    assert statistics.scale[3] == pytest.approx(max(deviation, X[:, 3].max() / 10))
    one_large = np.r_[np.zeros(998), 1.0, 1000.0][:, None]
    assert measure_all_rows(one_large).scale == 100


def test_the_weight_of_a_stream_stays_finite():
    statistics = measure_all_rows(np.eye(2), np.full(2, 4e307))
    for _ in range(3):
        statistics = statistics.combine(statistics)
    assert np.isfinite(statistics.moments.weight)
    np.testing.assert_allclose(statistics.moments.center, 0.5)


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
def test_the_divisor_of_a_constant_column_makes_it_zero(convert):
    X = np.column_stack([np.full(5, 7.0), np.arange(5.0), np.zeros(5)])
    np.testing.assert_array_equal(
        np.isinf(measure_all_rows(convert(X)).divisor), [True, False, True]
    )
    assert measure_all_rows(convert(X)).scale[2] == 1


@pytest.fixture
def with_outliers():
    """Numbers of deviation 2, of which the first 50 are outliers."""
    values = np.random.default_rng(0).normal(5, 2, size=(10_001, 1))
    values[:50] = 1e6
    return values


@pytest.mark.parametrize("level", [1e-12, 0.05, 0.25, 0.5, 0.75, 0.999])
def test_weighted_quantile_is_that_of_repeated_values(level):
    rng = np.random.default_rng(0)
    values, counts = np.round(rng.normal(size=100), 1), rng.integers(1, 5, 100)
    got = find_weighted_quantiles(values, counts / counts.sum(), np.array([level]))
    expected = np.quantile(values.repeat(counts), level, method="averaged_inverted_cdf")
    np.testing.assert_allclose(got, expected)


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


def test_statistics_of_the_smallest_weights_combine():
    smallest = np.nextafter(0, 1)
    one = measure_all_rows(np.array([[1.0]]), np.array([smallest]))
    two = measure_all_rows(np.array([[3.0]]), np.array([smallest]))
    assert one.combine(two).moments.center == 2
