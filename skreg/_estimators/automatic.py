"""What "auto" stands for, from the rows of a fit."""

from __future__ import annotations

import numpy as np

from skreg._data.statistics import compute_shares
from skreg._engine.hyperparameters import check_strengths


def is_auto(value) -> bool:
    """Whether a value is the text "auto"."""
    return isinstance(value, str) and value == "auto"


def count_effective_rows(weight: np.ndarray) -> float:
    """Return the number of rows with equal weights whose mean has the same variance.

    It is (sum of w)^2 / (sum of w^2) (Kish 1965), so only the ratios of the weights matter.
    """
    return 1 / float(np.sum(compute_shares(weight) ** 2))


def choose_strengths(l2, targets, weight: np.ndarray, n_hidden: int) -> tuple[float, ...]:
    """Return the L2 strength of each kernel.

    Parameters
    ----------
    l2 : float, sequence of float or "auto"
    targets : ClassTargets or NumberTargets
    weight : ndarray of float64, shape (m,)
        Of the distinct training rows.
    n_hidden : int
        Hidden layers.
    """
    if is_auto(l2):
        l2 = targets.l2_of_one_row / count_effective_rows(weight)
    return check_strengths("l2", l2, n_hidden)
