"""Solvers: the update rules, as pure functions, and the learning-rate schedule.

Owns adam and sgd in the arithmetic of Keras' (and so of scikit-learn's) solvers: for one parameter
tensor, its slots and its gradient, the next parameter and slots. Does not own penalties or decay.
To add one, write a class with `n_slots` and `update` and name it in `SOLVERS`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from skreg._tensorflow import tensorflow


class SolverValues(NamedTuple):
    """What a step knows beside the parameters; every field is a scalar float32 tensor."""

    learning_rate: Any  # of this step, after the schedule
    step: Any  # 1 in the first step
    momentum: Any
    nesterov: Any  # 1.0 or 0.0
    beta_1: Any
    beta_2: Any
    epsilon: Any


def scheduled(learning_rate_init, cosine, step, n_steps):
    """Learning rate of the step (0 is the first of `n_steps`); `cosine` is 1.0 or 0.0.

    Half a cosine falls from learning_rate_init to zero over the whole fit (Loshchilov and Hutter
    2017, without restarts).
    """
    tf = tensorflow()
    fall = 0.5 * (1.0 - tf.cos(math.pi * step / n_steps))
    return learning_rate_init * (1.0 - cosine * fall)


class Adam:
    """Kingma and Ba 2015, with Keras' placement of epsilon: outside the bias correction."""

    n_slots = 2

    def update(self, parameter, slots, gradient, values: SolverValues):
        """Return the next parameter and its two slots, the moments of the gradient."""
        tf = tensorflow()
        first, second = slots
        first = values.beta_1 * first + (1.0 - values.beta_1) * gradient
        second = values.beta_2 * second + (1.0 - values.beta_2) * (gradient * gradient)
        correction_1 = 1.0 - tf.pow(values.beta_1, values.step)
        correction_2 = 1.0 - tf.pow(values.beta_2, values.step)
        rate = values.learning_rate * tf.sqrt(correction_2) / correction_1
        parameter = parameter - rate * first / (tf.sqrt(second) + values.epsilon)
        return parameter, (first, second)


class SGD:
    """Stochastic gradient descent with momentum, Nesterov's or the classical one."""

    n_slots = 1

    def update(self, parameter, slots, gradient, values: SolverValues):
        """Return the next parameter and its one slot, the velocity."""
        (velocity,) = slots
        descent = values.learning_rate * gradient
        velocity = values.momentum * velocity - descent
        ahead = values.momentum * velocity - descent
        move = values.nesterov * ahead + (1.0 - values.nesterov) * velocity
        return parameter + move, (velocity,)


SOLVERS: dict[str, Adam | SGD] = {"adam": Adam(), "sgd": SGD()}
