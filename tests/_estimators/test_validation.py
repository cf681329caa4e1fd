"""Tables as they come: what is read alike, and what is refused before training begins."""

from datetime import date
from decimal import Decimal

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import assert_same_network
from scipy.sparse import csr_array
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)

X, y = load_iris(return_X_y=True)


@pytest.fixture
def _no_training(monkeypatch):
    """Make a test fail if training begins."""

    def fail(*arguments, **keywords):
        raise AssertionError("training began")

    monkeypatch.setattr("skreg._estimators.fit.train", fail)


# -- bad parameters ----------------------------------------------------------------------------

PARAMETERS = [
    ({"dropout": 1.0}, r"'dropout'.*\[0.0?, 1.0?\).*Got 1.0"),
    ({"dropout": -0.1}, r"'dropout'.*Got -0.1"),
    ({"dropout": np.nan}, r"'dropout'.*Got nan"),
    ({"dropout": "half"}, r"'dropout'.*Got 'half'"),
    ({"dropout": (0.5, 1.5)}, r"dropout: expected finite numbers in \[0, 1\).*\(0.5, 1.5\)"),
    ({"dropout": (0.5, None)}, r"dropout: expected finite numbers in \[0, 1\).*None"),
    (
        {"dropout": (0.5,)},
        r"dropout: expected .* a sequence of 2, one for each hidden layer.* 1: \(0.5,\)",
    ),
    ({"dropout": (0.1, 0.2, 0.3)}, r"dropout: expected .* sequence of 2.*received 3"),
    ({"input_dropout": 1}, r"'input_dropout'.*Got 1"),
    ({"input_dropout": (0.1,)}, r"'input_dropout'.*Got \(0.1,\)"),
    ({"l2": -1e-3}, r"'l2'.*Got -0.001"),
    ({"l2": np.inf}, r"'l2'.*\[0.0, inf\). Got inf"),
    ({"l2": (0.1, 0.1)}, r"l2: expected .* sequence of 3, one for each kernel.*received 2"),
    ({"l2": (0.1, -0.1, 0.1)}, r"l2: expected finite numbers.*-0.1"),
    ({"weight_decay": -1}, r"'weight_decay'.*Got -1"),
    ({"weight_decay": np.inf}, r"'weight_decay'.*inf\). Got inf"),
    ({"hidden_layer_sizes": 0}, r"'hidden_layer_sizes'.*Got 0"),
    ({"hidden_layer_sizes": (10, 0)}, r"hidden_layer_sizes: expected integers >= 1.*\(10, 0\)"),
    ({"hidden_layer_sizes": (10, -3)}, r"hidden_layer_sizes: expected integers >= 1"),
    ({"hidden_layer_sizes": (10, 2.5)}, r"hidden_layer_sizes: expected integers >= 1.*2.5"),
    ({"hidden_layer_sizes": "100"}, r"'hidden_layer_sizes'.*Got '100'"),
    ({"activation": "selu"}, r"'activation'.*'relu'.*Got 'selu'"),
    ({"solver": "lbfgs"}, r"'solver'.*'adam'.*Got 'lbfgs'"),
    ({"learning_rate_init": 0}, r"'learning_rate_init'.*Got 0"),
    ({"learning_rate_init": np.inf}, r"'learning_rate_init'.*inf\). Got inf"),
    ({"learning_rate": "adaptive"}, r"'learning_rate'.*'cosine'.*Got 'adaptive'"),
    ({"momentum": 1.5}, r"'momentum'.*Got 1.5"),
    ({"beta_1": 1.0}, r"'beta_1'.*Got 1.0"),
    ({"beta_2": -0.1}, r"'beta_2'.*Got -0.1"),
    ({"epsilon": 0.0}, r"'epsilon'.*Got 0.0"),
    ({"batch_size": 0}, r"'batch_size'.*Got 0"),
    ({"batch_size": 2.5}, r"'batch_size'.*Got 2.5"),
    ({"max_iter": 0}, r"'max_iter'.*Got 0"),
    ({"max_iter": 2.5}, r"'max_iter'.*Got 2.5"),
    ({"tol": -1.0}, r"'tol'.*Got -1.0"),
    ({"n_iter_no_change": 0}, r"'n_iter_no_change'.*Got 0"),
    ({"standardize": "yes"}, r"'standardize'.*Got 'yes'"),
    ({"class_weight": "even"}, r"'class_weight'.*'balanced'.*Got 'even'"),
    ({"class_weight": {0: -1.0}}, r"class_weight: expected finite weights >= 0.*-1.0"),
    ({"class_weight": {0: 0, 1: 0, 2: 0}}, r"class_weight: expected a positive, finite sum"),
    ({"class_weight": dict.fromkeys(range(3), 1e308)}, r"class_weight: expected .* finite sum"),
    ({"class_weight": {0: "2"}}, r"class_weight: expected finite weights >= 0.*'2'"),
    ({"class_weight": [{0: 1}]}, r"class_weight: expected a dict.*one column of labels"),
    ({"l2": {0: 0.1, 1: 0.9}}, r"l2: expected one number or a sequence.*\{0: 0.1"),
    ({"hidden_layer_sizes": {8, 4}}, r"hidden_layer_sizes: expected .* sequence"),
    ({"dropout": np.array(0.5)}, r"dropout: expected one number or a sequence"),
    ({"l2": 10**400}, r"l2: expected at most 3.4e\+38"),
    ({"learning_rate_init": 1e39}, r"learning_rate_init: expected at most 3.4e\+38.*1e\+39"),
    ({"hidden_layer_sizes": 10**30}, r"hidden_layer_sizes: expected integers >= 1"),
    ({"validation_fraction": 0.0}, r"'validation_fraction'.*Got 0.0"),
    ({"validation_fraction": 1.0}, r"'validation_fraction'.*Got 1.0"),
    ({"validation_scoring": "no such"}, r"'validation_scoring'.*'loss'.*Got 'no such'"),
    ({"early_stopping": "auto"}, r"'early_stopping'.*Got 'auto'"),
    ({"warm_start": 3.0}, r"'warm_start'.*Got 3.0"),
    ({"random_state": "one"}, r"'random_state'.*Got 'one'"),
]


@pytest.mark.usefixtures("_no_training")
@pytest.mark.parametrize(("change", "message"), PARAMETERS)
def test_bad_parameter_is_refused_by_name(change, message):
    model = RegularizedMLPClassifier(**change)  # never in __init__
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


# -- bad data ----------------------------------------------------------------------------------


def replace_value(value, row=3, column=1):
    """Iris with one value replaced."""
    table = X.astype(object) if isinstance(value, str) else X.copy()
    table[row, column] = value
    return table


frame = pd.DataFrame(X, columns=list("abcd"))
ones = np.ones(150)

DATA = {
    "infinity": (replace_value(np.inf), y, None, r"Input X contains infinity"),
    "no rows": (X[:0], y[:0], None, r"Found array with 0 sample\(s\)"),
    "no columns": (X[:, :0], y, None, r"0 feature\(s\)"),
    "one-dimensional X": (X[:, 0], y, None, r"Expected 2D array, got 1D array instead"),
    "three-dimensional X": (X[:, :, None], y, None, r"dim 3"),
    "y of another length": (X, y[:-1], None, r"inconsistent numbers of samples: \[150, 149\]"),
    "no y": (X, None, None, r"requires y to be passed, but the target y is None"),
    "continuous y": (X, X[:, 0], None, r"Unknown label type: continuous"),
    "NaN in y": (X, np.where(y == 0, np.nan, y), None, r"Input y contains NaN"),
    "two columns of y": (X, np.c_[y, y], None, r"y: expected one column .*MultiOutputClassifier"),
    "dates": (
        pd.DataFrame({"a": pd.date_range("2020", periods=150)}),
        y,
        None,
        r"'a' of X has values of type datetime64.*skrub.DatetimeEncoder",
    ),
    "arrays of strings": (X.astype(str), y, None, r"strings(.|\n)*Expected numbers in X"),
    "beyond float64": (X * np.longdouble("1e4000"), y, None, r"Input X contains infinity"),
    "polars' dates": (
        pl.DataFrame({"a": [date(2020, 1, 1)] * 150, "b": X[:, 0]}),
        y,
        None,
        r"'a' of X has values of type Date.*skrub.DatetimeEncoder",
    ),
    "an int beyond float64": (
        np.full((150, 1), 10**400),
        y,
        None,
        "X: expected numbers that float64 can hold; int too large",
    ),
    "sparse infinity": (csr_array(replace_value(np.inf)), y, None, r"Input X contains infinity"),
    "strings": (
        replace_value("red"),
        y,
        None,
        r"string(.|\n)*Expected numbers in X(.|\n)*categorical_features",
    ),
    "missing values only": (
        np.full((150, 2), np.nan),
        y,
        None,
        r"X: expected a column with values",
    ),
    "complex numbers": (X + 1j, y, None, r"Complex data not supported"),
    "negative weights": (X, y, -ones, r"Negative values.*sample_weight.*received -1"),
    "zero weights": (X, y, 0 * ones, r"(?i)sample.weight.* at least one"),
    "NaN in weights": (X, y, ones * np.nan, r"sample_weight.*contains NaN"),
    "infinite weights": (X, y, ones * np.inf, r"sample_weight.*infinity"),
    "weights of an infinite sum": (X, y, ones * 1e308, r"sample_weight: .* finite sum"),
    "weights of another length": (X, y, ones[:-1], r"sample_weight.shape == \(149,\), expected"),
}


@pytest.mark.usefixtures("_no_training")
@pytest.mark.parametrize(("table", "labels", "weight", "message"), DATA.values(), ids=DATA.keys())
def test_bad_data_is_refused_with_what_was_expected(table, labels, weight, message):
    with pytest.raises(ValueError, match=message):
        RegularizedMLPClassifier().fit(table, labels, sample_weight=weight)


@pytest.mark.usefixtures("_no_training")
@pytest.mark.parametrize(
    "dates",
    [
        pd.Timestamp("2026-01-01"),
        pd.Timestamp("2026-01-01", tz="UTC"),
        pd.Timedelta(days=3),
        pd.Period("2026-01"),
        pd.Series([date(2026, 1, 1)] * 150),
        pd.Series([date(2026, 1, 1)] * 150, dtype="date32[pyarrow]"),
    ],
    ids=lambda dates: getattr(dates, "dtype", type(dates).__name__),
)
def test_dates_are_refused_with_a_hint(dates):
    with pytest.raises(ValueError, match=r"Column 'e' of X.*skrub.DatetimeEncoder"):
        RegularizedMLPClassifier().fit(frame.assign(e=dates), y)


@pytest.mark.usefixtures("_no_training")
def test_values_too_large_for_float32_are_refused_without_standardising():
    with pytest.raises(
        ValueError, match=r"X: expected values within.*received -2e\+30.*standardize"
    ):
        RegularizedMLPClassifier(standardize=False).fit(replace_value(-2e30), y)


# -- bad targets -------------------------------------------------------------------------------

NUMBERS = X[:, 0]


def replace_first(value, dtype=object):
    """Numbers as targets, with another value in the first row."""
    return np.array([value, *NUMBERS[1:]], dtype=dtype)


NO_NUMBERS = {
    "None": (replace_first(None), "Input {} contains NaN"),
    "nan as text": (replace_first("nan", str), "Input {} contains NaN"),
    "inf as text": (replace_first("inf"), "Input {} contains infinity"),
    "a decimal beyond float64": (replace_first(Decimal("1e400")), "Input {} contains infinity"),
    "long doubles beyond float64": (
        NUMBERS * np.longdouble("1e4000"),
        "Input {} contains infinity",
    ),
    "an int beyond float64": (replace_first(10**400), "{}: expected numbers; int too large"),
    "text": (replace_first("red", str), "{}: expected numbers; could not convert string"),
    "complex objects": (replace_first(1j), "{}: expected numbers; .*not 'complex'"),
    "dates": (np.arange(150).astype("M8[D]"), "{}: expected numbers; received dates"),
    "time spans": (np.arange(150).astype("m8[s]"), "{}: expected numbers; received .* time spans"),
    "objects of dates": (replace_first(date(2020, 1, 1)), "{}: expected numbers; received dates"),
    "objects of time spans": (
        replace_first(np.timedelta64(1, "D")),
        "{}: expected numbers; received .* time spans",
    ),
    "pandas' dates": (
        pd.Series(pd.date_range("2020", periods=150, tz="UTC")),
        "{}: expected numbers; received dates",
    ),
    "polars' dates": (
        pl.DataFrame({"a": [date(2020, 1, 1)] * 150, "b": NUMBERS}),
        "'a' of {} has values of type Date",
    ),
    "sparse": (csr_array(NUMBERS[:, None]), "{}: expected numbers; received a sparse array"),
    "rows of different lengths": ([[1.0]] * 149 + [[1.0, 2.0]], "{}: expected numbers; .*sequence"),
}


@pytest.mark.usefixtures("_no_training")
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(("target", "message"), NO_NUMBERS.values(), ids=NO_NUMBERS.keys())
def test_targets_that_are_no_finite_numbers_are_refused(target, message, method):
    with pytest.raises((ValueError, TypeError), match=message.format("y")):
        getattr(RegularizedMLPRegressor(), method)(X, target)


@pytest.mark.usefixtures("_no_training")
@pytest.mark.parametrize(("target", "message"), NO_NUMBERS.values(), ids=NO_NUMBERS.keys())
def test_validation_targets_that_are_no_finite_numbers_are_refused(target, message):
    model = RegularizedMLPRegressor(early_stopping=True)
    with pytest.raises((ValueError, TypeError), match=message.format("y_val")):
        model.fit(X, NUMBERS, X_val=X, y_val=target)


@pytest.mark.parametrize(("target", "message"), NO_NUMBERS.values(), ids=NO_NUMBERS.keys())
def test_a_search_refuses_targets_that_are_no_finite_numbers(target, message, trained):
    with pytest.raises((ValueError, TypeError), match=message.format("y")):
        RegularizedMLPRegressorCV().fit(X, target)
    assert not trained


MIXED = np.array(["a", 1, 2] * 50, dtype=object)
NO_LABELS = {
    "strings and numbers": (MIXED, r"{}: .*several types, \['int', 'str'\]"),
    "numbers and strings": (MIXED[::-1], r"{}: .*several types, \['int', 'str'\]"),
    "strings and None": (
        np.array(["a", None] * 75, dtype=object),
        "{}: expected labels; received missing values",
    ),
    "objects with NaN": (
        np.array(["a", np.nan] * 75, dtype=object),
        "{}: .*received missing values",
    ),
    "a missing date": (np.full(150, np.datetime64("NaT")), "{}: expected labels; received NaT"),
    "a sparse column": (csr_array(y[:, None]), "{}: expected labels; received a sparse array"),
    "complex numbers": (y + 1j, "{}: expected labels; Complex data"),
}


@pytest.mark.usefixtures("_no_training")
@pytest.mark.parametrize(("target", "message"), NO_LABELS.values(), ids=NO_LABELS.keys())
def test_targets_that_are_no_labels_are_refused(target, message):
    with pytest.raises((ValueError, TypeError), match=message.format("y")):
        RegularizedMLPClassifier().fit(X, target)


@pytest.mark.usefixtures("_no_training")
@pytest.mark.parametrize(("target", "message"), NO_LABELS.values(), ids=NO_LABELS.keys())
def test_validation_targets_that_are_no_labels_are_refused(target, message):
    model = RegularizedMLPClassifier(early_stopping=True)
    with pytest.raises((ValueError, TypeError), match=message.format("y_val")):
        model.fit(X, y, X_val=X, y_val=target)


def test_a_search_refuses_mixed_labels(trained):
    with pytest.raises(ValueError, match=r"y: .*several types"):
        RegularizedMLPClassifierCV().fit(X, MIXED)
    assert not trained


def test_mixed_classes_of_a_stream_are_refused():
    with pytest.raises(ValueError, match=r"classes: .*several types"):
        RegularizedMLPClassifier().partial_fit(X, y, classes=MIXED)


def test_a_table_of_validation_rows_is_named():
    model = RegularizedMLPClassifier(early_stopping=True)
    with pytest.raises(ValueError, match="X_val: Input X contains infinity"):
        model.fit(X, y, X_val=replace_value(np.inf), y_val=y)


# -- bad weights -------------------------------------------------------------------------------

BAD_WEIGHTS = {
    "balanced": ("balanced", "{}: expected an array of weights >= 0.*received 'balanced'"),
    "text": (["a"] * 150, "{}: expected weights >= 0, one for each row; could not convert"),
    "None": (replace_first(None), "{}: expected weights >= 0.*contains NaN"),
    "an int beyond float64": (replace_first(10**400), "{}: expected weights >= 0.*int too large"),
    "long doubles beyond float64": (
        NUMBERS * np.longdouble("1e4000"),
        "{}: expected weights >= 0.*infinity",
    ),
    "dates": (np.arange(150).astype("M8[D]"), "{}: expected weights >= 0.*received dates"),
    "another length": (np.ones(149), "{}: expected weights >= 0, one for each row"),
    "sparse": (csr_array(NUMBERS[:, None]), "{}: expected weights >= 0.*Sparse data"),
}


@pytest.mark.usefixtures("_no_training")
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(("weight", "message"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS.keys())
def test_bad_weights_are_refused(weight, message, method):
    with pytest.raises(ValueError, match=message.format("sample_weight")):
        getattr(RegularizedMLPRegressor(), method)(X, NUMBERS, sample_weight=weight)


@pytest.mark.usefixtures("_no_training")
@pytest.mark.parametrize(("weight", "message"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS.keys())
def test_bad_weights_of_validation_rows_are_refused(weight, message):
    model = RegularizedMLPRegressor(early_stopping=True)
    with pytest.raises(ValueError, match=message.format("sample_weight_val")):
        model.fit(X, NUMBERS, X_val=X, y_val=NUMBERS, sample_weight_val=weight)


# -- prediction --------------------------------------------------------------------------------

METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]


@pytest.fixture(scope="module")
def of_arrays():
    return RegularizedMLPClassifier(hidden_layer_sizes=(3,), max_iter=1).fit(X, y)


@pytest.fixture(scope="module")
def of_frames():
    return RegularizedMLPClassifier(hidden_layer_sizes=(3,), max_iter=1).fit(frame, y)


@pytest.mark.parametrize("method", METHODS)
def test_prediction_before_fit_is_refused(method):
    model = RegularizedMLPClassifier(hidden_layer_sizes=(3,), max_iter=1)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(model, method)(X)


def test_scores_before_fit_are_refused_whatever_the_parameters_are():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        RegularizedMLPRegressor(quantile=2).score(X, y)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param(X[:, :3], r"X has 3 features, but .* is expecting 4", id="columns"),
        pytest.param(replace_value(np.inf), "contains infinity", id="infinity"),
        pytest.param(replace_value("red"), r"(?s)string.*Expected numbers", id="strings"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_prediction_refuses_another_table(of_arrays, method, table, message):
    with pytest.raises(ValueError, match=message):
        getattr(of_arrays, method)(table)


@pytest.mark.parametrize("method", METHODS)
def test_prediction_refuses_other_names_of_columns(of_frames, method):
    with pytest.raises(ValueError, match="feature names should match"):
        getattr(of_frames, method)(frame.rename(columns={"a": "z"}))


def test_prediction_refuses_another_order_of_columns(of_frames):
    with pytest.raises(ValueError, match="feature names should match"):
        of_frames.predict(frame[list("dcba")])


# -- tables of the same numbers ----------------------------------------------------------------


def make_small(**changes):
    values = {"hidden_layer_sizes": (8, 4), "max_iter": 5, "numerical_encoding": None}
    return RegularizedMLPClassifier(**{**values, "random_state": 0, **changes})


TABLES = {
    "read-only": lambda X: np.frombuffer(X.tobytes()).reshape(X.shape),
    "column-major": np.asfortranarray,
    "strided": lambda X: X.repeat(2, axis=0)[::2],
    "other byte order": lambda X: X.astype(X.dtype.newbyteorder()),
    "objects": lambda X: X.astype(object),
    "lists": lambda X: X.tolist(),
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "pandas, nullable": lambda X: pd.DataFrame(X, columns=list("abcd")).astype("Float64"),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcd")),
}


@pytest.fixture(scope="module")
def of_float64():
    return make_small().fit(X, y)


@pytest.mark.parametrize("convert", TABLES.values(), ids=TABLES.keys())
def test_any_table_of_the_same_numbers_gives_the_same_network(of_float64, convert):
    model = make_small().fit(convert(X), y)
    assert_same_network(of_float64, model)
    np.testing.assert_array_equal(of_float64.predict_proba(X), model.predict_proba(convert(X)))


def test_memory_mapped_tables_give_the_same_network(of_float64, tmp_path):
    joblib.dump(X, tmp_path / "X")
    mapped = joblib.load(tmp_path / "X", mmap_mode="r")
    assert_same_network(of_float64, make_small().fit(mapped, y))


NARROW = {
    "int16": (10 * X).astype(np.int16),
    "bool": X > X.mean(axis=0),
    "float32": X.astype(np.float32),
}


@pytest.mark.parametrize("table", NARROW.values(), ids=NARROW.keys())
def test_tables_of_narrow_types_give_the_network_of_their_values(table):
    assert_same_network(make_small().fit(table, y), make_small().fit(table.astype(float), y))


@pytest.mark.parametrize("make_frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_of_mixed_column_types_are_read_as_numbers(make_frame):
    values = np.c_[X[:, 0], (10 * X[:, 1]).astype(int), X[:, 2] > 3]
    columns = {"a": X[:, 0], "b": (10 * X[:, 1]).astype(int), "c": X[:, 2] > 3}
    assert_same_network(make_small().fit(make_frame(columns), y), make_small().fit(values, y))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint64, np.float16])
def test_tables_of_small_types_are_fitted_without_standardising(dtype):
    model = make_small(standardize=False).fit((X > 3).astype(dtype), y)
    assert np.isfinite(model.predict_proba((X > 3).astype(dtype))).all()


def test_names_of_columns_are_kept(of_frames):
    assert of_frames.feature_names_in_.tolist() == list("abcd")


# -- targets of the same values ----------------------------------------------------------------

STRINGS = np.dtypes.StringDType()
TEXT = np.array([str(number) for number in NUMBERS])
TARGETS_OF_NUMBERS = {
    "text": TEXT,
    "objects of text": TEXT.astype(object),
    "bytes": TEXT.astype("S"),
    "NumPy's strings": TEXT.astype(STRINGS),
    "lists": TEXT.tolist(),
    "pandas": pd.Series(TEXT),
    "polars": pl.Series(TEXT),
    "decimals": np.array([Decimal(text) for text in TEXT.tolist()], dtype=object),
    "long doubles": NUMBERS.astype(np.longdouble),
}


@pytest.fixture(scope="module")
def of_numbers():
    return make_small_regressor().fit(X, NUMBERS)


def make_small_regressor(**changes):
    return RegularizedMLPRegressor((8, 4), max_iter=2, random_state=0, **changes)


@pytest.mark.parametrize("target", TARGETS_OF_NUMBERS.values(), ids=TARGETS_OF_NUMBERS.keys())
def test_any_targets_of_the_same_numbers_give_the_same_network(of_numbers, target):
    assert_same_network(of_numbers, make_small_regressor().fit(X, target))


@pytest.mark.parametrize("scoring", ["loss", "r2"])
def test_a_search_reads_strings_of_numbers(scoring):
    options = {"dropouts": [0.1], "l2s": [1e-3], "cv": 2, "scoring": scoring, "random_state": 0}
    search = RegularizedMLPRegressorCV(hidden_layer_sizes=(8, 4), max_iter=2, **options)
    expected = search.fit(X, NUMBERS).scores_
    np.testing.assert_array_equal(search.fit(X, pd.Series(TEXT)).scores_, expected)


def test_validation_targets_may_be_strings_of_numbers():
    models = [make_small_regressor(early_stopping=True) for _ in range(2)]
    for model, target in zip(models, (NUMBERS, TEXT), strict=True):
        model.fit(X, NUMBERS, X_val=X, y_val=target)
    assert models[0].validation_loss_curve_ == models[1].validation_loss_curve_


def test_labels_may_be_numpy_strings(of_float64):
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = make_small().fit(X, names.astype(STRINGS))
    assert_same_network(of_float64, model)
    assert set(model.predict(X)) <= set(names)


@pytest.mark.filterwarnings("ignore:The number of unique classes")  # of scikit-learn 1.7
@pytest.mark.parametrize("n_classes", [3, 40])
def test_texts_are_not_found_among_numbers(n_classes):
    """NumPy would make texts of the numbers."""
    with pytest.raises(ValueError, match=r"(?s)expected labels among the classes .*received also"):
        make_small().partial_fit(X, y.astype(str), classes=np.arange(n_classes))


def test_classes_of_a_stream_may_be_numpy_strings():
    names = np.array(["a", "b", "c"])[y].astype(STRINGS)
    model = make_small().partial_fit(X, names, classes=np.unique(names))
    assert model.classes_.tolist() == ["a", "b", "c"]
