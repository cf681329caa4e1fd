"""The grid of a search: from the parameters `dropouts` and `l2s` to candidates."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from skreg._engine.hyperparameters import (
    check_hidden_layer_sizes,
    check_rates,
    check_strengths,
    read_hyperparameters,
)
from skreg._estimators.automatic import is_auto, make_placeholders

# The ends of an axis that is given as a number of values.
_DROPOUT_RANGE = 0.0, 0.8
_L2_RANGE = 1e-5, 1e-1
# l2s="auto", in strengths that l2="auto" stands for with all rows.
_L2_FACTORS = 0.1, 1 / 3, 1.0, 3.0, 10.0
_MOST_VALUES = 10_000  # of an axis; more are a mistake, and would fill the memory


class Candidate(NamedTuple):
    """Values to try. Each is one number, a tuple of one number per layer, or "auto" for `l2`."""

    dropout: float | tuple[float, ...]
    l2: float | tuple[float, ...] | str


class Grid(NamedTuple):
    """All candidates, with `l2` varying fastest, and the shape (n_dropouts, n_l2s)."""

    candidates: list[Candidate]
    shape: tuple[int, int]


def make_candidates(dropouts, l2s, base_estimator, automatic_l2: float) -> Grid:
    """Make the candidates and check every value of the base estimator with them.

    `automatic_l2` is what `l2="auto"` stands for with all rows.
    """
    n_hidden = len(check_hidden_layer_sizes(base_estimator.hidden_layer_sizes))
    if isinstance(dropouts, Integral):
        dropouts = np.linspace(*_DROPOUT_RANGE, _check_count("dropouts", dropouts))
    if is_auto(l2s):
        l2s = [factor * automatic_l2 for factor in _L2_FACTORS]
    elif isinstance(l2s, Integral):
        l2s = np.geomspace(*_L2_RANGE, _check_count("l2s", l2s))
    dropouts = _check_axis("dropouts", dropouts, n_hidden, check_rates)
    l2s = _check_axis("l2s", l2s, n_hidden, check_strengths)
    candidates = [Candidate(dropout, l2) for dropout in dropouts for l2 in l2s]
    # The other hyperparameters are the same for all candidates.
    estimator = clone(base_estimator).set_params(**candidates[0]._asdict())
    values = {**make_placeholders(estimator), "l2": 0.0}  # those of l2 are checked already
    read_hyperparameters(estimator, n_hidden, **values)
    return Grid(candidates, (len(dropouts), len(l2s)))


def _check_count(name: str, count) -> int:
    if count > _MOST_VALUES:
        raise ValueError(
            f"{name}: expected a number of values of at most {_MOST_VALUES}, or a sequence of the "
            f"values; received {count!r}."
        )
    return int(count)


def _check_axis(name: str, axis, n_hidden: int, check_value: Callable) -> list:
    """Return the values of one axis: floats, tuples of one float per layer, or "auto" for l2s."""
    if isinstance(axis, (dict, set)) or getattr(axis, "shape", None) == ():
        raise ValueError(f"{name}: expected a sequence of values to try; received {axis!r}.")
    values = []
    for value in axis:
        if name == "l2s" and is_auto(value):
            values.append(value)
            continue
        per_layer = check_value(name, value, n_hidden)
        values.append(float(value) if isinstance(value, Real) else per_layer)
    if not values:
        raise ValueError(f"{name}: expected at least one value to try; received {axis!r}.")
    return values
