"""Data frames: which columns are categories, and what is learned from them."""

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers import assert_same_network
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)

N_ROWS = 121


def make_frame(n_rows=N_ROWS):
    """Numbers with missing values, text, a category with missing cells, and booleans."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n_rows, 3)), columns=["age", "size", "price"])
    frame.loc[rng.random(n_rows) < 0.2, "size"] = np.nan
    frame["city"] = rng.choice(["Bonn", "Kiel", "Ulm", "Hof"], n_rows)
    frame["plan"] = rng.choice(["free", "paid", None], n_rows)
    frame["sex"] = rng.choice(["f", "m"], n_rows)
    frame["online"] = rng.random(n_rows) < 0.3
    logit = frame["age"] + (frame["city"] == "Ulm") - (frame["plan"] == "paid") - 0.2
    return frame, (logit + 0.3 * rng.normal(size=n_rows) > 0).astype(int).to_numpy()


frame, y = make_frame()
NAMES = [
    *("age", "size", "price", "online", "size_missing", "city_Bonn", "city_Hof", "city_Kiel"),
    *("city_Ulm", "plan_free", "plan_paid", "plan_missing", "sex_m"),
]
CATEGORIES = ["city", "plan", "sex"]
SMALL = {
    "hidden_layer_sizes": (8,),
    "max_iter": 5,
    "dropout": 0.2,
    "numerical_encoding": None,
    "random_state": 0,
}


SMALL_SEARCH = {name: value for name, value in SMALL.items() if name != "dropout"}


def make_small(**changes):
    return RegularizedMLPClassifier(**{**SMALL, **changes})


@pytest.fixture(scope="module")
def fitted():
    return make_small().fit(frame, y)


@pytest.fixture(scope="module")
def by_hand():
    """The network of the table that transformers of scikit-learn prepare, and this table."""
    table = np.asarray(encode_by_hand().fit_transform(frame.astype({"online": float})), dtype=float)
    return make_small().fit(table, y), table


def encode_by_hand():
    """The same columns in the same order by transformers of scikit-learn."""
    missing = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="~"), OneHotEncoder(drop="if_binary")
    )
    return make_column_transformer(
        (SimpleImputer(strategy="median", add_indicator=True), ["age", "size", "price", "online"]),
        (missing, CATEGORIES),
    )


# -- the network -------------------------------------------------------------------------------


def test_a_frame_gives_the_network_of_the_table_encoded_by_hand(fitted, by_hand):
    assert fitted.encoded_feature_names_.tolist() == NAMES
    expected, table = by_hand
    assert_same_network(fitted, expected)
    np.testing.assert_array_equal(fitted.predict_proba(frame), expected.predict_proba(table))


def make_frame_of_many_levels():
    """A column of 60 levels, the rarest of which have less than a two-hundredth of the rows."""
    counts = np.arange(60) + 1
    city = np.repeat([f"city {k:02}" for k in range(60)], counts)
    table = pd.DataFrame({"age": np.random.default_rng(0).normal(size=len(city)), "city": city})
    return table, (table["age"] + (table.index % 7 < 3) > 0).astype(int).to_numpy()


def test_infrequent_levels_share_a_column_as_in_scikit_learn():
    table, labels = make_frame_of_many_levels()
    model = make_small().fit(table, labels)
    encoder = OneHotEncoder(max_categories=41, sparse_output=False).fit(table[["city"]])
    encoded = np.column_stack([table["age"], encoder.transform(table[["city"]])])
    assert_same_network(model, make_small().fit(encoded, labels))
    assert model.encoded_feature_names_[-1] == "city_infrequent"
    assert len(model.encoded_feature_names_) == 42


def test_infrequent_levels_are_the_same_for_weights_and_repeated_rows():
    table, labels = make_frame_of_many_levels()
    weight = np.random.default_rng(1).integers(1, 4, len(table))
    weighted = make_small().fit(table, labels, sample_weight=weight)
    rows = np.repeat(np.arange(len(table)), weight)
    assert_same_network(weighted, make_small().fit(table.iloc[rows], labels[rows]))


def test_a_regressor_takes_frames(fitted):
    target = frame["age"].to_numpy() + (frame["city"] == "Kiel")
    model = RegularizedMLPRegressor((8,), max_iter=100, random_state=0).fit(frame, target)
    assert model.score(frame, target) > 0.8
    np.testing.assert_array_equal(model.encoded_feature_names_, fitted.encoded_feature_names_)


def as_text(dtype):
    return lambda: frame.astype(dict.fromkeys(CATEGORIES, dtype))


def to_polars(dtype=None):
    table = pl.from_pandas(frame, nan_to_null=True)
    return table if dtype is None else table.with_columns(pl.col(CATEGORIES).cast(dtype))


FRAMES = {
    "category": as_text("category"),
    "string": as_text("string"),
    "string of pyarrow": as_text("string[pyarrow]"),
    "types of pyarrow": lambda: frame.astype(
        dict.fromkeys(CATEGORIES, "string[pyarrow]")
    ).convert_dtypes(dtype_backend="pyarrow"),
    "dictionary type of pyarrow": as_text(pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))),
    "objects": as_text(object),
    "nullable": lambda: frame.convert_dtypes(),
    "unused categories": lambda: frame.assign(
        city=pd.Categorical(frame["city"], categories=["Ulm", "Aue", "Hof", "Bonn", "Kiel"])
    ),
    "reversed index": lambda: frame.set_index(np.arange(N_ROWS)[::-1]),
    "polars": to_polars,
    "polars' categories": lambda: to_polars(pl.Categorical),
    "polars' enums": lambda: to_polars(pl.String).with_columns(
        pl.col("city").cast(pl.Enum(["Ulm", "Bonn", "Kiel", "Hof", "Aue"]))
    ),
}


@pytest.mark.parametrize("convert", FRAMES.values(), ids=FRAMES.keys())
def test_every_kind_of_frame_gives_the_same_network(fitted, convert):
    table = convert()
    model = make_small().fit(table, y)
    assert_same_network(model, fitted)
    np.testing.assert_array_equal(model.predict_proba(table), fitted.predict_proba(frame))
    np.testing.assert_array_equal(model.predict_proba(frame), fitted.predict_proba(frame))


def test_columns_may_be_named_by_masks_indices_and_names(fitted):
    mask = frame.columns.isin(CATEGORIES)
    for selection in (mask, np.flatnonzero(mask), CATEGORIES, np.array(CATEGORIES)):
        assert_same_network(make_small(categorical_features=selection).fit(frame, y), fitted)
    objects = frame.to_numpy(dtype=object)
    of_array = make_small(categorical_features=mask).fit(objects, y)
    for kernel, other in zip(of_array.coefs_, fitted.coefs_, strict=True):
        np.testing.assert_array_equal(kernel, other)
    assert of_array.encoded_feature_names_[5] == "x3_Bonn"
    np.testing.assert_array_equal(of_array.predict(objects.tolist()), fitted.predict(frame))


def test_numbers_may_be_categories():
    codes = np.random.default_rng(0).integers(3, 6, size=(N_ROWS, 1)).astype(float)
    codes[:9] = np.nan
    model = make_small(categorical_features=[0]).fit(codes, y)
    assert model.encoded_feature_names_.tolist() == ["x0_3", "x0_4", "x0_5", "x0_missing"]
    table = pd.DataFrame({"code": pd.array(np.where(codes > 0, codes, 0).ravel(), dtype="Int64")})
    model = make_small(categorical_features=["code"]).fit(table, y)
    assert model.encoded_feature_names_.tolist() == ["code_0", "code_3", "code_4", "code_5"]


def test_booleans_are_numbers_unless_some_are_missing():
    flags = frame[["age", "online"]].astype({"online": "boolean"})
    assert make_small().fit(flags, y).encoded_feature_names_.tolist() == ["age", "online"]
    flags.loc[:5, "online"] = pd.NA
    names = ["age", "online_False", "online_True", "online_missing"]
    for table in (flags, pl.from_pandas(flags), flags.astype({"online": object})):
        model = make_small().fit(table, y)
        assert model.encoded_feature_names_.tolist() == names
        np.testing.assert_array_equal(model.predict(table), model.predict(flags))


# -- what is learned where ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [bool, "boolean", "bool[pyarrow]"])
def test_booleans_leave_the_precision_of_a_frame(dtype):
    numbers = pd.DataFrame({"a": np.linspace(-1, 1, 20, dtype=np.float32)})
    table = numbers.assign(b=pd.Series(np.arange(20) % 3 == 0, dtype=dtype))
    model = RegularizedMLPRegressor(4, max_iter=2, random_state=0).fit(table, np.arange(20.0))
    assert model.predict(table).dtype == np.float32
    missing = table.astype({"b": "boolean"})
    missing.loc[3, "b"] = pd.NA  # becomes the median
    expected = model.predict(missing)
    assert expected.dtype == np.float32
    for kind in ("bool[pyarrow]", object):
        np.testing.assert_array_equal(model.predict(missing.astype({"b": kind})), expected)
    np.testing.assert_array_equal(model.predict(pl.from_pandas(missing)), expected)
    # Alone, or beside integers, they are predicted in float64.
    assert model.predict(missing.assign(a=np.arange(20))).dtype == np.float64


def test_weights_are_copies_and_the_order_of_rows_does_not_matter():
    counts = np.random.default_rng(1).integers(0, 4, N_ROWS)
    weighted = make_small().fit(frame, y, sample_weight=counts)
    order = np.random.default_rng(2).permutation(counts.sum())
    rows = np.arange(N_ROWS).repeat(counts)[order]
    assert_same_network(make_small().fit(frame.iloc[rows], y[rows]), weighted)


def test_unknown_levels_and_new_missing_values_are_predicted_in_silence(fitted):
    later = frame.copy()
    later.loc[:40, "city"] = "Gera"
    later.loc[:40, "age"] = np.nan
    assert np.isfinite(fitted.predict_proba(later)).all()
    expected = frame.copy()
    expected.loc[:40, "city"] = None  # no level either
    expected.loc[:40, "age"] = frame["age"].median()
    np.testing.assert_array_equal(fitted.predict_proba(later), fitted.predict_proba(expected))
    assert np.isfinite(fitted.predict_proba(later.iloc[:1])).all()


def test_two_levels_do_not_depend_on_their_names():
    paid = np.where(np.arange(N_ROWS) % 10 > 0, "yes", "no")
    later = pd.DataFrame({"age": 0.0, "paid": ["yes", "no", None, "maybe"]})
    for names in ({}, {"yes": "a"}, {"yes": "a", "no": "b"}):
        table = frame[["age"]].assign(paid=paid).replace({"paid": names})
        model = make_small().fit(table, paid == "no")
        yes, no, missing, unknown = model.predict_proba(later.replace({"paid": names}))[:, 1]
        assert missing == unknown == yes != no


def test_missing_objects_are_missing_numbers():
    values = pd.Series([1, None, 3] * 30, dtype=object)
    expected = make_small().fit(values.to_frame("a").astype(float), np.arange(90) % 2)
    for missing in (None, np.nan, pd.NA):
        table = values.where(values.notna(), missing).to_frame("a")
        assert_same_network(make_small().fit(table, np.arange(90) % 2), expected)


@pytest.mark.parametrize("convert", [lambda table: table, pl.from_pandas])
def test_errors_name_the_column(fitted, convert):
    with pytest.raises(ValueError, match=r"Column 'age' of X: expected numbers, as in training; "):
        fitted.predict(convert(frame.assign(age="n/a")))
    with pytest.raises(ValueError, match=r"Column 'size' of X: expected numbers; .*infinity"):
        make_small().fit(convert(frame.assign(size=np.inf)), y)


def test_the_networks_of_folds_have_no_common_columns():
    search = RegularizedMLPClassifierCV(
        dropouts=[0.0], l2s=[0.1], cv=2, refit="folds", **SMALL_SEARCH
    )
    with pytest.raises(AttributeError, match=r"refit='folds' and 'ensemble' have columns"):
        _ = search.fit(frame, y).encoded_feature_names_


def test_a_column_of_unknown_levels_warns(fitted):
    with pytest.warns(UserWarning, match=r"most values of the columns \['city'\] were not"):
        fitted.predict(frame.assign(city="Gera"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"city": 3.5}, "Column 'city' of X: expected strings, as in training; received numbers"),
        ({"age": "old"}, "could not convert string to float"),
        ({"city": [1, "a"] * 60 + ["b"]}, "Column 'city' of X: expected levels of one type"),
        ({"price": np.inf}, "infinity"),
        ({"city": pd.Timestamp("2026-01-01")}, "Column 'city' of X has values of type datetime64"),
    ],
)
def test_prediction_refuses_columns_of_another_kind(fitted, changes, message):
    with pytest.raises(ValueError, match=message):
        fitted.predict(frame.assign(**changes))


def test_columns_are_found_by_name(fitted):
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame.drop(columns="city"))


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (["town"], r"names of columns of X; received also \['town'\]"),
        ([True] * 3, "a mask of the 7 columns; received one of 3"),
        ([9], r"indices from 0 to 6; received \[9\]"),
        ([-1], r"indices from 0 to 6; received \[-1\]"),
        ([0.5], "a mask, indices or names of columns"),
        ([[0]], "a mask, indices or names of columns"),
        (["city", 1], r"names of columns of X; received also \['1'\]"),
    ],
)
def test_a_selection_that_is_not_there_is_refused(selection, message):
    with pytest.raises(ValueError, match=f"categorical_features: expected {message}"):
        make_small(categorical_features=selection).fit(frame, y)


def test_names_need_names():
    with pytest.raises(ValueError, match="whose columns have no names"):
        make_small(categorical_features=["a"]).fit(np.zeros((9, 2)), np.arange(9) % 2)
    sparse = csr_array(np.eye(9))
    with pytest.raises(ValueError, match="received a sparse table"):
        make_small(categorical_features=[0]).fit(sparse, np.arange(9) % 2)


def test_none_refuses_text():
    with pytest.raises(ValueError, match=r"(?s)could not convert.*categorical_features"):
        make_small(categorical_features=None).fit(frame, y)


def test_equal_names_of_columns_are_refused():
    table = frame.rename(columns={"age": "size"})
    with pytest.raises(ValueError, match=r"columns of different names; received \['size'\] twice"):
        make_small().fit(table, y)


@pytest.mark.parametrize("as_text", [True, False], ids=["numbers as text", "categories"])
def test_a_column_of_infrequent_levels_has_a_warning(as_text):
    numbers = np.arange(N_ROWS) * 0.25
    column = pd.Series([f"{number}" for number in numbers])
    column = column if as_text else column.astype("category")
    with pytest.warns(UserWarning, match=r"columns \['total'\] are infrequent .*to_numeric"):
        make_small().fit(frame.assign(total=column), y)


def test_a_column_whose_levels_are_mostly_frequent_has_no_warning():
    levels = [f"{k}" for k in range(N_ROWS)]
    levels[: N_ROWS * 2 // 3] = ["often"] * (N_ROWS * 2 // 3)
    model = make_small().fit(frame.assign(level=levels), y)
    assert "level_infrequent" in model.encoded_feature_names_


def test_a_column_without_values_is_dropped_with_a_warning(fitted):
    with pytest.warns(UserWarning, match=r"columns \['empty'\] have no values in training"):
        model = make_small().fit(frame.assign(empty=np.nan), y)
    with pytest.warns(UserWarning, match=r"columns \['empty'\] have no values in training"):
        of_text = make_small().fit(frame.assign(empty=pd.Series([None] * N_ROWS, dtype="str")), y)
    assert_same_network(of_text, model)
    for kernel, other in zip(model.coefs_, fitted.coefs_, strict=True):
        np.testing.assert_array_equal(kernel, other)


# -- streams, validation rows, searches, files ---------------------------------------------------


def test_a_stream_keeps_the_levels_and_medians_of_its_first_batch():
    model = make_small()
    model.partial_fit(frame[frame["city"] != "Ulm"], y[frame["city"] != "Ulm"], classes=[0, 1])
    names = model.encoded_feature_names_.tolist()
    assert "city_Ulm" not in names
    model.partial_fit(frame, y)
    assert model.encoded_feature_names_.tolist() == names
    model.set_params(warm_start=True).fit(frame, y)
    assert model.encoded_feature_names_.tolist() == names


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_validation_rows_are_encoded_as_training_rows(scoring):
    model = make_small(early_stopping=True, validation_scoring=scoring)
    later = frame.assign(city="Gera", age=np.nan)
    with pytest.warns(UserWarning, match="most values"):
        model.fit(frame, y, X_val=later, y_val=y)
    model.fit(frame, y, X_val=to_polars().to_pandas(), y_val=y)
    held_out = model.validation_loss_curve_ if scoring == "loss" else model.validation_scores_
    model.set_params(validation_fraction=0.3).fit(frame, y)
    assert len(held_out) == 5
    with pytest.raises(ValueError, match="X_val: Column 'city' of X: expected strings"):
        model.fit(frame, y, X_val=frame.assign(city=pd.Categorical([1] * len(y))), y_val=y)
    assert model.n_iter_ == 5


def test_samples_with_dropout_are_of_encoded_rows(fitted, by_hand):
    expected, table = by_hand
    np.testing.assert_array_equal(
        fitted.mc_dropout(frame, 3, random_state=0), expected.mc_dropout(table, 3, random_state=0)
    )


@pytest.mark.parametrize("kind", [RegularizedMLPClassifierCV, RegularizedMLPRegressorCV])
def test_a_search_learns_levels_in_each_fold(kind):
    """A level that one fold only has, and scores of GridSearchCV to the bit."""
    table = frame.copy()
    table.loc[:3, "city"] = "Gera"
    settings = {name: value for name, value in SMALL.items() if name != "dropout"}
    cv = KFold(3)
    search = kind(dropouts=[0.0, 0.3], l2s=[1e-3], cv=cv, scoring=None, **settings).fit(table, y)
    single = kind._base_estimator_class(**SMALL)
    grid = {"dropout": [0.0, 0.3], "l2": [1e-3]}
    expected = GridSearchCV(single, grid, cv=cv).fit(table, y)
    for k in range(3):
        name = f"split{k}_test_score"
        np.testing.assert_array_equal(search.cv_results_[name], expected.cv_results_[name])
    np.testing.assert_array_equal(search.predict(table), expected.predict(table))
    assert "city_Gera" in search.encoded_feature_names_
    assert not hasattr(clone(search), "encoded_feature_names_")
    of_folds = clone(search).set_params(refit="folds").fit(table, y)
    names = [network.encoded_feature_names_.tolist() for network in of_folds.estimators_]
    assert ["city_Gera" in of_fold for of_fold in names] == [False, True, True]
    assert len(of_folds.predict(table)) == N_ROWS


def test_a_search_takes_objects_that_lack_values_in_some_folds():
    table = frame[["age"]].assign(
        code=pd.Series(np.arange(N_ROWS) % 5).astype(object), city=frame["city"].astype(object)
    )
    table.loc[:5, ["code", "city"]] = pd.NA
    cv = KFold(3)
    search = RegularizedMLPClassifierCV(
        dropouts=[0.0], l2s=[1e-3], cv=cv, scoring=None, **SMALL_SEARCH
    )
    expected = GridSearchCV(make_small(dropout=0.0), {"l2": [1e-3]}, cv=cv)
    search.fit(table, y), expected.fit(table, y)
    for k in range(3):
        name = f"split{k}_test_score"
        np.testing.assert_array_equal(search.cv_results_[name], expected.cv_results_[name])
    of_folds = clone(search).set_params(refit="folds").fit(table, y)
    names = [network.encoded_feature_names_.tolist() for network in of_folds.estimators_]
    for name in ("code_missing", "city_missing"):
        assert [name in of_fold for of_fold in names] == [False, True, True]


def test_a_fold_without_values_is_named():
    table = pd.DataFrame({"age": np.where(np.arange(40) < 20, np.nan, 1.0)})
    search = RegularizedMLPClassifierCV(dropouts=[0.0], l2s=[1e-3], cv=KFold(2), **SMALL_SEARCH)
    with pytest.raises(ValueError, match="received missing values only") as caught:
        search.fit(table, np.arange(40) % 2)
    candidate = {"dropout": 0.0, "l2": 0.001}
    assert caught.value.__notes__ == [f"In fold 1 of the search, with {candidate}."]


def test_a_pickle_needs_no_pandas(fitted, tmp_path):
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps(fitted))
    table = frame.to_numpy(dtype=object)
    table[:, 6] = table[:, 6].astype(float)
    (tmp_path / "table.pickle").write_bytes(pickle.dumps(table.tolist()))
    program = f"""
        import pickle, sys, warnings
        warnings.simplefilter("ignore")

        class Refusing:
            def find_spec(name, path, target=None):
                if name in ("pandas", "tensorflow"):
                    raise ModuleNotFoundError(name)

        sys.meta_path.insert(0, Refusing)
        model, table = (pickle.load(open(r"{tmp_path}/" + name + ".pickle", "rb"))
                        for name in ("model", "table"))
        print(model.predict(table).tolist())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(fitted.predict(frame).tolist())
