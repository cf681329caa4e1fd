"""What "auto" stands for, from the rows of a fit."""

from __future__ import annotations

from typing import Any

from skreg._engine.hyperparameters import check_strengths

# Above it the weights of a network with hidden layers go to zero.
_LARGEST_L2 = 0.03


def is_auto(value) -> bool:
    """Whether a value is the text "auto"."""
    return isinstance(value, str) and value == "auto"


def make_placeholders(estimator) -> dict[str, Any]:
    """Return numbers for the hyperparameters that are "auto" as long as no rows are known."""
    numbers = {"l2": 0.0, "max_iter": 1}
    return {name: number for name, number in numbers.items() if is_auto(getattr(estimator, name))}


def compute_l2(targets, n_rows: int) -> float:
    """Return what `l2="auto"` stands for: a strength divided by the rows, at most `_LARGEST_L2`."""
    return min(targets.l2_of_one_row / n_rows, _LARGEST_L2)


def choose_strengths(l2, targets, n_rows: int, n_hidden: int) -> tuple[float, ...]:
    """Return the L2 strength of each kernel.

    Parameters
    ----------
    l2 : float, sequence of float or "auto"
    targets : ClassTargets or NumberTargets
    n_rows : int
        Training rows; in a stream all so far.
    n_hidden : int
        Hidden layers.
    """
    if is_auto(l2):
        l2 = compute_l2(targets, n_rows)
    return check_strengths("l2", l2, n_hidden)
