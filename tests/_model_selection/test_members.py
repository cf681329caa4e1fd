"""Predictions of the networks of a search, and with dropout."""

import numpy as np
import pandas as pd
import pytest
from helpers import CANCER, TINY, quick_regression_search, quick_search
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from skreg import RegularizedMLPClassifierCV, predictive_uncertainty

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, SPECIES = load_iris(return_X_y=True)


def fit_classes(refit, y=SPECIES):
    # Several kinds once: each compiles programs, which stay in memory.
    candidates = "auto" if y is SPECIES else [{}]
    return quick_search(**TINY, candidates=candidates, refit=refit).fit(X, y)


@pytest.mark.parametrize("refit", ["folds", "ensemble", True])
@pytest.mark.parametrize(
    ("y", "n_columns"),
    [(SPECIES, 3), (SPECIES == 1, 2), (np.c_[SPECIES == 0, SPECIES > 0].astype(int), 2)],
)
def test_each_network_predicts_on_its_own(refit, y, n_columns):
    model = fit_classes(refit, y)
    found = model.member_predictions(X)
    networks = [model.best_estimator_] if refit is True else model.estimators_
    assert found.shape == (len(networks), len(X), n_columns)
    assert_array_equal(found, [network.predict_proba(X) for network in networks])
    weights = getattr(model, "estimator_weights_", None)
    assert_allclose(np.average(found, axis=0, weights=weights), model.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_numbers_have_a_prediction_of_each_network(n_outputs):
    y = X[:, 0] if n_outputs == 1 else X[:, :2]
    model = quick_regression_search(**TINY, refit="folds").fit(X, y)
    found = model.member_predictions(X)
    assert found.shape == (3, *y.shape)
    assert_array_equal(found, [network.predict(X) for network in model.estimators_])
    assert_allclose(found.mean(axis=0), model.predict(X), rtol=1e-12)


@pytest.mark.parametrize("refit", ["folds", "ensemble"])
def test_a_constant_target_is_predicted_exactly(refit):
    y = np.full(len(X), 0.1)  # whose mean with weights of 1/3 rounds
    model = quick_regression_search(**TINY, refit=refit).fit(X, y)
    assert_array_equal(model.predict(X), y)
    assert model.score(X, y) == 1


def test_unknown_levels_have_one_warning():
    table = pd.DataFrame({"number": X[:, 0], "word": ["one", "other"] * (len(X) // 2)})
    model = quick_search(**TINY, refit="folds").fit(table, SPECIES)
    with pytest.warns(UserWarning, match=r"columns \['word'\] were not in training") as record:
        model.predict(table.assign(word="new"))
    assert len(record) == 1
    assert record[0].filename == __file__


def test_quantiles_of_each_network_are_sorted():
    levels = {"loss": "quantile", "quantile": (0.1, 0.5, 0.9)}
    model = quick_regression_search(**{**TINY, "max_iter": 1}, **levels, refit="folds")
    found = model.fit(X[:, 1:], X[:, 0]).member_predictions(X[:, 1:])
    assert found.shape == (3, len(X), 3)
    assert (np.diff(found, axis=2) >= 0).all()


def test_a_table_of_float32_has_predictions_of_float32():
    assert fit_classes("folds").member_predictions(X.astype(np.float32)).dtype == np.float32


def test_dropout_samples_the_winner():
    model = fit_classes(True)
    samples = model.mc_dropout(X, 5, random_state=0)
    assert_array_equal(samples, model.best_estimator_.mc_dropout(X, 5, random_state=0))


def test_an_average_has_disagreement_instead_of_dropout():
    model = fit_classes("ensemble")
    with pytest.raises(ValueError, match=r"mc_dropout: expected .* member_predictions"):
        model.mc_dropout(X)
    found = predictive_uncertainty(model.member_predictions(X), model.estimator_weights_)
    assert_allclose(found.mean, model.predict_proba(X), rtol=1e-9)
    assert (found.mutual_information > 0).any()


@pytest.mark.parametrize("method", ["member_predictions", "mc_dropout"])
def test_without_a_network_there_is_an_error(method):
    with pytest.raises(NotFittedError):
        getattr(RegularizedMLPClassifierCV(), method)(X)
    with pytest.raises(NotFittedError, match="has no network to predict with"):
        getattr(fit_classes(False), method)(X)


@pytest.mark.parametrize("refit", [True, "folds", "ensemble"])
@pytest.mark.parametrize("search", [quick_search, quick_regression_search])
def test_errors_and_warnings_name_the_search(search, refit):
    X = pd.DataFrame(CANCER[0][:, :3], columns=["radius", "texture", "perimeter"])
    X["size"] = np.where(X["radius"] > 15, "large", "small")
    options = {"dropouts": [0.0], "l2s": [1e-3], "candidates": [{}], "cv": 2}
    model = search(**options, refit=refit).fit(X, CANCER[1])
    name = type(model).__name__
    with pytest.warns(UserWarning, match=f"{name} was fitted with feature names") as caught:
        model.predict(X.to_numpy())
    assert len(caught) == 1
    wrong = pytest.raises(ValueError, match=f"X has 2 features, but {name} is expecting 4")
    with pytest.warns(UserWarning, match=name), wrong:
        model.predict(X.to_numpy()[:, :2])
