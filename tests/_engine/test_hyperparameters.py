"""Hyperparameters: the parameters of an estimator as numbers."""

import numpy as np
import pytest
from helpers import make_hyperparameters

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._engine.hyperparameters import (
    INTEGERS,
    LOSS_DEFAULTS,
    make_tensors,
    read_hyperparameters,
    read_loss_parameters,
)

NUMBERS = {
    "dropout": 0.5,
    "input_dropout": 0.25,
    "l2": 0.125,
    "l1": 0.125,
    "weight_decay": 0.125,
    "learning_rate_init": 0.125,
    "momentum": 0.5,
    "beta_1": 0.5,
    "beta_2": 0.5,
    "epsilon": 0.125,
    "tol": 0.125,
}


NO_AUTO = {"l2": 0.125, "max_iter": 8, "learning_rate_init": 0.125}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
def test_numbers_of_any_type_are_read_without_a_warning(dtype):
    numbers = {name: dtype(number) for name, number in NUMBERS.items()}
    numbers["max_iter"] = 8
    expected = read_hyperparameters(RegularizedMLPClassifier((8,), **NUMBERS, max_iter=8), 1)
    # Warnings are errors.
    assert read_hyperparameters(RegularizedMLPClassifier((8,), **numbers), 1) == expected


def test_a_parameter_of_a_loss_is_read_without_a_warning():
    model = RegularizedMLPRegressor(loss="quantile", quantile=np.float16(0.75), **NO_AUTO)
    assert read_hyperparameters(model, 2).loss_parameters["quantile"] == 0.75


@pytest.mark.parametrize("levels", [(0.25, 0.75), [0.25, 0.75], np.array([0.25, 0.75], np.float16)])
def test_several_levels_are_read_as_a_tuple(levels):
    model = RegularizedMLPRegressor(quantile=levels)  # also where the loss has no levels
    assert read_loss_parameters(model) == {"quantile": (0.25, 0.75)}
    assert read_loss_parameters(model.set_params(quantile=levels[:1])) == {"quantile": 0.25}
    assert read_loss_parameters(RegularizedMLPClassifier()) == LOSS_DEFAULTS


@pytest.mark.parametrize("loss", ["quantile", "quantiles"])
def test_tensors_have_the_parameters_of_their_loss(loss):
    levels = 0.5 if loss == "quantile" else (0.25, 0.75)
    hyper = make_hyperparameters(quantile=levels)
    integers = dict.fromkeys(INTEGERS, 0)
    (tensor,) = make_tensors(hyper, "adam", loss, ("l2",), (1, 2), **integers).loss_parameters
    np.testing.assert_array_equal(tensor, np.float32(levels))
    others = make_tensors(hyper, "adam", "huber", ("l2",), (1, 2), **integers)
    assert others.loss_parameters == ()


@pytest.mark.parametrize("number", [1e39, 10**400, np.longdouble("1e4000"), np.nan])
@pytest.mark.parametrize("name", ["learning_rate_init", "weight_decay", "tol"])
def test_a_number_that_float32_cannot_hold_is_named(name, number):
    model = RegularizedMLPClassifier(**{**NO_AUTO, name: number})
    with pytest.raises(ValueError, match=rf"{name}: expected at most 3.4e\+38; received"):
        read_hyperparameters(model, 2)
