"""Which candidate wins.

Owns the rules for `refit`, and when a winner tells of a grid that is too narrow. Does not own the
scores (`_scoring`) nor their table (`_results`).
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np

from skreg._model_selection.candidates import Candidate
from skreg._model_selection.results import folds_of_means, values_of


def one_standard_error(cv_results) -> int:
    """Choose the most regularised candidate within one standard error of the best.

    For `refit` of the estimators that tune themselves, or of GridSearchCV over `dropout` and `l2`:
    the simplest model that is as good as the best one for all that the folds can tell (Breiman et
    al. 1984). Most regularised is the largest `l2`, and among equals the largest `dropout`, of
    which one may be missing; sequences count by their mean. After halving the choice is among those
    that were not dropped, which are few: it is a rule for a whole grid.

    Parameters
    ----------
    cv_results : dict
        As in `cv_results_`, of one metric; the parameters may be those of a step of a pipeline.

    Returns
    -------
    index : int
        Of the candidate.

    Raises
    ------
    ValueError
        If there are several metrics, or neither `l2` nor `dropout` was searched over.

    References
    ----------
    .. [1] L. Breiman, J. Friedman, R. Olshen, C. Stone, "Classification and Regression Trees",
       1984, section 3.4.3.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skreg import RegularizedMLPClassifierCV, one_standard_error
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> search = RegularizedMLPClassifierCV(
    ...     dropouts=[0.0, 0.5], l2s=[1e-4, 1e-3], refit=one_standard_error, random_state=0
    ... )
    >>> search.fit(X, y).l2_
    0.001
    """
    metrics = [name.removeprefix("mean_test_") for name in cv_results if "mean_test_" in name]
    if metrics != ["score"]:
        raise ValueError(
            f"one_standard_error: expected results of one metric; received those of {metrics}."
        )
    strengths = [
        [float(np.mean(value)) for value in values]
        for values in (values_of(cv_results, name) for name in ("l2", "dropout"))
        if values
    ]
    if not strengths:
        raise ValueError(
            "one_standard_error: expected a search over 'l2' or 'dropout'; received one over "
            f"{[name[6:] for name in cv_results if name.startswith('param_')]}."
        )
    mean, best = cv_results["mean_test_score"], int(np.argmin(cv_results["rank_test_score"]))
    n_folds = len(folds_of_means(cv_results))
    error = cv_results["std_test_score"][best] / np.sqrt(max(n_folds - 1, 1))
    lasted = cv_results.get("n_epochs", np.zeros(len(mean)))
    good = np.flatnonzero((mean >= mean[best] - error) & (lasted == lasted[best]))
    if not len(good):
        raise ValueError("one_standard_error: expected a finite score of one candidate at least.")
    return int(max(good, key=lambda k: [values[k] for values in strengths]))


def best_index(refit, results: dict, metric: str | None) -> int:
    """The candidate that ranks first, or the one that `refit` chooses where it is a callable."""
    if not callable(refit):
        return int(results[f"rank_test_{metric}"].argmin())
    index, n_candidates = refit(results), len(results["params"])
    if not isinstance(index, Integral):
        raise TypeError(f"refit: expected a callable that returns an integer; received {index!r}.")
    if not 0 <= int(index) < n_candidates:
        raise IndexError(f"refit: expected an index below {n_candidates}; received {index}.")
    return int(index)


def edges(candidates: Sequence[Candidate], index: int) -> list[str]:
    """A sentence for each axis of numbers, three or more, at whose edge the winner lies.

    Zero is no edge: there is nothing below it.
    """
    sentences = []
    for name in Candidate._fields:
        values = {getattr(candidate, name) for candidate in candidates}
        if len(values) < 3 or not all(isinstance(value, Real) for value in values):
            continue
        best = getattr(candidates[index], name)
        if best > 0 and best in (min(values), max(values)):
            end = "lower" if best == min(values) else "upper"
            sentences.append(
                f"The best {name}, {best:g}, lies on the {end} edge of {name}s: a better one may "
                "lie beyond. Extend the grid."
            )
    return sentences
