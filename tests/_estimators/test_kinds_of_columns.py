"""The kinds of the columns of a table: what is a category, a number, a missing value."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers import assert_same_network
from scipy import sparse
from sklearn.model_selection import KFold, cross_val_score
from sklearn.preprocessing import OneHotEncoder

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
)

N_ROWS = 40
rng = np.random.default_rng(0)
X = rng.normal(size=(N_ROWS, 2))
y = (X[:, 0] > 0).astype(int)
FLAGS = (X[:, 1] > 0).tolist()


def make_small(**changes):
    values = {"hidden_layer_sizes": (3,), "max_iter": 1, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


def make_frame(cells, dtype=None):
    return pd.DataFrame({"a": X[:, 0], "b": pd.Series(cells, dtype=dtype)})


@pytest.mark.parametrize("dtype", ["bool", "boolean", "object"])
def test_booleans_of_any_type_are_numbers(dtype):
    model = make_small().fit(make_frame(FLAGS, dtype), y)
    assert model.encoded_feature_names_.tolist() == ["a", "b"]


@pytest.mark.parametrize("dtype", ["boolean", "object"])
def test_booleans_with_missing_values_are_a_category(dtype):
    model = make_small().fit(make_frame([*FLAGS[:-1], None], dtype), y)
    names = ["a", "b_False", "b_True", "b_missing"]
    assert model.encoded_feature_names_.tolist() == names


@pytest.mark.parametrize("dtype", ["Int64", "float64", "object"])
def test_whole_numbers_have_the_same_names_in_any_type(dtype):
    model = make_small(categorical_features=["b"]).fit(make_frame([1, 2, None, 7] * 10, dtype), y)
    names = ["a", "b_1", "b_2", "b_7", "b_missing"]
    assert model.encoded_feature_names_.tolist() == names


EMPTY = {
    "text": lambda: make_frame([None] * N_ROWS, "str"),
    "objects": lambda: make_frame([None] * N_ROWS, "object"),
    "NaT": lambda: make_frame([pd.NaT] * N_ROWS, "object"),
    "null of pyarrow": lambda: make_frame([None] * N_ROWS, pd.ArrowDtype(pa.null())),
    "null of polars": lambda: pl.DataFrame({"a": X[:, 0], "b": [None] * N_ROWS}),
    "text of polars": lambda: pl.DataFrame(
        {"a": X[:, 0], "b": pl.Series([None] * N_ROWS, dtype=pl.String)}
    ),
}


@pytest.mark.parametrize("make", EMPTY.values(), ids=EMPTY.keys())
def test_a_category_without_values_in_training_takes_any_level(make):
    with pytest.warns(UserWarning, match=r"columns \['b'\] have no values in training"):
        model = make_small().fit(make(), y)
    assert_same_network(model, make_small().fit(X[:, :1], y))
    with pytest.warns(UserWarning, match="not in training"):
        expected = model.predict_proba(make_frame(["blue"] * N_ROWS))
    with pytest.warns(UserWarning, match=r"columns \['b'\] were not in training"):
        found = model.predict_proba(make_frame(["red", "green"] * 20))
    np.testing.assert_array_equal(found, expected)


def test_warnings_are_at_the_call():
    table, later = make_frame(["red", "green"] * 20), make_frame(["blue", "black"] * 20)
    model = make_small(early_stopping=True).fit(table, y)
    regressor = RegularizedMLPRegressor(3, max_iter=1, random_state=0).fit(table, X[:, 1])
    search = RegularizedMLPClassifierCV(
        dropouts=[0.0], l2s=[0.1], cv=2, hidden_layer_sizes=(3,), max_iter=1
    )
    by_place = np.where(np.arange(N_ROWS) < 20, "red", "green")  # each fold has one level
    calls = (
        lambda: model.predict(later),
        lambda: model.predict_proba(later),
        lambda: model.mc_dropout(later),
        lambda: model.score(later, y),
        lambda: model.fit(table, y, X_val=later, y_val=y),
        lambda: regressor.predict(later),
        lambda: regressor.score(later, y),
        lambda: make_small().fit(table.assign(c=None), y),
        lambda: cross_val_score(make_small(), table.assign(c=None), y, cv=2),
        lambda: search.set_params(cv=KFold(2)).fit(make_frame(by_place), y),
        lambda: search.set_params(cv=2).fit(table.assign(c=None), y),
    )
    for call in calls:
        with pytest.warns(UserWarning, match="in training") as caught:
            call()
        assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("selection", [[], [False, False], np.array([], dtype=int)])
def test_a_sparse_table_takes_a_selection_of_no_columns(selection):
    one, other = make_small(), make_small(categorical_features=selection)
    assert_same_network(one.fit(X, y), other.fit(sparse.csr_array(X), y))


@pytest.mark.parametrize("selection", [[0], [True, False]])
def test_a_sparse_table_has_no_categories(selection):
    with pytest.raises(ValueError, match=r"categorical_features: .* received a sparse table"):
        make_small(categorical_features=selection).fit(sparse.csr_array(X), y)


@pytest.mark.parametrize("unit", [1.0, 1e6, 1e300])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_narrow_table_can_lack_values_whose_median_it_cannot_hold(unit, dtype):
    gappy = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    model = make_small().fit((gappy + 1) * unit, y)
    missing = np.full((2, 2), np.nan)
    found = model.predict_proba(missing.astype(dtype))
    assert found.dtype == (np.float32 if dtype == np.float32 else np.float64)
    np.testing.assert_allclose(found, model.predict_proba(missing), rtol=1e-5)


@pytest.mark.parametrize("table", [pd.DataFrame(index=range(N_ROWS)), pl.DataFrame()])
def test_a_frame_without_columns_is_refused(table):
    with pytest.raises(ValueError, match=r"0 feature\(s\)"):
        make_small().fit(table, y)


@pytest.mark.parametrize("store", [np.asarray, np.ndarray.tolist], ids=["array", "lists"])
def test_a_scorer_of_validation_rows_receives_categories(store):
    rows = np.c_[X, np.resize(["red", "green"], N_ROWS)].astype(object)
    options = {"categorical_features": [2], "early_stopping": True, "validation_scoring": None}
    model = make_small(**options).fit(store(rows), y)
    assert len(model.validation_scores_) == model.n_iter_
    held_out = make_small(**options).fit(store(rows), y, X_val=store(rows[:9]), y_val=y[:9])
    assert held_out.validation_scores_[-1] == held_out.score(store(rows[:9]), y[:9])


@pytest.mark.parametrize("missing", [None, np.nan], ids=str)
def test_numbers_among_objects_are_numbers(missing):
    model = make_small().fit(make_frame([*X[:-1, 1], missing], "object"), y)
    assert model.encoded_feature_names_.tolist() == ["a", "b", "b_missing"]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f4", ">f8", np.longdouble, object])
def test_levels_of_any_type_of_numbers_give_the_same_network(dtype):
    table = np.c_[np.round(X[:, 0] * 4) / 4, np.arange(N_ROWS) % 3]
    one = make_small(categorical_features=[1]).fit(table, y)
    other = make_small(categorical_features=[1]).fit(table.astype(dtype), y)
    assert_same_network(one, other)
    assert one.encoded_feature_names_.tolist() == other.encoded_feature_names_.tolist()


# -- dates -------------------------------------------------------------------------------------

DATES = np.array(["2026-01-01", "2026-01-02"] * 20, "M8[ns]")


def make_objects(cells):
    table = np.empty((N_ROWS, 2), dtype=object)
    table[:, 0], table[:, 1] = X[:, 0], list(cells)
    return table


@pytest.mark.parametrize("dates", [DATES, DATES - DATES[0]], ids=["dates", "spans"])
def test_dates_are_refused_with_the_name_of_their_column(dates):
    objects = make_objects(dates)
    frame = pd.DataFrame(objects, columns=["a", "b"]).astype({"a": float})
    of_pandas = frame.assign(b=pd.Series(dates).astype(object))
    for table, selection in (
        (frame, "from_dtype"),
        (frame, ["b"]),
        (frame, None),
        (of_pandas, "from_dtype"),
        (frame.assign(b=pd.Categorical(pd.Series(dates))), "from_dtype"),
        (pl.DataFrame({"a": X[:, 0], "b": pl.Series(list(dates), dtype=pl.Object)}), "from_dtype"),
    ):
        with pytest.raises(ValueError, match=r"Column 'b' of X.*skrub\.DatetimeEncoder"):
            make_small(categorical_features=selection).fit(table, y)
    for table in (objects, np.c_[dates, dates]):
        with pytest.raises(ValueError, match=r"Column 'x1' of X.*skrub\.DatetimeEncoder"):
            make_small(categorical_features=[1]).fit(table, y)
        with pytest.raises(ValueError, match=r"(?s)X has values of type.*skrub\.DatetimeEncoder"):
            make_small().fit(table, y)


# -- rows without weight -----------------------------------------------------------------------


@pytest.mark.parametrize("convert", [lambda table: table, pl.from_pandas])
def test_missing_booleans_without_weight_make_no_category(convert):
    weight = np.arange(N_ROWS) != 3
    table = make_frame([None if k == 3 else flag for k, flag in enumerate(FLAGS)], "boolean")
    model = make_small().fit(convert(table), y, sample_weight=weight)
    assert_same_network(model, make_small().fit(convert(table[weight]), y[weight]))
    assert model.encoded_feature_names_.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("selection", "convert"),
    [
        ("from_dtype", lambda table: table),
        (["b"], lambda table: table),
        ([1], np.asarray),
        ([1], lambda table: table.to_numpy().tolist()),
    ],
    ids=["numbers", "frame", "array", "lists"],
)
def test_texts_without_weight_are_no_levels(selection, convert):
    table = make_frame([*["?"] * 3, *np.arange(N_ROWS - 3) % 3], "object")
    weight = np.arange(N_ROWS) >= 3
    options = {"early_stopping": True, "categorical_features": selection}
    rows, others = convert(table), convert(table[weight])
    model = make_small(**options).fit(
        rows, y, weight, X_val=rows, y_val=y, sample_weight_val=weight
    )
    expected = make_small(**options).fit(others, y[weight], X_val=others, y_val=y[weight])
    assert_same_network(model, expected)


@pytest.mark.parametrize("selection", ["from_dtype", [0, 1]])
def test_infinities_without_weight_are_refused_as_in_an_array(selection):
    table = make_frame(["Ulm", "Hof"] * 20)
    table.loc[0, "a"] = np.inf
    with pytest.raises(ValueError, match=r"Column 'a' of X: expected .*infinity"):
        make_small(categorical_features=selection).fit(table, y, np.arange(N_ROWS) > 0)


# -- levels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [[1, True, 2, 3], [0, True, 1, False]], ids=str)
def test_booleans_among_numbers_are_numbers_in_any_order(cells):
    tables = [make_frame(np.roll(np.array(cells * 10, dtype=object), k)) for k in range(4)]
    tables.append(make_frame(pd.Categorical(cells * 10)))
    names = [f"b_{level}" for level in sorted(set(map(int, cells)))]
    for table in tables:
        model = make_small(categorical_features=["b"]).fit(table, y)
        assert model.encoded_feature_names_.tolist() == ["a", *names[len(names) == 2 :]]


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_infinite_levels_are_refused(infinity):
    table = np.c_[X[:, 0], np.arange(N_ROWS) % 3]
    model = make_small(categorical_features=[1]).fit(table, y)
    table[7, 1] = infinity
    for call in (model.predict, lambda rows: model.fit(rows, y)):
        with pytest.raises(ValueError, match=r"Column 'x1' of X: expected finite levels"):
            call(table)


def test_levels_are_those_that_float64_can_tell_apart():
    small = np.finfo(np.longdouble).eps * (np.arange(N_ROWS) % 2)
    table = np.c_[X[:, 0], np.arange(N_ROWS) % 3].astype(np.longdouble)
    model = make_small(categorical_features=[1]).fit(table, y)
    table[:, 1] *= 1 + small
    assert_same_network(make_small(categorical_features=[1]).fit(table, y), model)
    assert model.encoded_feature_names_.tolist() == ["x0", "x1_0", "x1_1", "x1_2"]


def test_levels_are_compared_exactly():
    table = np.c_[np.zeros(N_ROWS), np.array([0.1, 0.2, 0.3, 0.5] * 10)]
    model = make_small(categorical_features=[1]).fit(table, y)
    with pytest.warns(UserWarning, match=r"\['x1'\] were not in training"):
        model.predict(table.astype(np.float32))


def test_arrays_of_strings_have_numbers_and_categories():
    cities = np.resize(["Ulm", "Kiel", "Hof"], N_ROWS)
    texts = np.c_[X[:, 0], cities]
    model = make_small(categorical_features=[1]).fit(texts, y)
    assert_same_network(model, make_small().fit(make_frame(cities), y))
    expected = model.predict_proba(make_objects(cities))
    np.testing.assert_array_equal(model.predict_proba(texts), expected)
    np.testing.assert_array_equal(
        model.predict_proba(texts.astype(np.dtypes.StringDType())), expected
    )


# -- sparse columns ----------------------------------------------------------------------------


@pytest.mark.parametrize("fill", [np.nan, 0.0, 1.0])
@pytest.mark.parametrize("beside", [[], ["number"], ["city"], ["number", "city"]], ids=str)
def test_sparse_columns_of_pandas_are_numbers(fill, beside):
    table = make_frame(np.resize([np.nan, 0.0, 1.0, 2.0, 0.0], N_ROWS))
    table = table.assign(city=np.resize(["Ulm", "Hof", "Kiel"], N_ROWS), number=X[:, 1])
    table = table[["a", "b", *beside]]
    of_sparse = table.astype(dict.fromkeys("ab", pd.SparseDtype(float, fill)))
    model, expected = make_small().fit(of_sparse, y), make_small().fit(table, y)
    assert_same_network(model, expected)
    np.testing.assert_array_equal(model.predict(of_sparse), expected.predict(table))


def test_a_sparse_and_a_dense_encoder_give_the_same_network():
    levels = np.c_[np.arange(N_ROWS) % 3, np.arange(N_ROWS) % 7]
    one, other = (
        make_small().fit(OneHotEncoder(sparse_output=is_sparse).fit_transform(levels), y)
        for is_sparse in (True, False)
    )
    assert_same_network(one, other)


def test_columns_of_any_names_can_lack_objects():
    table = pd.DataFrame(make_objects([1, pd.NA] * 20))
    expected = make_small().fit(make_frame([1, np.nan] * 20), y)
    assert_same_network(make_small().fit(table, y), expected)
