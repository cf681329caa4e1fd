"""The loss as a score is what scikit-learn's metrics say; and which metric decides."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
)

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._model_selection.scoring import Scoring, negative_loss

SMALL = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}


def classifier():
    return RegularizedMLPClassifier(**SMALL)


@pytest.mark.parametrize("load", [load_breast_cancer, load_iris])
@pytest.mark.parametrize("weighted", [False, True])
def test_of_classes_is_the_log_loss(load, weighted):
    X, y = load(return_X_y=True)
    weight = np.arange(len(y)) % 4 if weighted else None
    names = np.array(["a", "b", "c"])[y]
    model = classifier().fit(X, names)
    expected = log_loss(names, model.predict_proba(X), sample_weight=weight)
    assert_allclose(-negative_loss(model, X, names, weight), expected, rtol=1e-6)


def test_of_rows_that_lack_a_class_or_have_one_that_training_had_not():
    X, y = load_iris(return_X_y=True)
    model = classifier().fit(X[:100], y[:100])
    expected = -model.predict_log_proba(X[:50])[:, 0].mean()
    assert_allclose(-negative_loss(model, X[:50], y[:50]), expected)
    unseen = -negative_loss(model, X[100:], y[100:])
    assert_allclose(unseen, -np.log(np.finfo(float).eps))


def test_of_several_labels_is_the_mean_of_their_log_losses():
    X, y = load_iris(return_X_y=True)
    labels = np.stack([y > 0, y > 1], axis=1).astype(int)
    model = classifier().fit(X, labels)
    probabilities = model.predict_proba(X)
    expected = np.mean([log_loss(labels[:, k], probabilities[:, k]) for k in range(2)])
    assert_allclose(-negative_loss(model, X, labels), expected, rtol=1e-6)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize(
    ("loss", "metric"),
    [
        ("squared_error", mean_squared_error),
        ("absolute_error", mean_absolute_error),
        ("quantile", lambda *y: mean_pinball_loss(*y, alpha=0.8)),
    ],
)
def test_of_numbers_is_the_models_own_loss_on_the_scale_of_its_target(loss, metric, outputs):
    X, y = load_diabetes(return_X_y=True)
    y = y if outputs == 1 else np.stack([y, 10 * y], axis=1)
    model = RegularizedMLPRegressor(loss=loss, quantile=0.8, **SMALL).fit(X, y)
    scale = model.target_scale_
    expected = metric(y / scale, model.predict(X) / scale)
    assert_allclose(-negative_loss(model, X, y), expected, rtol=1e-6)


def test_of_huber_is_quadratic_inside_and_linear_outside():
    X, y = load_diabetes(return_X_y=True)
    model = RegularizedMLPRegressor(loss="huber", **SMALL).fit(X, y)
    error = np.abs(model.predict(X) - y) / model.target_scale_
    expected = np.where(error < 1, error**2 / 2, error - 1 / 2)
    assert_allclose(-negative_loss(model, X, y), expected.mean())


def test_of_poisson_differs_from_half_the_deviance_by_what_the_targets_decide():
    X, y = load_diabetes(return_X_y=True)
    losses, deviances = [], []
    for max_iter in (1, 20):
        model = RegularizedMLPRegressor(loss="poisson", **{**SMALL, "max_iter": max_iter}).fit(X, y)
        losses.append(-negative_loss(model, X, y))
        deviances.append(mean_poisson_deviance(y, model.predict(X)) / model.target_scale_[0] / 2)
    assert_allclose(np.diff(losses), np.diff(deviances), rtol=1e-5)


def test_metric_that_decides():
    assert Scoring("loss", classifier(), True).metric == "score"
    assert Scoring(None, classifier(), True).takes_weights()
    assert Scoring(["accuracy", "roc_auc"], classifier(), "roc_auc").metric == "roc_auc"
    assert not Scoring(lambda model, X, y: 0.0, classifier(), True).takes_weights()
