"""Solvers: update rules as pure functions, and the learning-rate schedule.

A solver is one class: its update, its parameters with their defaults, and its optimiser in Keras.
To add one, write the class and add it to `SOLVERS`. The arithmetic is that of Keras and
scikit-learn.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from skreg._tensorflow import tensorflow


class OptimizerInputs(NamedTuple):
    """What a step knows besides parameters and gradients. Scalar float32 tensors."""

    learning_rate: Any  # of this step, after the schedule
    step: Any  # 1 in the first step
    hyperparameters: Mapping[str, Any]  # those of the solver, by name


class Solver(ABC):
    """Contract of a solver.

    Attributes
    ----------
    name : str
        Value of the parameter `solver`.
    n_moments : int
        Tensors that the solver keeps for each parameter tensor. They begin at zero.
    defaults : dict of float or bool
        The estimators' parameters that belong to this solver, with their defaults.
    keras_classes : tuple of str
        Optimisers of Keras that do the same. The first one is exported.
    keras_names : dict of str
        Keras' name of each parameter.
    """

    name: str
    n_moments: int
    defaults: dict[str, float | bool]
    keras_classes: tuple[str, ...]
    keras_names: dict[str, str]

    @abstractmethod
    def update(self, parameter, moments, gradient, inputs: OptimizerInputs):
        """Return the next parameter and its next moments."""

    def choose_rate(self, n_hidden: int, falls: bool) -> float:
        """Return what `learning_rate_init="auto"` stands for.

        Parameters
        ----------
        n_hidden : int
            Hidden layers.
        falls : bool
            Whether the schedule ends at zero.
        """
        return 0.005

    def bound_hyperparameters(self, parameters: dict[str, float]) -> dict[str, float]:
        """Return the parameters with the bounds that float32 needs."""
        return parameters

    def to_keras(self, optimizers: Any, learning_rate: float, parameters, weight_decay: float):
        """Return the optimiser of Keras with these parameters, at a constant rate."""
        arguments = {
            self.keras_names[name]: type(default)(parameters[name])
            for name, default in self.defaults.items()
        }
        if weight_decay:
            arguments["weight_decay"] = weight_decay
        return getattr(optimizers, self.keras_classes[0])(learning_rate, **arguments)


class Adam(Solver):
    """Kingma and Ba 2015, with epsilon outside the bias correction, as in Keras."""

    name, n_moments = "adam", 2
    defaults = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
    keras_classes = ("Adam", "AdamW")
    keras_names = {"beta_1": "beta_1", "beta_2": "beta_2", "epsilon": "epsilon"}

    def update(self, parameter, moments, gradient, inputs):
        """Return the next parameter and its two moments."""
        tf = tensorflow()
        first, second = moments
        beta_1, beta_2 = inputs.hyperparameters["beta_1"], inputs.hyperparameters["beta_2"]
        first = beta_1 * first + (1.0 - beta_1) * gradient
        second = beta_2 * second + (1.0 - beta_2) * (gradient * gradient)
        correction_1 = 1.0 - tf.pow(beta_1, inputs.step)
        correction_2 = 1.0 - tf.pow(beta_2, inputs.step)
        rate = inputs.learning_rate * tf.sqrt(correction_2) / correction_1
        parameter = parameter - rate * first / (tf.sqrt(second) + inputs.hyperparameters["epsilon"])
        return parameter, (first, second)

    def choose_rate(self, n_hidden, falls):
        """Return a larger rate for a linear model, which reaches its optimum if the rate falls."""
        return 0.03 if falls and not n_hidden else super().choose_rate(n_hidden, falls)

    def bound_hyperparameters(self, parameters):
        """Keep epsilon above zero and both decays below one, in float32 too."""
        below_one = float(np.nextafter(np.float32(1), np.float32(0)))
        return {
            # 0 / (0 + epsilon) is what keeps padded columns at zero.
            "epsilon": max(parameters["epsilon"], float(np.finfo(np.float32).tiny)),
            # A moment with a decay of one would never change.
            "beta_1": min(parameters["beta_1"], below_one),
            "beta_2": min(parameters["beta_2"], below_one),
        }


class SGD(Solver):
    """Stochastic gradient descent with momentum, Nesterov's or the classical one."""

    name, n_moments = "sgd", 1
    defaults = {"momentum": 0.9, "nesterovs_momentum": True}
    keras_classes = ("SGD",)
    keras_names = {"momentum": "momentum", "nesterovs_momentum": "nesterov"}

    def update(self, parameter, moments, gradient, inputs):
        """Return the next parameter and its velocity."""
        (velocity,) = moments
        momentum = inputs.hyperparameters["momentum"]
        nesterov = inputs.hyperparameters["nesterovs_momentum"]
        descent = inputs.learning_rate * gradient
        velocity = momentum * velocity - descent
        ahead = momentum * velocity - descent
        move = nesterov * ahead + (1.0 - nesterov) * velocity
        return parameter + move, (velocity,)


SOLVERS: dict[str, Solver] = {solver.name: solver for solver in (Adam(), SGD())}

# Values of the parameter `learning_rate`: how much of the cosine a schedule has.
SCHEDULES = {"constant": 0.0, "cosine": 1.0}


def compute_learning_rate(learning_rate_init, cosine, step, n_steps):
    """Return the learning rate of a step, where 0 is the first of `n_steps`.

    With `cosine` 1.0 it falls from `learning_rate_init` to zero along half a cosine over the whole
    fit (Loshchilov and Hutter 2017, without restarts). With 0.0 it is constant.
    """
    fall = 0.5 * (1.0 - tensorflow().cos(math.pi * step / n_steps))
    return learning_rate_init * (1.0 - cosine * fall)
