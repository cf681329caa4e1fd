"""Solvers: their parameters in the estimators and in Keras, and the learning-rate schedule."""

import inspect

import keras
import numpy as np
import pytest

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._nn.solvers import SOLVERS, compute_learning_rate

KINDS = [RegularizedMLPClassifier, RegularizedMLPRegressor]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SOLVERS)
def test_estimators_have_the_defaults_of_the_solver(kind, name):
    parameters = inspect.signature(kind).parameters
    for parameter, default in SOLVERS[name].defaults.items():
        assert parameters[parameter].default == default


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_optimizer_of_keras_has_the_parameters_of_the_solver(name, weight_decay):
    solver = SOLVERS[name]
    optimizer = solver.to_keras(keras.optimizers, 0.25, solver.defaults, weight_decay)
    assert type(optimizer).__name__ in solver.keras_classes
    config = optimizer.get_config()
    for ours, theirs in solver.keras_names.items():
        assert config[theirs] == solver.defaults[ours]
        assert type(config[theirs]) is type(solver.defaults[ours])
    assert float(optimizer.learning_rate) == 0.25
    assert (optimizer.weight_decay or 0.0) == weight_decay


def test_adam_keeps_its_parameters_within_the_bounds_of_float32():
    clipped = SOLVERS["adam"].bound_hyperparameters(
        {"beta_1": 1 - 1e-12, "beta_2": 0.5, "epsilon": 1e-300}
    )
    assert np.float32(clipped["beta_1"]) < 1
    assert clipped["beta_2"] == 0.5
    assert np.float32(clipped["epsilon"]) > 0


@pytest.mark.parametrize("step", [0, 1, 50, 99, 100])
def test_cosine_schedule_is_that_of_keras(step):
    expected = keras.optimizers.schedules.CosineDecay(0.1, 100)(step)
    got = compute_learning_rate(0.1, 1.0, np.float32(step), np.float32(100))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-8)


def test_constant_schedule_is_the_initial_rate():
    got = compute_learning_rate(0.1, 0.0, np.float32(70), np.float32(100))
    assert float(got) == pytest.approx(0.1)
