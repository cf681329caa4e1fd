"""Canonical weighted rows: merging, held-out rows, visits, orders."""

import numpy as np
import pytest

import skreg._data.rows as rows_module
from skreg._data.rows import merge_rows, split_rows
from skreg._data.scaling import measure_columns
from skreg._data.tables import (
    choose_batch_size,
    draw_orders,
    make_training_rows,
    make_validation_rows,
)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = rng.integers(0, 3, size=200)
    return X, y


def prepared(X, y, weight=None):
    merged = merge_rows(X, y, weight)
    statistics = measure_columns(X, merged.first, merged.weight)
    mean, scale = statistics.center, statistics.scale
    return make_training_rows(X, y, merged, mean, scale), mean, scale


def assert_same(left, right):
    (rows, *statistics), (other, *other_statistics) = left, right
    np.testing.assert_array_equal(rows.table.values, other.table.values)
    for name in ("targets", "visit_weight", "visits"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(other, name))
    for values, others in zip(statistics, other_statistics, strict=True):
        np.testing.assert_array_equal(values, others)


def test_weights_are_repetitions_bit_for_bit(table):
    X, y = table
    weight = np.random.default_rng(1).integers(0, 4, size=len(y))
    repeated = prepared(X.repeat(weight, axis=0), y.repeat(weight))
    assert_same(prepared(X, y, weight.astype(float)), repeated)


def test_integers_that_are_equal_as_float64_are_one_value():
    big = 2**53
    X = np.array([[big], [big + 1], [big + 4], [big]])
    merged = merge_rows(X, np.zeros(4, int), None)
    assert sorted(merged.weight) == [1, 3]


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
    monkeypatch.setattr(rows_module, "_hash_rows", lambda X, y: np.zeros(len(y), np.uint64))
    merged = merge_rows(X, y, None)
    assert sorted(merged.first) == sorted(expected.first)
    np.testing.assert_array_equal(merged.weight, 2)
    order = np.random.default_rng(0).permutation(len(y))
    other = merge_rows(X[order], y[order], None)
    np.testing.assert_array_equal(X[merged.first], X[order][other.first])


def visit_counts(weight):
    X = np.arange(len(weight), dtype=float)[:, None]
    merged = merge_rows(X, np.zeros(len(weight), int), np.asarray(weight, dtype=float))
    made = make_training_rows(X, np.zeros(len(weight), int), merged, None, None)
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
    assert made.table.values.dtype == np.float32
    assert made.table.values.ctypes.data % 64 == 0
    assert not made.table.values[200:].any()
    assert not made.table.values[:, 5:].any()
    assert made.visits.max() == 199


def test_permutations_do_not_depend_on_how_many_are_drawn_together():
    visits = np.arange(30, dtype=np.int32).repeat(2)
    together = draw_orders(visits, 7, 0, 5, (5, 64))
    for epoch in range(5):
        np.testing.assert_array_equal(draw_orders(visits, 7, epoch, 1, (1, 64))[0], together[epoch])
        np.testing.assert_array_equal(np.sort(together[epoch, :60]), visits)
        assert not together[epoch, 60:].any()
    assert len({row.tobytes() for row in together}) == 5
    assert (draw_orders(visits, 8, 0, 1, (1, 64)) != together[0]).any()


@pytest.mark.parametrize("n_visits", [1, 10, 569, 5000, 10**5, 10**7])
def test_automatic_batch_size_is_a_power_of_two(n_visits):
    size = choose_batch_size(n_visits)
    assert size & (size - 1) == 0
    assert choose_batch_size(2 * n_visits) >= size


def held_out_share(rows, side):
    return side.weight.sum() / rows.weight.sum()


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
def test_held_out_rows_are_a_share_of_the_weight_of_each_class(fraction, weighted):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 3))
    y = rng.choice(4, size=2000, p=[0.6, 0.3, 0.08, 0.02])
    weight = rng.uniform(0.1, 5, size=2000) if weighted else None
    rows = merge_rows(X, y, weight)
    training, validation = split_rows(rows, y[rows.first], fraction, np.random.default_rng(1))
    assert not set(training.first) & set(validation.first)
    assert len(training.first) + len(validation.first) == len(rows.first)
    largest = rows.weight.max() / rows.weight.sum()
    assert abs(held_out_share(rows, validation) - fraction) <= largest
    for code in range(4):
        of_class = rows.weight[y[rows.first] == code].sum()
        held_out = validation.weight[y[validation.first] == code].sum()
        assert abs(held_out - fraction * of_class) <= 2 * rows.weight.max()


def test_last_row_of_a_class_is_never_held_out():
    X = np.arange(13.0)[:, None]
    y = np.array([0] * 10 + [1, 2, 2])
    for seed in range(20):
        rows = merge_rows(X, y, None)
        training, _ = split_rows(rows, y[rows.first], 0.9, np.random.default_rng(seed))
        assert set(y[training.first]) == {0, 1, 2}


def test_a_share_that_rounds_to_nothing_holds_out_one_row_if_any_can_be_spared():
    X = np.arange(5.0)[:, None]
    rows = merge_rows(X, np.array([0, 0, 0, 1, 2]), None)
    generator = np.random.default_rng(0)
    _, held_out = split_rows(rows, np.array([0, 0, 0, 1, 2])[rows.first], 1e-3, generator)
    assert len(held_out.first) == 1
    assert held_out.first[0] < 3
    _, none = split_rows(rows, np.arange(5)[rows.first], 0.9, generator)
    assert not len(none.first)


def test_validation_shares_sum_to_one_and_padding_has_none(table):
    X, y = table
    rows = merge_rows(X, y, np.random.default_rng(1).uniform(1, 9, size=len(y)))
    made = make_validation_rows(X, y, rows, None, None)
    np.testing.assert_allclose(made.share.sum(), 1, rtol=1e-6)
    assert not made.share[made.n_rows :].any()
