"""Weighted rows: equal rows are merged, and a share of them is held out."""

import numpy as np
import pytest

from skreg._data.rows import count_rows, merge_rows, split_rows


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = rng.integers(0, 3, size=200)
    return X, y


# -- merge_rows --------------------------------------------------------------------------------


def test_equal_rows_merge_only_with_equal_labels():
    X = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [2.0, 1.0]])
    merged = merge_rows(X, np.array([0, 0, 1, 0]), np.array([0.5, 2.0, 4.0, 1.0]))
    weights = dict(zip(merged.indices.tolist(), merged.weight.tolist(), strict=True))
    assert weights == {0: 2.5, 2: 4.0, 3: 1.0}


def test_minus_zero_is_zero_and_rows_of_weight_zero_are_left_out():
    X = np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, 1.0], [2.0, 1.0]])
    merged = merge_rows(X, np.array([0, 0, 1, 0]), np.array([0.5, 2.0, 4.0, 0.0]))
    weights = dict(zip(merged.indices.tolist(), merged.weight.tolist(), strict=True))
    assert weights == {0: 2.5, 2: 4.0}


def test_integers_that_are_equal_as_float64_are_one_value():
    large = 2**53
    X = np.array([[large], [large + 1], [large + 4], [large]])
    merged = merge_rows(X, np.zeros(4, int), None)
    assert sorted(merged.weight) == [1, 3]


def test_float32_and_float64_tables_of_the_same_values_have_the_same_order(table):
    X, y = table
    X, y = X.astype(np.float32).repeat(2, axis=0), y.repeat(2)
    single, double = merge_rows(X, y, None), merge_rows(X.astype(float), y, None)
    np.testing.assert_array_equal(single.indices, double.indices)


@pytest.fixture
def _equal_hashes(monkeypatch):
    """Give every row the same hash."""
    monkeypatch.setattr("skreg._data.rows._hash_rows", lambda X, y: np.zeros(len(y), np.uint64))


def test_rows_with_equal_hashes_are_told_apart(table, request):
    X, y = table
    X, y = X.repeat(2, axis=0), y.repeat(2)
    expected = merge_rows(X, y, None)
    request.getfixturevalue("_equal_hashes")
    merged = merge_rows(X, y, None)
    assert sorted(merged.indices) == sorted(expected.indices)
    np.testing.assert_array_equal(merged.weight, 2)


@pytest.mark.usefixtures("_equal_hashes")
def test_rows_with_equal_hashes_are_in_the_same_order_for_any_order_of_the_table(table):
    X, y = table
    X, y = X.repeat(2, axis=0), y.repeat(2)
    order = np.random.default_rng(0).permutation(len(y))
    merged, other = merge_rows(X, y, None), merge_rows(X[order], y[order], None)
    np.testing.assert_array_equal(X[merged.indices], X[order][other.indices])


# -- split_rows --------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
def test_held_out_rows_are_a_share_of_the_weight_of_each_class(fraction, weighted):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 3))
    y = rng.choice(4, size=2000, p=[0.6, 0.3, 0.08, 0.02])
    weight = rng.uniform(0.1, 5, size=2000) if weighted else None
    rows = merge_rows(X, y, weight)
    training, held_out = split_rows(rows, y[rows.indices], fraction, np.random.default_rng(1))
    assert not set(training.indices) & set(held_out.indices)
    assert len(training.indices) + len(held_out.indices) == len(rows.indices)
    total, largest = rows.weight.sum(), rows.weight.max()
    assert abs(held_out.weight.sum() / total - fraction) <= largest / total
    for code in range(4):
        of_class = rows.weight[y[rows.indices] == code].sum()
        held_out_of_class = held_out.weight[y[held_out.indices] == code].sum()
        assert abs(held_out_of_class - fraction * of_class) <= 2 * largest


def test_last_row_of_a_class_is_never_held_out():
    X = np.arange(13.0)[:, None]
    y = np.array([0] * 10 + [1, 2, 2])
    for seed in range(20):
        rows = merge_rows(X, y, None)
        training, _ = split_rows(rows, y[rows.indices], 0.9, np.random.default_rng(seed))
        assert set(y[training.indices]) == {0, 1, 2}


def test_a_share_that_rounds_to_zero_holds_out_one_row():
    y = np.array([0, 0, 0, 1, 2])
    rows = merge_rows(np.arange(5.0)[:, None], y, None)
    _, held_out = split_rows(rows, y[rows.indices], 1e-3, np.random.default_rng(0))
    assert len(held_out.indices) == 1
    assert held_out.indices[0] < 3


def test_no_row_is_held_out_if_every_class_has_one_row():
    y = np.arange(5)
    rows = merge_rows(np.arange(5.0)[:, None], y, None)
    _, held_out = split_rows(rows, y[rows.indices], 0.9, np.random.default_rng(0))
    assert not len(held_out.indices)


# -- count_rows --------------------------------------------------------------------------------


FACTORS = [1.0, 0.1, 3e-7, 1e200]


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(
    ("weight", "n_rows"),
    [
        ([1, 1, 1], 3),
        ([1, 40, 2], 43),
        ([4, 6, 10], 10),  # two, three and five
        ([123, 203, 150], 476),
        ([500_009, 499_979], 2),  # more copies than a table has
        ([0.1, 1], 11),
        ([0.7, 1.31, 2.9], 491),
        ([1] * 500 + [0.001] * 500, 500_500),  # as a table with 500 rows a thousand times
        ([0.71234567890123, 1.31415926535897, 2.9876543210987], 3),
        ([1e-9, 1, 1], 3),
        ([1e-300, 1e300], 2),
    ],
)
def test_weights_count_rows_if_they_are_multiples_of_one_number(weight, n_rows, factor):
    with np.errstate(over="ignore"):
        weight = np.minimum(np.array(weight, dtype=float) * factor, 1e300)
    assert count_rows(weight) == n_rows


@pytest.mark.parametrize("n_distinct", [3, 20, 1000])
def test_random_weights_count_the_distinct_rows(n_distinct):
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        for _ in range(50):
            weight = rng.uniform(0.1, 5, n_distinct).astype(dtype).astype(float)
            assert count_rows(weight) == n_distinct


def test_one_tiny_weight_makes_no_counts_of_the_others():
    weight = np.r_[1e-15, np.random.default_rng(0).uniform(0.1, 5, 199)]
    assert count_rows(weight) == 200


@pytest.mark.parametrize(("n_rows", "n_distinct"), [(3000, 20), (1_000_000, 20), (5000, 2000)])
def test_counts_of_a_repeated_table_count_its_rows(n_rows, n_distinct):
    rng = np.random.default_rng(0)
    for _ in range(10):
        shares = rng.dirichlet(np.full(n_distinct, 2.0))
        counts = rng.multinomial(n_rows, shares)
        counts = counts[counts > 0]
        expected = n_rows // np.gcd.reduce(counts)
        for factor in FACTORS:
            assert count_rows(counts * factor) == expected
        assert count_rows((counts * np.float32(0.3)).astype(float)) == expected


def test_rounding_the_weights_of_many_rows_keeps_their_number():
    weight = np.random.default_rng(0).uniform(0.5, 1.5, 400)
    for decimals in (1, 2, 3):
        assert count_rows(weight.round(decimals)) == 400


def test_counts_in_float32_count_rows():
    for counts in (np.arange(1, 1000), np.array([123, 203, 150])):
        assert count_rows((counts * np.float32(0.3)).astype(float)) == counts.sum()
