"""Parameters: from an estimator's constructor arguments to the numbers that training takes.

Owns the checks that scikit-learn's parameter constraints cannot express, and the translation into
`Hyperparameters`. Does not own the constraints themselves (the estimators') nor any data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from numbers import Integral, Real

import numpy as np

from skreg._spec import Hyperparameters

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
