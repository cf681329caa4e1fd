"""The scorer of `validation_scoring`: which rows and weights it receives, and its errors."""

from __future__ import annotations

from inspect import signature
from numbers import Real

import numpy as np
from sklearn.metrics import check_scoring

from skreg._compat import accepts_weights, is_scorer, safe_indexing
from skreg._data.rows import MergedRows


def takes_weights(scorer) -> bool:
    """Whether a scorer takes `sample_weight`: one of scikit-learn, or a plain function."""
    if is_scorer(scorer):
        return accepts_weights(scorer)
    try:
        return "sample_weight" in signature(scorer).parameters
    except ValueError:  # built in, and without a signature
        return False


def is_loss(scoring) -> bool:
    """Whether a value of `scoring` or `validation_scoring` is the string "loss"."""
    return isinstance(scoring, str) and scoring == "loss"


def validates_by_loss(estimator) -> bool:
    """Whether the compiled loss of the validation rows decides, and no scorer."""
    return is_loss(estimator.validation_scoring)


def count_copies(weight: np.ndarray, n_rows: int) -> np.ndarray | None:
    """Return how often a scorer receives each row, if the weights are frequencies, else None.

    Parameters
    ----------
    weight : ndarray of float64, shape (m,)
    n_rows : int
        Rows of the whole table. Merging equal rows gives weights of at most this sum.
    """
    if (weight == weight.round()).all() and weight.sum() <= max(4 * n_rows, 4096):
        return weight.astype(np.int64)
    return np.ones(len(weight), dtype=np.int64) if (weight == weight[0]).all() else None


def ignores_weights(estimator, weight: np.ndarray | None) -> bool:
    """Whether the `validation_scoring` of a search does not take weights that were passed."""
    if not estimator.early_stopping or validates_by_loss(estimator):
        return False
    are_copies = weight is None or count_copies(weight[weight > 0], len(weight)) is not None
    if are_copies and getattr(estimator, "class_weight", None) is None:
        return False
    return not takes_weights(check_scoring(estimator, estimator.validation_scoring))


def describe_ignored_weights(estimator) -> str:
    """Return the warning of a scorer that does not take weights."""
    return (
        f"validation_scoring: {estimator.validation_scoring!r} does not take sample_weight. The "
        "network is trained with the weights, and its validation rows are scored without them."
    )


class ValidationScorer:
    """The scorer of an estimator, with the held-out rows that it scores.

    Weights are frequencies: a row of weight 2 is scored twice. Equal rows are not merged, so that
    they count for scorers without `sample_weight`, too.

    Parameters
    ----------
    estimator : estimator
        Its `validation_scoring` is not "loss".
    X : ndarray, CSR, data frame or nested lists
        The table that the estimator predicts.
    y : ndarray or CSR
        Its checked targets.
    rows : MergedRows
        The rows that are held out.

    Attributes
    ----------
    ignores_weights : bool
        Whether the scorer does not take weights that are not frequencies.
    """

    def __init__(self, estimator, X, y, rows: MergedRows):
        self.scoring = estimator.validation_scoring
        self.scorer = check_scoring(estimator, self.scoring)
        self.ignores_weights, self.arguments = False, {}
        indices, copies = rows.indices, count_copies(rows.weight, y.shape[0])
        if copies is not None:
            indices = indices.repeat(copies)
        elif takes_weights(self.scorer):
            self.arguments["sample_weight"] = rows.weight
        else:
            self.ignores_weights = True
        self.X, self.y = safe_indexing(X, indices), y[indices]
        if self.y.ndim == 2 and self.y.shape[1] == 1:
            self.y = self.y[:, 0]

    def score(self, fitted) -> float:
        """Return the score of a fitted estimator.

        Raises
        ------
        ValueError
            If it is not a number, or if the scorer fails since a class is missing.
        """
        try:
            score = self.scorer(fitted, self.X, self.y, **self.arguments)
        except ValueError as error:
            hint = self._explain_missing_classes(fitted)
            if hint:
                raise ValueError(
                    f"validation_scoring: {self.scoring!r} cannot score the validation rows. "
                    f"{hint} The error was: {error}"
                ) from error
            raise
        number = score.item() if getattr(score, "size", None) == 1 else score
        if not isinstance(number, Real):
            raise ValueError(f"validation_scoring: expected a number; received {score!r}.")
        if np.isnan(float(number)):
            n_rows = self.y.shape[0]
            hint = self._explain_missing_classes(fitted) or (
                f"There are {n_rows} validation rows; some scores need more. Increase "
                "validation_fraction, pass X_val and y_val, or use validation_scoring='loss'."
            )
            raise ValueError(f"validation_scoring: expected a number; received NaN. {hint}")
        return float(number)

    def _explain_missing_classes(self, fitted) -> str:
        """Return which classes the rows lack and what to do about it; empty if they lack none."""
        if not hasattr(fitted, "classes_"):
            return ""
        if self.y.ndim == 2:  # an indicator, of which each column needs both values
            share = np.asarray(self.y.mean(axis=0)).ravel()
            missing = np.flatnonzero((share == 0) | (share == 1))
            lacks = "both values of the labels"
        else:
            missing = np.setdiff1d(fitted.classes_, self.y)
            lacks = "rows of the classes"
        if not len(missing):
            return ""
        return (
            f"They lack {lacks} {missing[:5]}; a class of one distinct row is never held out. Use "
            "validation_scoring='loss', which does not need every class, or pass X_val and y_val "
            "with some."
        )
