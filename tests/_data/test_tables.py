"""Padded tables: their values, and the visits of rows."""

import numpy as np
import pytest

from skreg._data.rows import merge_rows
from skreg._data.statistics import measure_columns
from skreg._data.tables import make_training_rows, make_validation_rows


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = rng.integers(0, 3, size=200)
    return X, y


def prepare_rows(X, y, weight=None):
    """Standardised training rows, with the mean and the scale of each column."""
    merged = merge_rows(X, y, weight)
    statistics = measure_columns(X, merged.indices, merged.weight)
    mean, scale = statistics.center, statistics.scale
    return make_training_rows(X, y, merged, mean, scale, None), mean, scale


def assert_same_rows(left, right):
    (rows, *statistics), (other, *other_statistics) = left, right
    np.testing.assert_array_equal(rows.table.values, other.table.values)
    for name in ("targets", "visit_weight", "visits"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(other, name))
    for values, others in zip(statistics, other_statistics, strict=True):
        np.testing.assert_array_equal(values, others)


# -- training rows -----------------------------------------------------------------------------


def test_weighted_rows_equal_repeated_rows(table):
    X, y = table
    weight = np.random.default_rng(1).integers(0, 4, size=len(y))
    repeated = prepare_rows(X.repeat(weight, axis=0), y.repeat(weight))
    assert_same_rows(prepare_rows(X, y, weight.astype(float)), repeated)


@pytest.mark.parametrize("convert", [np.asarray, np.asfortranarray])
def test_order_of_the_rows_does_not_matter(table, convert):
    X, y = table
    X = X.astype(np.float32)
    weight = np.random.default_rng(1).uniform(0.1, 3, size=len(y))
    X, y, weight = X.repeat(2, axis=0), y.repeat(2), weight.repeat(2) * np.tile([0.3, 0.7], len(y))
    order = np.random.default_rng(2).permutation(len(y))
    shuffled = prepare_rows(convert(X[order]), y[order], weight[order])
    assert_same_rows(prepare_rows(X, y, weight), shuffled)


def test_padded_rows_and_columns_are_zero(table):
    rows, _, _ = prepare_rows(*table)
    assert rows.table.shape == (208, 8)
    assert not rows.table.values[200:].any()
    assert not rows.table.values[:, 5:].any()


def test_padded_rows_are_not_visited(table):
    rows, _, _ = prepare_rows(*table)
    assert rows.visits.max() == 199


def test_table_is_aligned_float32(table):
    rows, _, _ = prepare_rows(*table)
    assert rows.table.values.dtype == np.float32
    assert rows.table.values.ctypes.data % 64 == 0


# -- visits ------------------------------------------------------------------------------------


def make_weighted_rows(weight):
    """Training rows, and for each row of the table its number of visits and their weight."""
    X = np.arange(len(weight), dtype=float)[:, None]
    y = np.zeros(len(weight), int)
    merged = merge_rows(X, y, np.asarray(weight, dtype=float))
    rows = make_training_rows(X, y, merged, None, None, None)
    position = np.argsort(merged.indices)
    counts = np.bincount(rows.visits)[position]
    return rows, counts, rows.visit_weight[: len(position)][position]


def assert_shares_follow_the_weights(counts, visit_weight, weight, rtol=1e-7):
    visited = counts * visit_weight
    np.testing.assert_allclose(visited / visited.sum(), weight / weight.sum(), rtol=rtol)


def test_row_is_visited_ceil_of_its_weight_with_equal_shares():
    weight = np.array([0.25, 1.0, 1.5, 3.0])
    rows, counts, visit_weight = make_weighted_rows(weight)
    np.testing.assert_array_equal(counts, [1, 1, 2, 3])
    assert_shares_follow_the_weights(counts, visit_weight, weight)
    np.testing.assert_allclose(rows.visit_weight[rows.visits].mean(), 1, rtol=1e-6)


def test_rows_of_weight_one_are_visited_once_with_weight_one():
    _, counts, visit_weight = make_weighted_rows(np.ones(50))
    np.testing.assert_array_equal(counts, 1)
    np.testing.assert_array_equal(visit_weight, np.float32(1))


def test_large_weights_do_not_make_long_epochs():
    weight = np.random.default_rng(0).uniform(1000, 9000, size=2000)
    _, counts, visit_weight = make_weighted_rows(weight)
    assert counts.sum() < 2 * 2000
    assert_shares_follow_the_weights(counts, visit_weight, weight, rtol=1e-6)


def test_weights_that_rounding_lifts_above_an_integer_cost_no_visit():
    _, counts, _ = make_weighted_rows(np.full(10, 1 + 4e-16))
    np.testing.assert_array_equal(counts, 1)


# -- validation rows ---------------------------------------------------------------------------


def test_shares_of_validation_rows_sum_to_one_and_padded_rows_have_none(table):
    X, y = table
    merged = merge_rows(X, y, np.random.default_rng(1).uniform(1, 9, size=len(y)))
    rows = make_validation_rows(X, y, merged, None, None, None)
    np.testing.assert_allclose(rows.share.sum(), 1, rtol=1e-6)
    assert not rows.share[rows.n_rows :].any()
