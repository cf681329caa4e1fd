"""Encoding of tables: medians, indicators of missing values, and levels of categories."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.impute import SimpleImputer

from skreg._data.columns import (
    _MAX_LEVELS,
    _MAX_REMEMBERED_LEVELS,
    _MIN_SHARE,
    CategoryCells,
    MixedTable,
    TableEncoder,
)


def make_cells(values):
    """Cells of strings; None is missing."""
    levels = sorted({value for value in values if value is not None})
    codes = [-1 if value is None else levels.index(value) for value in values]
    return CategoryCells(np.array(codes), levels, "strings" if levels else None)


def learn(numbers=None, *categories, weight=None):
    """A table, and what it tells."""
    n_rows = len(categories[0]) if numbers is None else numbers.shape[0]
    numbers = np.empty((n_rows, 0)) if numbers is None else numbers
    table = MixedTable(numbers, tuple(make_cells(values) for values in categories))
    is_category = np.arange(numbers.shape[1] + len(categories)) >= numbers.shape[1]
    names = [f"x{k}" for k in range(len(is_category))]
    return table, TableEncoder.fit(table, is_category, names, weight)


def to_dense(table):
    return table.toarray() if sparse.issparse(table) else table


# -- numbers -----------------------------------------------------------------------------------


@pytest.fixture(params=[np.float32, np.float64])
def numbers(request):
    rng = np.random.default_rng(0)
    X = rng.integers(-9, 9, size=(41, 5)).astype(request.param)
    X[rng.random(X.shape) < 0.2] = np.nan
    X[:, 1] = np.arange(41) % 2  # nothing is missing
    X[:, 2] *= rng.random(41) < 0.3  # mostly zeros
    return X


@pytest.mark.parametrize("convert", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_missing_numbers_become_medians_and_indicators(numbers, convert):
    table, columns = learn(convert(numbers))
    expected = SimpleImputer(strategy="median", add_indicator=True).fit_transform(numbers)
    encoded = columns.encode(table)
    np.testing.assert_array_equal(to_dense(encoded), expected)
    assert encoded.dtype == np.float64  # a narrower type may not hold the medians
    assert columns.column_names[4:] == [
        "x4",
        "x0_missing",
        "x2_missing",
        "x3_missing",
        "x4_missing",
    ]


def test_a_column_without_missing_values_takes_its_median_later(numbers):
    _, columns = learn(numbers)
    later = numbers.copy()
    later[:, 1] = np.nan
    for convert in (np.asarray, sparse.csr_array):
        encoded = to_dense(columns.encode(MixedTable(convert(later))))
        assert encoded.shape == (41, 9)
        np.testing.assert_array_equal(encoded[:, 1], 0)


def test_numbers_without_missing_values_are_not_copied(numbers):
    whole = np.nan_to_num(numbers)
    for X in (whole, sparse.csr_array(whole), whole.astype(int)):
        table, columns = learn(X)
        assert columns.encode(table) is X


def test_medians_are_those_of_the_weighted_rows(numbers):
    counts = np.random.default_rng(1).integers(0, 4, 41)
    for convert in (np.asarray, sparse.csr_array):
        _, repeated = learn(convert(numbers.repeat(counts, axis=0)))
        _, weighted = learn(convert(numbers), weight=0.1 * counts)
        np.testing.assert_array_equal(weighted.medians, repeated.medians)
        np.testing.assert_array_equal(weighted.has_indicator, repeated.has_indicator)


def test_the_median_of_an_even_number_of_values_is_their_mean():
    values = np.array([[1.0, 1.7e308], [2.0, 1.7e308], [4.0, np.nan], [5.0, 1.6e308]])
    _, columns = learn(values)
    np.testing.assert_array_equal(columns.medians, [3, 1.7e308])
    np.testing.assert_allclose(learn(values[[0, 3]])[1].medians, [3, 1.65e308])


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
def test_columns_without_values_are_dropped(numbers, convert):
    numbers[:, 3] = np.nan
    table, columns = learn(convert(numbers))
    assert columns.dropped == ["x3"]
    imputer = SimpleImputer(strategy="median", add_indicator=True)
    expected = imputer.fit_transform(np.delete(numbers, 3, axis=1))
    np.testing.assert_array_equal(to_dense(columns.encode(table)), expected)


def test_missing_values_of_rows_without_weight_have_no_indicator(numbers):
    table, columns = learn(numbers, weight=np.isfinite(numbers).all(axis=1).astype(float))
    assert not columns.has_indicator.any()
    assert columns.encode(table).shape == numbers.shape


# -- categories --------------------------------------------------------------------------------


def test_levels_are_sorted_and_missing_and_infrequent_ones_come_last():
    values = ["b"] * 1000 + ["a"] * 1500 + ["c"] * 2 + ["d"] * 2 + [None]
    table, columns = learn(None, values)
    assert columns.column_names == ["x0_a", "x0_b", "x0_missing", "x0_infrequent"]
    encoded = columns.encode(table)
    assert sparse.issparse(encoded)
    np.testing.assert_array_equal(encoded.sum(axis=0), [1500, 1000, 1, 4])
    np.testing.assert_array_equal(encoded.sum(axis=1), 1)


def test_at_most_so_many_levels_have_a_column():
    values = [f"{k:03}" for k in range(100) for _ in range(100 - k)]
    _, columns = learn(None, values)
    (category,) = columns.categories
    assert category.levels == tuple(f"{k:03}" for k in range(_MAX_LEVELS))
    assert category.infrequent == tuple(f"{k:03}" for k in range(_MAX_LEVELS, 100))


def test_rare_levels_are_rare_by_weight():
    values = ["a", "b", "c"]
    weight = np.array([1.0, 1.0, 1.9 * _MIN_SHARE])
    assert learn(None, values, weight=weight)[1].categories[0].levels == ("a", "b")
    assert learn(None, values)[1].categories[0].levels == ("a", "b", "c")


def test_two_levels_have_one_column_however_rare():
    table, columns = learn(None, ["no"] * 5000 + ["yes"])
    assert columns.column_names == ["x0_yes"]
    np.testing.assert_array_equal(columns.encode(table).toarray().ravel(), [0] * 5000 + [1])


def test_levels_without_weight_are_unknown():
    weight = np.array([1.0, 1, 1, 0, 0])
    _, columns = learn(None, ["a", "b", "c", "d", None], weight=weight)
    assert columns.column_names == ["x0_a", "x0_b", "x0_c"]


def test_unknown_levels_are_infrequent_or_none():
    _, columns = learn(None, ["a", "b", "c"] * 2000 + ["d"])

    def encode(values):
        return columns.encode(MixedTable(np.empty((len(values), 0)), (make_cells(values),)))

    np.testing.assert_array_equal(
        encode(["z", None, "c"]).toarray(), [[0, 0, 0, 1], [0] * 4, [0, 0, 1, 0]]
    )
    _, columns = learn(None, ["a", "b", "c"])
    np.testing.assert_array_equal(encode(["z", None]).toarray(), np.zeros((2, 3)))


def test_shares_of_levels_do_not_depend_on_the_order_of_the_rows():
    rng = np.random.default_rng(0)
    values = np.array([f"{k:02}" for k in range(60)]).repeat(10)
    weight = np.tile(rng.uniform(0.1, 1, 10), 60)  # the same for each level, up to rounding
    expected = learn(None, values.tolist(), weight=weight)[1].categories
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(600)
        assert learn(None, values[order].tolist(), weight=weight[order])[1].categories == expected


@pytest.mark.parametrize(
    ("later", "is_unknown"),
    [
        (["z"] * 6 + ["a"] * 5, True),
        (["z"] * 5 + ["a"] * 5, False),
        (["z"] * 4, False),
        ([None] * 9, False),
    ],
)
def test_most_cells_may_be_unknown(later, is_unknown):
    _, columns = learn(None, ["a", "b", "c"])
    assert columns.categories[0].is_unknown(make_cells(later)) == is_unknown


@pytest.mark.parametrize(
    "values",
    [
        [f"{k}" for k in range(90)],  # 50 of 90 have no column of their own
        [f"{k}" for k in range(300)],  # none has
        ["a"] * 160 + [f"{k}" for k in range(140)],
        ["a"] * 500 + ["b"] * 440 + [f"{k}" for k in range(60)],
    ],
)
def test_rows_of_training_are_never_unknown(values):
    _, columns = learn(None, values)
    (category,) = columns.categories
    assert not category.is_unknown(make_cells(values))
    assert not category.is_unknown(make_cells(values[-60:]))
    assert category.is_unknown(make_cells(["Atlantis"] * 60))


def test_an_identifier_is_not_remembered():
    _, columns = learn(None, [f"{k}" for k in range(_MAX_REMEMBERED_LEVELS + _MAX_LEVELS + 1)])
    (category,) = columns.categories
    assert category.has_infrequent
    assert category.infrequent == ()
    assert not category.is_unknown(make_cells(["Atlantis"] * 60))


def test_levels_of_equal_weight_tie_as_one_row_or_as_three():
    values = [f"{k:02}" for k in range(50)]
    heavy = learn(None, values, weight=np.full(50, 3.0))[1].categories[0]
    odd = [value for k, value in enumerate(values) for _ in range(3 if k % 2 else 1)]
    weight = np.array([1.0 if int(value) % 2 else 3.0 for value in odd])
    assert learn(None, odd, weight=weight)[1].categories[0] == heavy


@pytest.mark.parametrize(("counts", "expected"), [((30, 3), 0), ((3, 30), 1), ((5, 5), 0)])
def test_what_is_not_one_of_two_levels_is_the_frequent_one(counts, expected):
    _, columns = learn(None, ["a"] * counts[0] + ["b"] * counts[1])
    assert columns.column_names == ["x0_b"]
    later = MixedTable(np.empty((4, 0)), (make_cells(["a", "b", None, "z"]),))
    encoded = columns.encode(later).toarray()
    np.testing.assert_array_equal(encoded[:, 0], [0, 1, expected, expected])


def test_a_category_without_values_has_no_column():
    table, columns = learn(np.arange(3.0)[:, None], [None, None, None])
    assert columns.dropped == ["x1"]
    assert columns.column_names == ["x0"]
    later = MixedTable(table.numbers, (make_cells(["a", "b", None]),))
    np.testing.assert_array_equal(to_dense(columns.encode(later)), table.numbers)


def test_equal_names_are_numbered():
    _, columns = learn(None, ["missing", None, "pro", "missing_2"])
    expected = ["x0_missing", "x0_missing_2", "x0_pro", "x0_missing_3"]
    assert columns.column_names == expected


def test_levels_of_another_kind_are_refused():
    table, columns = learn(None, ["a", "b", "c"])
    cells = CategoryCells(np.array([0]), [1.0], "numbers")
    with pytest.raises(
        ValueError, match=r"Column .x0. of X: expected strings, .* received numbers"
    ):
        columns.encode(MixedTable(table.numbers[:1], (cells,)))


def test_numbers_and_categories_are_side_by_side(numbers):
    values = [None if k % 5 == 0 else f"{k % 3}" for k in range(41)]
    table, columns = learn(numbers, values, ["u", "v"] * 20 + ["u"])
    encoded = columns.encode(table)
    assert encoded.has_canonical_format
    assert encoded.shape[1] == len(columns.column_names)
    expected = SimpleImputer(strategy="median", add_indicator=True).fit_transform(numbers)
    levels = [[value == level for level in ("0", "1", "2", None)] for value in values]
    expected = np.hstack([expected, levels, np.arange(41)[:, None] % 2])
    np.testing.assert_array_equal(encoded.toarray(), expected)
