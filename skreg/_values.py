"""A member's values as tensors, so that another value never compiles anything.

Owns their order inside a program, their bounds in float32, and that equal ones are made once.
Does not own their meaning (`_spec`), nor what is computed with them (`_program`).
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from skreg._noise import keep_threshold
from skreg._spec import Hyperparameters
from skreg._tensorflow import on_cpu, tensorflow


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
