"""Steps of MLPClassifier and MLPRegressor: the same weights after the same number of epochs."""

import numpy as np
import pytest
from oracles.mlp_pairs import (
    COUNTS,
    LABELS,
    NUMBERS,
    TWO_COLUMNS,
    X_LABELS,
    N,
    X,
    Y,
    assert_close,
    call_quietly,
    copy_weights,
    covers,
    make_full_batch,
    train_alike,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skreg import RegularizedMLPRegressor


@covers("activation")
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_an_activation_is_the_same_function(activation):
    assert_close(*train_alike(X, Y, 1, activation=activation))


@covers("learning_rate_init", "momentum", "nesterovs_momentum", "solver")
@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize(("momentum", "rate"), [(0.0, 0.2), (0.5, 0.1), (0.9, 0.05)])
def test_sgd_makes_the_same_steps(momentum, rate, nesterov):
    changes = {"momentum": momentum, "nesterovs_momentum": nesterov, "learning_rate_init": rate}
    assert_close(*train_alike(X, Y, 1, **changes))


@covers("beta_1", "beta_2", "epsilon", "solver")
@pytest.mark.parametrize("epsilon", [1e-8, 1e-7, 1e-2])
@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.9, 0.999), (0.5, 0.8), (0.0, 0.0)])
def test_adam_makes_the_same_steps(beta_1, beta_2, epsilon):
    """An epsilon of 1e-2 shows that it is added at the same place of the formula."""
    changes = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "learning_rate_init": 0.02}
    # Where a gradient is near zero, adam divides its rounding errors by their size.
    assert_close(*train_alike(X, Y, 1, solver="adam", **changes), atol=1e-4)


@covers("alpha", "loss")
@pytest.mark.parametrize(
    ("X", "y", "factor", "changes"),
    [
        (X, (Y > 0).astype(int), 1, {"learning_rate_init": 0.1}),
        (X_LABELS, LABELS, 1 / 5, {"learning_rate_init": 0.1}),
        (X_LABELS, LABELS, 1 / 5, {"solver": "adam", "epsilon": 1e-5}),
        (X, NUMBERS - 7, 2, {"learning_rate_init": 0.01}),
        (X, TWO_COLUMNS - 7, 2 / 2, {"learning_rate_init": 0.01}),
        (X, COUNTS, 1, {"learning_rate_init": 0.01, "loss": "poisson"}),
    ],
    ids=["two classes", "five labels", "five labels, adam", "one number", "two numbers", "counts"],
)
def test_alpha_is_an_l2_for_every_loss(X, y, factor, changes):
    """MLPClassifier and MLPRegressor sum over labels and outputs, and halve squared errors."""
    assert_close(*train_alike(X, y, factor, **changes))


@covers("alpha")
def test_another_l2_trains_another_network():
    mlp, model = train_alike(X, Y, 1, alpha=15.0, l2=15.0 / N)
    assert np.abs(mlp.coefs_[0] - model.coefs_[0]).max() > 0.01


@covers("alpha")
def test_alpha_is_divided_by_the_sum_of_the_weights():
    weight = np.random.default_rng(0).uniform(0.2, 1.0, size=N)
    assert_close(*train_alike(X, Y, 1, weight=weight))


@covers("alpha")
@pytest.mark.parametrize("hidden", [(), (6,)], ids=["no hidden layer", "one"])
def test_alpha_is_another_l2_for_the_last_kernel_if_the_target_is_standardised(hidden):
    """In the unit of the target, the last kernel is s times and the loss s^2 times as large."""
    alpha, s = 20.0, NUMBERS.std()
    l2 = [*(alpha / (N * s**2) for _ in hidden), alpha / N]
    changes = {"hidden_layer_sizes": hidden, "l2": l2, "standardize": True, "warm_start": True}
    model = make_full_batch(RegularizedMLPRegressor, max_iter=20, **changes).fit(X, NUMBERS)
    mlp = MLPRegressor(hidden_layer_sizes=hidden, alpha=alpha, batch_size=N, solver="sgd")
    copy_weights(mlp, model, X, NUMBERS)
    mlp.coefs_[-1] *= s
    mlp.intercepts_[-1] = s * mlp.intercepts_[-1] + NUMBERS.mean()
    # At a rate near zero, the loss of an epoch is the objective at these weights.
    near_zero = {"learning_rate_init": 1e-30, "max_iter": 1}
    call_quietly(mlp.set_params(**near_zero).fit, X, NUMBERS)
    model.set_params(**near_zero).fit(X, NUMBERS)
    assert model.loss_ == pytest.approx(2 / s**2 * mlp.loss_, rel=1e-5)
    np.testing.assert_allclose(model.predict(X), mlp.predict(X), rtol=1e-5)


@covers("alpha")
def test_alpha_is_divided_by_the_mean_of_standardised_counts():
    """The scale of counts enters the last bias only, and the objective is divided by it."""
    alpha, mean = 15.0, COUNTS.mean()
    model = make_full_batch(
        RegularizedMLPRegressor,
        **{"loss": "poisson", "standardize": True, "warm_start": True, "max_iter": 1},
        **{"l2": alpha / (2 * N * mean), "learning_rate_init": 0.01 * mean},
    ).fit(X, COUNTS)
    mlp = MLPRegressor("poisson", (6,), solver="sgd", learning_rate_init=0.01, alpha=alpha)
    copy_weights(mlp.set_params(batch_size=N, n_iter_no_change=np.inf), model, X, COUNTS)
    mlp.intercepts_[-1] += np.log(mean)
    call_quietly(mlp.set_params(max_iter=8).fit, X, COUNTS)
    model.set_params(max_iter=8).fit(X, COUNTS)
    mlp.intercepts_[-1] -= np.log(mean)
    assert_close(mlp, model)


@pytest.fixture(scope="module")
def first_weights():
    """An MLP and a model of skreg that were trained at a rate near zero."""
    model = make_full_batch(learning_rate_init=1e-30, max_iter=1).fit(X, Y)
    mlp = MLPClassifier((6,), learning_rate_init=1e-30, max_iter=1)
    return call_quietly(mlp.fit, X, Y), model


def test_first_biases_are_zero_where_those_of_mlp_are_not(first_weights):
    mlp, model = first_weights
    np.testing.assert_allclose(np.concatenate(model.intercepts_), 0, atol=1e-20)
    assert np.abs(np.concatenate(mlp.intercepts_)).min() > 0


def test_first_kernels_have_the_bounds_of_glorot(first_weights):
    mlp, model = first_weights
    for expected, kernel in zip(mlp.coefs_, model.coefs_, strict=True):
        assert np.abs(kernel).max() <= np.sqrt(6 / sum(expected.shape))
