"""The estimator against other models where it collapses to them, and against itself."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier

TABLES = {"two classes": load_breast_cancer, "three classes": load_wine}


def linear_model(n_rows, **changes):
    """No hidden layer, the whole table a step, trained until the optimum."""
    values = {
        "hidden_layer_sizes": (),
        "dropout": 0.0,
        "batch_size": 10 * n_rows,
        "learning_rate_init": 0.1,
        "learning_rate": "cosine",
        "max_iter": 4000,
        "random_state": 0,
    }
    return RegularizedMLPClassifier(**{**values, **changes})


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("C", [0.1, 1.0])
@pytest.mark.parametrize("name", TABLES)
def test_no_hidden_layer_is_logistic_regression_at_the_converted_strength(name, C, weighted):
    """l2 = 1 / (2 C W), where W is the sum of the weights (the number of rows without any)."""
    X, y = TABLES[name](return_X_y=True)
    X = StandardScaler().fit_transform(X)
    weight = np.random.default_rng(0).uniform(0.5, 2, size=len(y)) if weighted else np.ones(len(y))
    expected = LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(X, y, weight)
    model = linear_model(len(y), standardize=False, l2=1 / (2 * C * weight.sum()))
    model.fit(X, y, weight)
    np.testing.assert_allclose(model.coefs_[0].T, expected.coef_, atol=2e-3)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-3)


def test_standardising_inside_equals_standardising_before():
    X, y = load_breast_cancer(return_X_y=True)
    inside = RegularizedMLPClassifier(max_iter=5, random_state=0).fit(X, y)
    scaler = StandardScaler().fit(X)
    np.testing.assert_allclose(inside.mean_, scaler.mean_)
    np.testing.assert_allclose(inside.scale_, scaler.scale_)
    logits = scaler.transform(X) @ inside.coefs_[0] + inside.intercepts_[0]
    for kernel, bias in zip(inside.coefs_[1:], inside.intercepts_[1:], strict=True):
        logits = np.maximum(logits, 0) @ kernel + bias
    np.testing.assert_allclose(inside.decision_function(X), logits[:, 0], rtol=1e-9, atol=1e-9)


def assert_same_network(left, right):
    assert left.loss_curve_ == right.loss_curve_
    for name in ("coefs_", "intercepts_"):
        for one, other in zip(getattr(left, name), getattr(right, name), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0.3, 1: 2.0}])
def test_weights_are_repetitions_through_dropout_and_minibatches(class_weight):
    """Breast cancer and dropout, 40 epochs: bit for bit, in any order of the rows."""
    X, y = load_breast_cancer(return_X_y=True)
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 4, size=len(y))
    order = rng.permutation(weight.sum())
    model = RegularizedMLPClassifier(max_iter=40, class_weight=class_weight, random_state=0)
    weighted = model.fit(X, y, sample_weight=weight)
    repeated = RegularizedMLPClassifier(**model.get_params())
    repeated.fit(X.repeat(weight, axis=0)[order], y.repeat(weight)[order])
    assert_same_network(weighted, repeated)


def test_weights_times_a_power_of_two_that_keep_the_visits_change_nothing():
    """Below one visit a row each, a common factor leaves every share of the loss as it is."""
    X, y = load_wine(return_X_y=True)
    weight = np.random.default_rng(0).uniform(0.1, 0.4, size=len(y))
    model = RegularizedMLPClassifier(max_iter=10, random_state=0)
    one = model.fit(X, y, sample_weight=weight)
    other = RegularizedMLPClassifier(**model.get_params()).fit(X, y, sample_weight=2 * weight)
    assert_same_network(one, other)


def test_no_regularisation_is_a_plain_network_and_regularisation_is_not():
    X, y = load_wine(return_X_y=True)
    base = {"max_iter": 10, "random_state": 0, "hidden_layer_sizes": (16,)}
    plain = RegularizedMLPClassifier(dropout=0.0, l2=0.0, **base).fit(X, y)
    by_layer = RegularizedMLPClassifier(dropout=(0.0,), l2=(0.0, 0.0), **base).fit(X, y)
    assert_same_network(plain, by_layer)
    for change in ({"dropout": 0.1}, {"l2": 0.1}, {"input_dropout": 0.1}, {"weight_decay": 0.1}):
        changed = RegularizedMLPClassifier(**{"dropout": 0.0, "l2": 0.0, **change}, **base)
        assert changed.fit(X, y).loss_curve_ != plain.loss_curve_


def test_l2_shrinks_the_kernels_and_dropout_is_off_when_predicting():
    X, y = load_wine(return_X_y=True)
    norms = []
    for l2 in (0.0, 1e-3, 1e-1):
        model = RegularizedMLPClassifier(l2=l2, random_state=0, max_iter=50).fit(X, y)
        norms.append(sum((kernel**2).sum() for kernel in model.coefs_))
    assert norms[0] > norms[1] > norms[2]
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))
