"""Canonical weighted rows: merging, statistics, visits, permutations."""

import numpy as np
import pytest

import skreg._rows as rows_module
from skreg._rows import (
    LARGEST_INPUT,
    automatic_batch_size,
    blocks,
    column_statistics,
    merge_rows,
    permutations,
    standardised,
    training_rows,
)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = rng.integers(0, 3, size=200)
    return X, y


def prepared(X, y, weight=None):
    merged = merge_rows(X, y, weight)
    mean, scale = column_statistics(X, merged)
    return training_rows(X, y, merged, mean, scale), mean, scale


def assert_same(left, right):
    (rows, *statistics), (other, *other_statistics) = left, right
    for name in ("table", "targets", "visit_weight", "visits"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(other, name))
    for values, others in zip(statistics, other_statistics, strict=True):
        np.testing.assert_array_equal(values, others)


def test_weights_are_repetitions_bit_for_bit(table):
    X, y = table
    weight = np.random.default_rng(1).integers(0, 4, size=len(y))
    repeated = prepared(X.repeat(weight, axis=0), y.repeat(weight))
    assert_same(prepared(X, y, weight.astype(float)), repeated)


def test_order_of_rows_and_precision_of_the_same_values_do_not_matter(table):
    X, y = table
    X = X.astype(np.float32)
    weight = np.random.default_rng(1).uniform(0.1, 3, size=len(y))
    X, y, weight = X.repeat(2, axis=0), y.repeat(2), weight.repeat(2) * np.tile([0.3, 0.7], len(y))
    order = np.random.default_rng(2).permutation(len(y))
    for other in (X[order], np.asfortranarray(X[order])):
        assert_same(prepared(X, y, weight), prepared(other, y[order], weight[order]))
    merged = merge_rows(X, y, None)
    np.testing.assert_array_equal(merged.first, merge_rows(X.astype(float), y, None).first)


def test_equal_rows_merge_only_with_equal_labels_and_minus_zero_is_zero():
    X = np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, 1.0], [2.0, 1.0]])
    merged = merge_rows(X, np.array([0, 0, 1, 0]), np.array([0.5, 2.0, 4.0, 0.0]))
    by_first = dict(zip(merged.first.tolist(), merged.weight.tolist(), strict=True))
    assert by_first == {0: 2.5, 2: 4.0}


def test_rows_whose_hashes_collide_are_still_told_apart(table, monkeypatch):
    X, y = table
    X, y = X.repeat(2, axis=0), y.repeat(2)
    expected = merge_rows(X, y, None)
    monkeypatch.setattr(rows_module, "_row_hashes", lambda X, y: np.zeros(len(y), np.uint64))
    merged = merge_rows(X, y, None)
    assert sorted(merged.first) == sorted(expected.first)
    np.testing.assert_array_equal(merged.weight, 2)
    order = np.random.default_rng(0).permutation(len(y))
    other = merge_rows(X[order], y[order], None)
    np.testing.assert_array_equal(X[merged.first], X[order][other.first])


def test_statistics_are_those_of_the_weighted_table(table):
    X, y = table
    weight = np.random.default_rng(1).uniform(0.1, 3, size=len(y))
    mean, scale = column_statistics(X, merge_rows(X, y, weight))
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
    mean, scale = column_statistics(X, merge_rows(X, np.zeros(1000, int), None))
    np.testing.assert_allclose(scale / spread, values.std(), rtol=1e-6)
    np.testing.assert_allclose((mean - offset) / spread, values.mean(), atol=1e-6)
    block = standardised(X.copy(), mean, scale)
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
    mean, scale = column_statistics(X, merge_rows(X, np.zeros(37, int), None))
    assert scale[0] == 1 or value > 1e30  # where rounding alone is more than 1
    assert np.abs(standardised(X.astype(float), mean, scale)[:, 0]).max() <= 1
    if value < 1e30:
        np.testing.assert_allclose(standardised(X.astype(float), mean, scale)[:, 0], 0, atol=1e-6)


def test_values_at_the_ends_of_float64_are_standardised_right():
    X = np.array([[-1.7e308], [1.7e308], [1.7e308]])
    mean, scale = column_statistics(X, merge_rows(X, np.zeros(3, int), None))
    got = standardised(X.copy(), mean, scale)[:, 0]
    small = np.array([-1.7, 1.7, 1.7])
    np.testing.assert_allclose(got, (small - small.mean()) / small.std(), rtol=1e-9)


def test_far_values_are_held_within_bounds():
    got = standardised(np.array([[1e308, -1e308]]), np.zeros(2), np.full(2, 1e-5))
    np.testing.assert_array_equal(got, [[LARGEST_INPUT, -LARGEST_INPUT]])


def visit_counts(weight):
    X = np.arange(len(weight), dtype=float)[:, None]
    merged = merge_rows(X, np.zeros(len(weight), int), np.asarray(weight, dtype=float))
    made = training_rows(X, np.zeros(len(weight), int), merged, None, None)
    counts = np.bincount(made.visits)
    position = np.argsort(merged.first)
    return counts[position], made.visit_weight[: len(position)][position], made


def test_row_is_visited_ceil_of_its_weight_with_equal_shares():
    weight = np.array([0.25, 1.0, 1.5, 3.0])
    counts, share, made = visit_counts(weight)
    np.testing.assert_array_equal(counts, [1, 1, 2, 3])
    np.testing.assert_allclose(counts * share / (counts * share).sum(), weight / weight.sum())
    np.testing.assert_allclose(made.visit_weight[made.visits].mean(), 1, rtol=1e-6)


def test_unit_weights_visit_each_row_once_at_weight_one():
    counts, share, _ = visit_counts(np.ones(50))
    np.testing.assert_array_equal(counts, 1)
    np.testing.assert_array_equal(share, np.float32(1))


def test_survey_weights_do_not_make_endless_epochs():
    weight = np.random.default_rng(0).uniform(1000, 9000, size=2000)
    counts, share, _ = visit_counts(weight)
    assert counts.sum() <= 4 * 2000 + 2000
    np.testing.assert_allclose(
        counts * share / (counts * share).sum(), weight / weight.sum(), rtol=1e-6
    )


def test_weights_that_are_integers_but_for_rounding_cost_no_extra_visit():
    counts, _, _ = visit_counts(np.full(10, 1 + 4e-16))
    np.testing.assert_array_equal(counts, 1)


def test_padding_is_zero_and_the_table_is_aligned(table):
    X, y = table
    made, _, _ = prepared(X, y)
    assert made.table.shape == (208, 8)
    assert made.table.dtype == np.float32
    assert made.table.ctypes.data % 64 == 0
    assert not made.table[200:].any()
    assert not made.table[:, 5:].any()
    assert made.visits.max() == 199


def test_permutations_do_not_depend_on_how_many_are_drawn_together():
    visits = np.arange(30, dtype=np.int32).repeat(2)
    together = permutations(visits, 7, 0, 5, 64)
    for epoch in range(5):
        np.testing.assert_array_equal(permutations(visits, 7, epoch, 1, 64)[0], together[epoch])
        np.testing.assert_array_equal(np.sort(together[epoch, :60]), visits)
        assert not together[epoch, 60:].any()
    assert len({row.tobytes() for row in together}) == 5
    assert (permutations(visits, 8, 0, 1, 64) != together[0]).any()


def test_blocks_cover_every_row_once():
    for n_rows, n_columns in [(0, 3), (1, 1), (100, 10**7), (10**6, 50)]:
        covered = [
            index for block in blocks(n_rows, n_columns) for index in (block.start, block.stop)
        ]
        assert covered[::2] == [0, *covered[1:-1:2]][: len(covered) // 2]
        assert (covered[-1] if covered else 0) == n_rows


@pytest.mark.parametrize("n_visits", [1, 10, 569, 5000, 10**5, 10**7])
def test_automatic_batch_size_is_a_power_of_two(n_visits):
    size = automatic_batch_size(n_visits)
    assert size & (size - 1) == 0
    assert automatic_batch_size(2 * n_visits) >= size
