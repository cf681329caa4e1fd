"""The rows of each fold, and what a fold has to have to be trained and scored.

Owns what a splitter's answers become and which are refused. Does not own which splitter it is
(`_base_cv`) nor what is made of the rows (`_search`).
"""

from __future__ import annotations

import numpy as np


def splits_of(splitter, X, y, metadata: dict) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test rows of each fold, as indices also where the splitter yields masks."""
    splits = list(splitter.split(X, y, **metadata))
    if not splits:
        raise ValueError("cv: expected at least one split; received none.")
    rows = np.arange(len(y))
    return [(rows[train], rows[test]) for train, test in splits]


def refuse_without_rows(fold: int, train, test, fitted_weight, scored_weight) -> None:
    """Raise for a fold that has no rows, or none with a weight, to train on or to score.

    Weights are of all rows to train with, and of the test rows to score with; either may be None.
    """
    trained_weight = None if fitted_weight is None else fitted_weight[train]
    for kind, rows, weight in (
        ("training", train, trained_weight),
        ("test", test, scored_weight),
    ):
        if not len(rows):
            raise ValueError(f"cv: expected {kind} rows in each fold; fold {fold} has none.")
        if weight is not None and not np.any(weight):
            raise ValueError(
                f"sample_weight: expected a weight above zero in the {kind} rows of each fold; "
                f"those of fold {fold} are all zero."
            )


def refuse_without_class(fold: int, y: np.ndarray, train) -> None:
    """Raise for a fold whose training rows lack a class, so that its network cannot be averaged."""
    if y.ndim > 1:
        return
    missing = np.setdiff1d(np.unique(y), y[train])
    if len(missing):
        raise ValueError(
            "refit='folds' averages the networks of the folds: expected every class in the "
            f"training rows of each; received a fold {fold} without {missing[:5]}."
        )
