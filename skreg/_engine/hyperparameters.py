"""Hyperparameters: from an estimator's parameters to numbers, and from numbers to tensors.

`ProgramSpec` decides which program is compiled. `Hyperparameters` are numbers that the program
receives. Another number never compiles a new program.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from skreg._nn.dropout import compute_threshold
from skreg._nn.losses import LOSSES, REGRESSION_LOSSES
from skreg._nn.penalties import PENALTIES
from skreg._nn.solvers import SCHEDULES, SOLVERS
from skreg._tensorflow import tensorflow, use_cpu

_FLOAT32_MAX = float(np.finfo(np.float32).max)


def _merge_defaults(parts: Iterable[Any]) -> dict[str, Any]:
    """Return the parameters of all parts, which have to agree on the default of a shared one."""
    merged: dict[str, Any] = {}
    for part in parts:
        for name, default in part.defaults.items():
            if merged.setdefault(name, default) != default:
                raise ValueError(f"{name}: two parts have different defaults for it.")
    return merged


# The parameters of all solvers and of all regression losses, with their defaults.
SOLVER_DEFAULTS = _merge_defaults(SOLVERS.values())
LOSS_DEFAULTS = _merge_defaults(REGRESSION_LOSSES.values())


@dataclass(frozen=True)
class Hyperparameters:
    """The values of one training.

    Attributes
    ----------
    dropout : tuple of float
        Rate in [0, 1) after each hidden layer.
    input_dropout : float
        Rate in [0, 1) on the inputs.
    penalties : mapping of str to tuple of float
        Strength for each kernel, by the name of the penalty.
    weight_decay : float
        Decoupled decay of the kernels, multiplied by the learning rate in each step.
    learning_rate_init : float
        Learning rate of the first step.
    cosine : float
        1 if the learning rate falls to zero along half a cosine, 0 if it is constant.
    max_iter : int
        Epochs.
    tol : float or None
        Smallest improvement of the smoothed training loss, or of the validation loss, that counts.
        None never stops by the training loss, and is 0 for the validation loss.
    n_iter_no_change : int
        Epochs without improvement after which training stops.
    solver_parameters, loss_parameters : mapping of str to float
        By name; those of every solver and of every loss. A parameter of a loss may be a tuple of
        several numbers.
    """

    dropout: tuple[float, ...]
    input_dropout: float
    penalties: Mapping[str, tuple[float, ...]]
    weight_decay: float
    learning_rate_init: float
    cosine: float
    max_iter: int
    tol: float | None
    n_iter_no_change: int
    solver_parameters: Mapping[str, float] = field(default_factory=lambda: SOLVER_DEFAULTS)
    loss_parameters: Mapping[str, Any] = field(default_factory=lambda: LOSS_DEFAULTS)

    @property
    def rates(self) -> tuple[float, ...]:
        """Dropout rates of the inputs and of each hidden layer."""
        return self.input_dropout, *self.dropout


# -- from an estimator -------------------------------------------------------------------------


def read_hyperparameters(estimator, n_hidden: int, **replaced: Any) -> Hyperparameters:
    """Check the estimator's parameters and return them as numbers.

    Parameters
    ----------
    estimator : estimator
    n_hidden : int
        Hidden layers.
    **replaced : dict
        What parameters that are "auto" stand for, by name.

    Raises
    ------
    ValueError
        If a value cannot be held by float32, or a sequence has another length than expected.
    """

    def read(name: str) -> float:
        return _check_number(name, replaced.get(name, getattr(estimator, name)))

    tol, schedule = estimator.tol, estimator.learning_rate
    if schedule not in SCHEDULES:
        raise ValueError(
            f"learning_rate: expected one of {tuple(SCHEDULES)}; received {schedule!r}."
        )
    return Hyperparameters(
        dropout=check_rates("dropout", estimator.dropout, n_hidden),
        input_dropout=read("input_dropout"),
        penalties={
            name: check_strengths(name, replaced.get(name, getattr(estimator, name)), n_hidden)
            for name in PENALTIES
        },
        weight_decay=read("weight_decay"),
        learning_rate_init=read("learning_rate_init"),
        cosine=SCHEDULES[schedule],
        max_iter=int(replaced.get("max_iter", estimator.max_iter)),
        tol=None if tol is None else _check_number("tol", tol),
        n_iter_no_change=int(min(estimator.n_iter_no_change, 2**31 - 1)),
        solver_parameters={name: read(name) for name in SOLVER_DEFAULTS},
        loss_parameters=read_loss_parameters(estimator),
    )


def read_loss_parameters(estimator) -> dict[str, float | tuple[float, ...]]:
    """Check the parameters of all losses, and return them by name: numbers, or several each.

    A sequence of one number is that number.
    """
    # A classifier has none of them.
    parameters = {
        name: _check_numbers(name, getattr(estimator, name, default))
        for name, default in LOSS_DEFAULTS.items()
    }
    for loss in REGRESSION_LOSSES.values():
        loss.check_parameters(parameters)
    return parameters


def check_hidden_layer_sizes(value) -> tuple[int, ...]:
    """Return the units of each hidden layer."""
    sizes = (
        (value,) if isinstance(value, Integral) else _check_sequence("hidden_layer_sizes", value)
    )
    for size in sizes:
        if not isinstance(size, Integral) or isinstance(size, bool) or not 1 <= int(size) < 2**31:
            raise ValueError(
                "hidden_layer_sizes: expected integers >= 1, one for each hidden layer; "
                f"received {value!r}."
            )
    return tuple(int(size) for size in sizes)


def count_hidden_layers(hidden_layer_sizes) -> int:
    """Return the number of hidden layers, after a check."""
    return len(check_hidden_layer_sizes(hidden_layer_sizes))


def check_rates(name: str, value, n_hidden: int) -> tuple[float, ...]:
    """Return the parameter `name` as one rate in [0, 1) for each hidden layer."""
    return _broadcast(name, value, n_hidden, "hidden layer", 1.0)


def check_strengths(name: str, value, n_hidden: int) -> tuple[float, ...]:
    """Return the parameter `name` as one strength >= 0 for each kernel."""
    return _broadcast(name, value, n_hidden + 1, "kernel", np.inf)


def _broadcast(name: str, value, count: int, each: str, upper: float) -> tuple[float, ...]:
    """Return `value` as `count` numbers in [0, upper)."""
    is_one = isinstance(value, Real)
    numbers = (value,) if is_one else _check_sequence(name, value)
    if not is_one and len(numbers) != count:
        raise ValueError(
            f"{name}: expected one number or a sequence of {count}, one for each {each}; "
            f"received {len(numbers)}: {value!r}."
        )
    for number in numbers:
        if not isinstance(number, Real) or number < 0 or not number < upper:
            raise ValueError(
                f"{name}: expected finite numbers in [0, {upper:g}); received {value!r}."
            )
    checked = tuple(_check_number(name, number) for number in numbers)
    return checked * count if is_one else checked


def _check_sequence(name: str, value) -> tuple:
    """Return the entries of a one-dimensional sequence, in its order."""
    ordered = isinstance(value, Iterable) and not isinstance(value, (Mapping, Set, str))
    if not ordered or (hasattr(value, "shape") and len(value.shape) != 1):
        raise ValueError(
            f"{name}: expected one number or a sequence of numbers; received {value!r}."
        )
    return tuple(value)


def _check_numbers(name: str, value) -> float | tuple[float, ...]:
    """Return one number as a float, and a sequence of several as a tuple."""
    numbers = (value,) if isinstance(value, Real) else _check_sequence(name, value)
    if not all(isinstance(number, Real) for number in numbers):
        raise ValueError(f"{name}: expected numbers; received {value!r}.")
    checked = tuple(_check_number(name, number) for number in numbers)
    return checked[0] if len(checked) == 1 else checked


def _check_number(name: str, value) -> float:
    """Return a number as a float that float32 can hold."""
    try:
        number = float(value)  # first, since float16 cannot hold what it is compared with
    except OverflowError:  # of a large int
        number = np.inf
    if not abs(number) <= _FLOAT32_MAX:
        raise ValueError(f"{name}: expected at most {_FLOAT32_MAX:.3g}; received {value!r}.")
    return number


# -- as tensors --------------------------------------------------------------------------------


class HyperparameterTensors(NamedTuple):
    """Hyperparameters, seed and sizes of one training, as tensors."""

    numbers: Any  # float32, in the order of `NUMBERS`
    integers: Any  # int32, in the order of `INTEGERS`
    strengths: tuple  # float32, one for each kernel; in the order of the program's penalties
    loss_parameters: tuple  # float32, of the program's loss; in the order of its `defaults`
    thresholds: Any  # uint32, of the inputs first
    scales: Any  # float32, 1 / (1 - rate), of the inputs first
    seed: Any  # uint32, shape (2,)


NUMBERS = (
    "learning_rate_init",
    "cosine",
    "weight_decay",
    "tol",
    *SOLVER_DEFAULTS,
)
INTEGERS = (
    "max_iter",
    "n_iter_no_change",
    "n_visits",  # of an epoch
    "n_steps",  # of an epoch
    "first_step",  # steps of the training that this one continues
    "first_update",  # those of them that the moments of the solver have seen
    "stop_criterion",
    "n_validation_rows",
)


def make_tensors(
    hyper: Hyperparameters,
    solver: str,
    loss: str,
    penalties: tuple[str, ...],
    seed: tuple[int, int],
    **integers: int,
) -> HyperparameterTensors:
    """Return the hyperparameters, the seed and the other `INTEGERS` as tensors."""
    numbers = {
        "learning_rate_init": hyper.learning_rate_init,
        "cosine": hyper.cosine,
        "weight_decay": hyper.weight_decay,
        "tol": hyper.tol or 0.0,
        **hyper.solver_parameters,
    }
    own = {name: hyper.solver_parameters[name] for name in SOLVERS[solver].defaults}
    numbers |= SOLVERS[solver].bound_hyperparameters(own)
    integers |= {"max_iter": hyper.max_iter, "n_iter_no_change": hyper.n_iter_no_change}
    ordered = (integers[name] for name in INTEGERS)
    strengths = tuple(hyper.penalties[name] for name in penalties)
    return HyperparameterTensors(
        numbers=make_constant(tuple(float(numbers[name]) for name in NUMBERS), "float32"),
        integers=make_constant(tuple(max(0, min(int(n), 2**31 - 1)) for n in ordered), "int32"),
        loss_parameters=tuple(
            make_constant(hyper.loss_parameters[name], "float32") for name in LOSSES[loss].defaults
        ),
        seed=make_constant(seed, "uint32"),
        **_make_regularization(hyper.rates, strengths),
    )


def replace_regularization(
    tensors: HyperparameterTensors,
    rates: tuple[float, ...],
    strengths: tuple[tuple[float, ...], ...],
) -> HyperparameterTensors:
    """Return the tensors with other dropout rates, of the inputs first, and other strengths."""
    return tensors._replace(**_make_regularization(rates, strengths))


@functools.lru_cache(maxsize=1024)
def _make_regularization(rates, strengths) -> dict:
    return {
        "strengths": tuple(make_constant(strength, "float32") for strength in strengths),
        "thresholds": make_constant(tuple(compute_threshold(rate) for rate in rates), "uint32"),
        "scales": make_constant(tuple(1.0 / (1.0 - rate) for rate in rates), "float32"),
    }


@functools.lru_cache(maxsize=1024)
def make_constant(values, dtype: str):
    """Return a tensor of numbers. Equal ones are made once, since searches repeat most of them."""
    with use_cpu():
        return tensorflow().constant(values, dtype)
