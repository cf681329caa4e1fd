"""One Keras model of the networks of a search."""

import numpy as np
import pandas as pd
import pytest
from helpers import TINY, in_full, quick_regression_search, quick_search
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg.keras import make_inputs, save_model

keras = pytest.importorskip("keras")

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, SPECIES = load_iris(return_X_y=True)


def predict(model, table):
    """What the Keras model has to predict."""
    if not hasattr(model, "predict_proba"):
        return model.predict(table).reshape(len(table), -1)
    probabilities = model.predict_proba(table)
    return probabilities[:, 1:] if model._is_binary else probabilities


def assert_exports(model, table, path):
    exported = model.to_keras()
    expected, inputs = predict(model, table), make_inputs(model, table)
    assert_allclose(exported.predict(inputs, verbose=0), expected, rtol=1e-4, atol=1e-5)
    save_model(model, path / "average.keras")
    loaded = keras.saving.load_model(path / "average.keras")
    assert_allclose(loaded.predict(inputs, verbose=0), expected, rtol=1e-4, atol=1e-5)
    return exported


# -- tables of numbers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refit", "y"),
    [
        ("ensemble", SPECIES),
        pytest.param("folds", SPECIES == 1, marks=pytest.mark.full),
        pytest.param("folds", np.c_[SPECIES == 0, SPECIES > 0].astype(int), marks=pytest.mark.full),
    ],
)
def test_classes_have_the_mean_probabilities(refit, y, tmp_path):
    model = quick_search(**TINY, refit=refit).fit(X, y)
    exported = assert_exports(model, X, tmp_path)
    networks = [layer for layer in exported.layers if isinstance(layer, keras.Sequential)]
    assert len(networks) == len(model.estimators_)


@pytest.mark.parametrize(
    "labels",
    [SPECIES, SPECIES > 0, np.c_[SPECIES == 0, SPECIES == 2].astype(int)],
    ids=["three", "two", "labels"],
)
def test_folds_may_lack_a_class(labels, tmp_path):
    splits = [(np.arange(50, 150), np.arange(50)), (np.arange(100), np.arange(100, 150))]
    table = pd.DataFrame(X, columns=["sum", "add", "stack", "average"])
    table.iloc[::9, 0] = np.nan
    model = quick_search(**{**TINY, "cv": splits}, refit="folds").fit(table, labels)
    far = X.mean(axis=0) + 1e2 * np.random.default_rng(0).normal(size=(500, 4))
    assert_exports(model, pd.concat([table, pd.DataFrame(far, columns=table.columns)]), tmp_path)


def test_two_folds_may_have_one_class_each(tmp_path):
    splits = [(np.arange(50, 150), np.arange(50)), (np.arange(50), np.arange(50, 150))]
    model = quick_search(**{**TINY, "cv": splits, "max_iter": 100}, refit="folds")
    model.fit(X, SPECIES > 0)
    far = X.mean(axis=0) + 1e2 * np.random.default_rng(0).normal(size=(500, 4))
    assert_exports(model, np.r_[X, far], tmp_path)


# So few steps leave the Poisson loss above that of a constant.
@pytest.mark.filterwarnings("ignore:6 of 6 networks led nowhere")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"loss": "poisson"}, marks=pytest.mark.full),
        pytest.param({"loss": "quantile", "quantile": (0.1, 0.9)}, marks=pytest.mark.full),
    ],
)
def test_numbers_have_the_mean_prediction(changes, tmp_path):
    # Several kinds once: each compiles programs, which stay in memory.
    candidates = [{}] if changes else "auto"
    model = quick_regression_search(**TINY, **changes, candidates=candidates, refit="ensemble")
    model.fit(X[:, 1:], 10 * X[:, 0])
    assert_exports(model, X[:, 1:], tmp_path)


@pytest.mark.parametrize("encoding", in_full(["piecewise", "periodic"], "periodic"))
def test_encodings_of_the_folds_are_exported(encoding, tmp_path):
    model = quick_search(**TINY, refit="folds", numerical_encoding=encoding).fit(X, SPECIES)
    assert_exports(model, X, tmp_path)


def test_the_refitted_winner_is_that_of_the_best_estimator(tmp_path):
    model = quick_search(**TINY).fit(X, SPECIES)
    assert_exports(model, X, tmp_path)
    back = RegularizedMLPClassifier.from_keras(tmp_path / "average.keras")
    assert_allclose(back.predict_proba(X), model.predict_proba(X), atol=1e-5)


def test_a_single_fold_is_its_network(tmp_path):
    cv = [next(KFold(3, shuffle=True, random_state=0).split(X))]
    model = quick_search(**{**TINY, "cv": cv}, refit="folds").fit(X, SPECIES)
    assert isinstance(assert_exports(model, X, tmp_path), keras.Sequential)


# -- tables with categories and missing values -------------------------------------------------


def make_table(seed=0, is_new=False):
    """Levels, medians and columns with missing values differ by fold."""
    rng = np.random.default_rng(seed)
    n_rows = 60
    columns = {
        "size": np.where(rng.random(n_rows) < 0.2, np.nan, rng.normal(10, 3, n_rows)),
        "once": np.where(np.arange(n_rows) == 3, np.nan, rng.normal(size=n_rows)),
        "last": np.where(np.arange(n_rows) < 40, np.nan, rng.normal(size=n_rows)),
        "network_1": rng.normal(size=n_rows),
        "code": pd.Categorical(rng.choice([1, 2, 5], n_rows)),
    }
    text = rng.choice(["red", "blue", "green"], n_rows).astype(object)
    text[:4] = "", "", None, "only here"
    late = np.where(np.arange(n_rows) < 40, None, rng.choice(["a", "b"], n_rows)).astype(object)
    if is_new:
        text[4:8] = "new", "[MISSING]", "[UNK]", None
    return pd.DataFrame(
        {**columns, "colour": pd.Categorical(text), "late": pd.Categorical(late, ["a", "b"])}
    )


@pytest.mark.filterwarnings("ignore:X. the columns .* have no values:UserWarning")
@pytest.mark.filterwarnings("ignore:X. most values of the columns:UserWarning")
@pytest.mark.parametrize("kind", in_full(["classes", "numbers"], "numbers"))
def test_folds_with_columns_of_their_own_have_encoders(kind, tmp_path):
    table = make_table()
    target = table["network_1"] + (table["code"] == 2)
    changes = {**TINY, "cv": KFold(3), "refit": "folds"}
    search = quick_search if kind == "classes" else quick_regression_search
    model = search(**changes).fit(table, target > 0.5 if kind == "classes" else target)
    exported = assert_exports(model, make_table(1, is_new=True), tmp_path)
    assert set(exported.input) == set(table.columns)
    encoders = [layer.name for layer in exported.layers if layer.name.startswith("encoder")]
    assert encoders == ["encoder_1", "encoder_2", "encoder_3"]


def test_one_fold_with_missing_values_gives_all_named_inputs(tmp_path):
    table = X.copy()
    table[[0, 3], 1] = np.nan  # in training rows of two folds of three
    model = quick_search(**{**TINY, "cv": KFold(3)}, refit="folds").fit(table, np.arange(150) % 2)
    exported = assert_exports(model, table, tmp_path)
    assert list(exported.input) == ["x0", "x1", "x2", "x3"]


# -- what is refused ---------------------------------------------------------------------------


def test_from_keras_refuses_an_average(tmp_path):
    model = quick_regression_search(**TINY, refit="folds").fit(X[:, 1:], X[:, 0])
    with pytest.raises(ValueError, match=r"from_keras: expected one network; .* averages 3"):
        RegularizedMLPRegressor.from_keras(model.to_keras())


def test_without_a_network_there_is_an_error(tmp_path):
    model = quick_search(**TINY, refit=False).fit(X, SPECIES)
    for export in (model.to_keras, lambda: save_model(model, tmp_path / "none.keras")):
        with pytest.raises(NotFittedError, match="has no network to predict with"):
            export()
