"""A member's values as tensors, so that another value never compiles anything.

Owns their order inside a program, their bounds in float32, and that equal ones are made once.
Does not own their meaning (`_spec`), nor what is computed with them (`_program`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from skreg._nn.dropout import keep_threshold
from skreg._tensorflow import on_cpu, tensorflow


@dataclass(frozen=True)
class Hyperparameters:
    """The values of one member: tensors inside the program, so that no value compiles anything.

    Attributes
    ----------
    dropout : tuple of float
        Rate in [0, 1) after each hidden layer.
    input_dropout : float
        Rate in [0, 1) on the inputs.
    l2 : tuple of float
        Strength of each kernel's penalty ``strength * sum(kernel ** 2)``.
    weight_decay : float
        Decoupled decay of the kernels, multiplied by the learning rate in each step.
    learning_rate_init : float
        Learning rate of the first step.
    cosine : bool
        Whether the learning rate falls to zero along half a cosine; else it is constant.
    momentum, nesterovs_momentum : float, bool
        Of sgd.
    beta_1, beta_2, epsilon : float
        Of adam.
    max_iter : int
        Epochs.
    tol : float or None
        Smallest improvement of the smoothed training loss, or of the validation loss, that counts.
        None never stops by the training loss, and is 0 for the validation loss.
    n_iter_no_change : int
        Epochs without improvement after which training stops.
    quantile : float
        Level in (0, 1), for the head of that name.
    """

    dropout: tuple[float, ...]
    input_dropout: float
    l2: tuple[float, ...]
    weight_decay: float
    learning_rate_init: float
    cosine: bool
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    max_iter: int
    tol: float | None
    n_iter_no_change: int
    quantile: float = 0.5


_FLOAT32_MAX = float(np.finfo(np.float32).max)


def checked_hidden_layer_sizes(value) -> tuple[int, ...]:
    """Units of each hidden layer, as a tuple."""
    sizes = (value,) if isinstance(value, Integral) else _sequence("hidden_layer_sizes", value)
    for size in sizes:
        if not isinstance(size, Integral) or isinstance(size, bool) or not 1 <= int(size) < 2**31:
            raise ValueError(
                "hidden_layer_sizes: expected integers >= 1, one a hidden layer; "
                f"received {value!r}."
            )
    return tuple(int(size) for size in sizes)


def _sequence(name: str, value) -> tuple:
    """The entries of a one-dimensional sequence, in its order."""
    ordered = isinstance(value, Iterable) and not isinstance(value, (Mapping, Set, str))
    if not ordered or (hasattr(value, "shape") and len(value.shape) != 1):
        raise ValueError(
            f"{name}: expected one number or a sequence of numbers; received {value!r}."
        )
    return tuple(value)


def _number(name: str, value) -> float:
    """A number as a float that float32 can hold."""
    if abs(value) > _FLOAT32_MAX:
        raise ValueError(f"{name}: expected at most {_FLOAT32_MAX:.3g}; received {value!r}.")
    return float(value)


def _one_each(name: str, value, count: int, each: str, upper: float) -> tuple[float, ...]:
    """The parameter `name` as `count` numbers in [0, upper), one `each`."""
    is_one = isinstance(value, Real)
    numbers = (value,) if is_one else _sequence(name, value)
    if not is_one and len(numbers) != count:
        raise ValueError(
            f"{name}: expected one number or a sequence of {count}, one {each}; "
            f"received {len(numbers)}: {value!r}."
        )
    for number in numbers:
        if not isinstance(number, Real) or number < 0 or not number < upper:
            raise ValueError(
                f"{name}: expected finite numbers in [0, {upper:g}); received {value!r}."
            )
    checked = tuple(_number(name, number) for number in numbers)
    return checked * count if is_one else checked


def checked_dropout(name: str, value, n_hidden: int) -> tuple[float, ...]:
    """The parameter `name` as one rate a hidden layer."""
    return _one_each(name, value, n_hidden, "a hidden layer", 1.0)


def checked_l2(name: str, value, n_hidden: int) -> tuple[float, ...]:
    """The parameter `name` as one strength a kernel."""
    return _one_each(name, value, n_hidden + 1, "a kernel", np.inf)


def checked_hyperparameters(estimator, n_hidden: int) -> Hyperparameters:
    """Every value that training takes, from the estimator's parameters."""
    tol = estimator.tol
    return Hyperparameters(
        dropout=checked_dropout("dropout", estimator.dropout, n_hidden),
        input_dropout=_number("input_dropout", estimator.input_dropout),
        l2=checked_l2("l2", estimator.l2, n_hidden),
        weight_decay=_number("weight_decay", estimator.weight_decay),
        learning_rate_init=_number("learning_rate_init", estimator.learning_rate_init),
        cosine=estimator.learning_rate == "cosine",
        momentum=_number("momentum", estimator.momentum),
        nesterovs_momentum=bool(estimator.nesterovs_momentum),
        beta_1=_number("beta_1", estimator.beta_1),
        beta_2=_number("beta_2", estimator.beta_2),
        epsilon=_number("epsilon", estimator.epsilon),
        max_iter=int(estimator.max_iter),
        tol=None if tol is None else _number("tol", tol),
        n_iter_no_change=int(min(estimator.n_iter_no_change, estimator.max_iter)),
        quantile=float(getattr(estimator, "quantile", 0.5)),
    )


class Values(NamedTuple):
    """The hyperparameters and the member's seed, as tensors."""

    numbers: Any  # float32, in the order of `NUMBERS`
    integers: Any  # int32, in the order of `INTEGERS`
    l2: Any  # float32, one a kernel
    thresholds: Any  # uint32, inputs first
    scales: Any  # float32, 1 / (1 - rate), inputs first
    seed: Any  # uint32, shape (2,)


NUMBERS = (
    "learning_rate_init",
    "cosine",
    "momentum",
    "nesterovs_momentum",
    "beta_1",
    "beta_2",
    "epsilon",
    "weight_decay",
    "tol",
    "quantile",
)


INTEGERS = (
    "max_iter",
    "n_iter_no_change",
    "n_visits",  # of an epoch
    "n_steps",  # of an epoch
    "first_step",  # steps before this fit, of which it is the continuation
    "monitor",
    "n_validation",  # rows
)


@functools.lru_cache(maxsize=1024)
def constant(values, dtype: str):
    """A tensor of numbers, remembered: the members of a search have most of theirs in common."""
    with on_cpu():
        return tensorflow().constant(values, dtype)


def member_values(hyper: Hyperparameters, seed: tuple[int, int], **integers: int) -> Values:
    """Turn a member's hyperparameters, seed and other numbers of `INTEGERS` into tensors."""
    numbers = {name: getattr(hyper, name) for name in NUMBERS}
    numbers["tol"] = hyper.tol or 0.0
    # Above zero in float32 too, for 0 / (0 + epsilon) is what keeps padded columns at zero.
    numbers["epsilon"] = max(hyper.epsilon, float(np.finfo(np.float32).tiny))
    # Below one in float32 too: at one a moment would never move.
    for name in ("beta_1", "beta_2"):
        numbers[name] = min(numbers[name], float(np.nextafter(np.float32(1), np.float32(0))))
    integers |= {"max_iter": hyper.max_iter, "n_iter_no_change": hyper.n_iter_no_change}
    ordered = (integers[name] for name in INTEGERS)
    return Values(
        numbers=constant(tuple(float(numbers[name]) for name in NUMBERS), "float32"),
        integers=constant(tuple(max(0, min(int(n), 2**31 - 1)) for n in ordered), "int32"),
        seed=constant(seed, "uint32"),
        **_regularisation((hyper.input_dropout, *hyper.dropout), hyper.l2),
    )


def with_regularisation(values: Values, rates: tuple[float, ...], l2: tuple[float, ...]) -> Values:
    """The same values but for the rates, of the inputs first, and the strengths."""
    return values._replace(**_regularisation(rates, l2))


@functools.lru_cache(maxsize=1024)
def _regularisation(rates: tuple[float, ...], l2: tuple[float, ...]) -> dict:
    return {
        "l2": constant(l2, "float32"),
        "thresholds": constant(tuple(keep_threshold(rate) for rate in rates), "uint32"),
        "scales": constant(tuple(1.0 / (1.0 - rate) for rate in rates), "float32"),
    }
