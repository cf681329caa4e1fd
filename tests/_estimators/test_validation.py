"""Tables as they come: what is read alike, and what is refused before training begins."""

from datetime import date

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import assert_same_network
from scipy.sparse import csr_array
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from skreg import RegularizedMLPClassifier

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
    "NaN": (replace_value(np.nan), y, None, r"Input X contains NaN(.|\n)*imputer"),
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
        r"datetime64(.|\n)*Expected numbers in X(.|\n)*tabular_pipeline",
    ),
    "arrays of strings": (X.astype(str), y, None, r"strings(.|\n)*Expected numbers in X"),
    "beyond float64": (X * np.longdouble("1e4000"), y, None, r"Input X contains infinity"),
    "polars' dates": (
        pl.DataFrame({"a": [date(2020, 1, 1)] * 150, "b": X[:, 0]}),
        y,
        None,
        r"'a' of X has values of type Date(.|\n)*Expected numbers in X",
    ),
    "sparse NaN": (csr_array(replace_value(np.nan)), y, None, r"Input X contains NaN"),
    "strings": (
        replace_value("red"),
        y,
        None,
        r"string(.|\n)*tabular_pipeline(.|\n)*OneHotEncoder",
    ),
    "categories": (
        frame.assign(e=pd.Categorical(["u", "v", "w"] * 50)),
        y,
        None,
        r"string(.|\n)*tabular_pipeline(.|\n)*OneHotEncoder",
    ),
    "string columns": (
        frame.assign(e=["u", "v", "w"] * 50),
        y,
        None,
        r"string(.|\n)*tabular_pipeline(.|\n)*OneHotEncoder",
    ),
    "string columns beside booleans": (
        pd.DataFrame({"a": [True, False, True] * 50, "b": ["u", "v", "w"] * 50}),
        y,
        None,
        r"(string|str)(.|\n)*tabular_pipeline(.|\n)*OneHotEncoder",
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
def test_dates_are_refused_with_a_hint():
    dated = frame.assign(e=pd.Timestamp("2026-01-01"))
    with pytest.raises(
        (TypeError, ValueError), match=r"(?s)Expected numbers in X.*tabular_pipeline"
    ):
        RegularizedMLPClassifier().fit(dated, y)


@pytest.mark.usefixtures("_no_training")
def test_values_too_large_for_float32_are_refused_without_standardising():
    with pytest.raises(
        ValueError, match=r"X: expected values within.*received -2e\+30.*standardize"
    ):
        RegularizedMLPClassifier(standardize=False).fit(replace_value(-2e30), y)


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


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param(X[:, :3], r"X has 3 features, but .* is expecting 4", id="columns"),
        pytest.param(replace_value(np.nan), "contains NaN", id="NaN"),
        pytest.param(replace_value("red"), r"(?s)string.*OneHotEncoder", id="strings"),
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
    values = {"hidden_layer_sizes": (8, 4), "max_iter": 5, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


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
