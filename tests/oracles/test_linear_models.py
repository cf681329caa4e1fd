"""Networks without a hidden layer are the linear models of scikit-learn."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine, make_regression
from sklearn.linear_model import LogisticRegression, PoissonRegressor, QuantileRegressor, Ridge
from sklearn.metrics import log_loss, mean_pinball_loss
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

TABLES = {"two classes": load_breast_cancer, "three classes": load_wine}


def linear_classifier(n_rows, **changes):
    """A network without a hidden layer, trained on the whole table until the optimum."""
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


def linear_regressor(n_rows, **changes):
    """A network without a hidden layer, trained on the whole table until the optimum."""
    values = {
        "hidden_layer_sizes": (),
        "dropout": 0.0,
        "batch_size": 10 * n_rows,
        "learning_rate_init": 0.05,
        "max_iter": 5000,
        "random_state": 0,
    }
    return RegularizedMLPRegressor(**{**values, **changes})


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("C", [0.1, 1.0])
@pytest.mark.parametrize("name", TABLES)
def test_classifier_is_logistic_regression_at_the_converted_strength(name, C, weighted):
    """l2 = 1 / (2 C W), where W is the sum of the weights (the number of rows without any)."""
    X, y = TABLES[name](return_X_y=True)
    X = StandardScaler().fit_transform(X)
    weight = np.random.default_rng(0).uniform(0.5, 2, size=len(y)) if weighted else np.ones(len(y))
    expected = LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(X, y, weight)
    model = linear_classifier(len(y), standardize=False, l2=1 / (2 * C * weight.sum()))
    model.fit(X, y, weight)
    np.testing.assert_allclose(model.coefs_[0].T, expected.coef_, atol=2e-3)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-3)


@pytest.mark.parametrize("name", TABLES)
def test_default_steps_without_a_hidden_layer_are_logistic_regression(name):
    """Rate and steps of "auto" suffice: the objective is within 0.01 % of its minimum."""
    X, y = TABLES[name](return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = RegularizedMLPClassifier((), dropout=0.0, standardize=False, random_state=0).fit(X, y)
    expected = LogisticRegression(C=1 / (2 * model.l2_ * len(y)), tol=1e-10, max_iter=10_000)
    expected.fit(X, y)

    def measure(probabilities, kernel):
        return log_loss(y, probabilities) + model.l2_ * (kernel**2).sum()

    least = measure(expected.predict_proba(X), expected.coef_)
    assert measure(model.predict_proba(X), model.coefs_[0]) < 1.0001 * least
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=4e-3)


def test_standardising_inside_equals_standardising_before():
    X, y = load_breast_cancer(return_X_y=True)
    inside = RegularizedMLPClassifier(max_iter=5, numerical_encoding=None, random_state=0)
    inside.fit(X, y)
    scaler = StandardScaler().fit(X)
    np.testing.assert_allclose(inside.center_, scaler.mean_)
    np.testing.assert_allclose(inside.scale_, scaler.scale_)
    logits = scaler.transform(X) @ inside.coefs_[0] + inside.intercepts_[0]
    for kernel, bias in zip(inside.coefs_[1:], inside.intercepts_[1:], strict=True):
        logits = np.maximum(logits, 0) @ kernel + bias
    np.testing.assert_allclose(inside.decision_function(X), logits[:, 0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("alpha", [1.0, 100.0])
def test_regressor_is_ridge_at_the_converted_strength(alpha, standardize, weighted):
    """l2 = alpha / W, also if the target is standardised, which divides the kernel by its scale."""
    X, y = make_regression(200, 6, noise=20, random_state=0)
    y *= (7.0 if standardize else 1.0) / y.std()
    X = StandardScaler().fit_transform(X)
    weight = np.random.default_rng(0).uniform(0.5, 2, size=200) if weighted else np.ones(200)
    if standardize:  # Ridge does not scale inside
        mean = np.average(X, axis=0, weights=weight)
        X = (X - mean) / np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    expected = Ridge(alpha=alpha).fit(X, y, weight)
    scales = {"standardize": standardize, "standardize_target": standardize}
    model = linear_regressor(200, l2=alpha / weight.sum(), **scales).fit(X, y, weight)
    np.testing.assert_allclose(model.predict(X), expected.predict(X), atol=2e-3 * y.std())


@pytest.mark.parametrize("standardize", [False, True])
def test_poisson_loss_is_the_poisson_regressor_at_the_converted_strength(standardize):
    """l2 = alpha / (2 s), where s is the mean of the target, which is divided by it."""
    rng = np.random.default_rng(0)
    X = StandardScaler().fit_transform(rng.normal(size=(300, 4)))
    y = rng.poisson(np.exp(0.5 * X[:, 0] - 0.3 * X[:, 1] + 1)).astype(float)
    alpha = 0.1
    expected = PoissonRegressor(alpha=alpha, tol=1e-10, max_iter=1000).fit(X, y)
    l2 = alpha / (2 * (y.mean() if standardize else 1.0))
    scales = {"standardize": standardize, "standardize_target": standardize}
    model = linear_regressor(300, loss="poisson", l2=l2, **scales).fit(X, y)
    np.testing.assert_allclose(model.predict(X), expected.predict(X), rtol=5e-3)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_quantile_loss_is_the_quantile_regressor(quantile):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = X[:, 0] + rng.exponential(size=400)
    expected = QuantileRegressor(quantile=quantile, alpha=0.0).fit(X, y)
    model = linear_regressor(400, loss="quantile", quantile=quantile, l2=0.0).fit(X, y)
    assert mean_pinball_loss(y, model.predict(X), alpha=quantile) < 1.01 * mean_pinball_loss(
        y, expected.predict(X), alpha=quantile
    )
    assert abs((y <= model.predict(X)).mean() - quantile) < 0.03
