"""The grid of a search: from the parameters `dropouts` and `l2s` to candidates.

Owns which values an integer stands for, and that every value is checked. Does not own what a single
rate or strength may be (`_parameters`), nor which candidate wins (`_selection`).
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np

from skreg._engine.hyperparameters import check_rates, check_strengths


class Candidate(NamedTuple):
    """Values to try: one number, or a tuple of one a layer."""

    dropout: float | tuple[float, ...]
    l2: float | tuple[float, ...]


# Of these many values when an axis is a number.
_DROPOUT_RANGE = 0.0, 0.8


_L2_RANGE = 1e-5, 1e-1


def candidates_of(dropouts, l2s, n_hidden: int) -> tuple[list[Candidate], tuple[int, int]]:
    """All candidates, l2 fastest, and the shape of the grid."""
    if isinstance(dropouts, Integral):
        dropouts = np.linspace(*_DROPOUT_RANGE, int(dropouts))
    if isinstance(l2s, Integral):
        l2s = np.geomspace(*_L2_RANGE, int(l2s))
    dropouts = _values("dropouts", dropouts, n_hidden, check_rates)
    l2s = _values("l2s", l2s, n_hidden, check_strengths)
    candidates = [Candidate(dropout, l2) for dropout in dropouts for l2 in l2s]
    return candidates, (len(dropouts), len(l2s))


def _values(name: str, grid, n_hidden: int, checked) -> list:
    """The values of one axis of the grid: floats, or tuples of one float a layer."""
    if isinstance(grid, (dict, set)) or getattr(grid, "shape", None) == ():
        raise ValueError(f"{name}: expected a sequence of values to try; received {grid!r}.")
    values = []
    for value in grid:
        layers = checked(name, value, n_hidden)
        values.append(float(value) if isinstance(value, Real) else layers)
    if not values:
        raise ValueError(f"{name}: expected at least one value to try; received {grid!r}.")
    return values
