"""The results of a search in the schema of GridSearchCV's `cv_results_`.

Owns means, ranks and the columns' names, and what is read of such a table, which may also be
GridSearchCV's own. Does not own the search (`_search`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Real
from operator import attrgetter
from typing import Any

import numpy as np
from scipy.stats import rankdata

from skreg._model_selection.search import Result, Search


def cv_results(search: Search) -> dict[str, Any]:
    """The results in the schema of GridSearchCV's `cv_results_`, and `n_epochs` of each candidate.

    Candidates that were dropped rank after those that were not, and by how long they lasted.
    """
    n_candidates, n_folds = len(search.candidates), len(search.folds)
    found = [[search.results.get((c, f)) for f in range(n_folds)] for c in range(n_candidates)]
    lasted = np.array([search.dropped.get(k, search.reached) for k in range(n_candidates)])
    results: dict[str, Any] = {}
    for name in ("fit", "score"):
        seconds = _table(found, attrgetter(f"{name}_seconds"))
        results[f"mean_{name}_time"], results[f"std_{name}_time"] = _moments(seconds, found, lasted)
    for name in ("dropout", "l2"):
        values = np.empty(n_candidates, dtype=object)  # of tuples, where there is one a layer
        values[:] = [getattr(candidate, name) for candidate in search.candidates]
        if all(isinstance(value, float) for value in values):
            values = values.astype(float)
        results[f"param_{name}"] = np.ma.MaskedArray(values, mask=False)
    results["params"] = [candidate._asdict() for candidate in search.candidates]
    metrics = dict.fromkeys(name for result in search.results.values() for name in result.scores)
    for name in metrics:
        scores = _table(found, partial(_score, name))
        for fold in range(n_folds):
            results[f"split{fold}_test_{name}"] = scores[:, fold]
        mean, deviation = _moments(scores, found, lasted)
        results[f"mean_test_{name}"], results[f"std_test_{name}"] = mean, deviation
        results[f"rank_test_{name}"] = _rank(mean, lasted)
    results["n_epochs"] = np.array([search.rungs[rung].epoch for rung in lasted])
    return results


def _score(name: str, result: Result) -> float:
    return result.scores.get(name, np.nan)


def _table(found, number: Callable[[Result], float]) -> np.ndarray:
    """One number of each result, of shape (candidates, folds); NaN where there is none."""
    return np.array([[np.nan if r is None else number(r) for r in row] for row in found], float)


def _moments(numbers: np.ndarray, found, lasted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the folds of each candidate.

    Candidates that lasted equally long are compared on the same folds.
    """
    mean, deviation = np.empty(len(numbers)), np.empty(len(numbers))
    for rung in set(lasted):
        equals = np.flatnonzero(lasted == rung)
        folds = _counted([found[k] for k in equals], numbers[equals])
        # In C order, so that sums are GridSearchCV's to the bit.
        counted = np.ascontiguousarray(numbers[equals][:, folds])
        with np.errstate(invalid="ignore"):  # of infinite scores they may be NaN
            mean[equals] = np.average(counted, axis=1)
            squares = (counted - mean[equals, None]) ** 2
        deviation[equals] = np.sqrt(np.average(squares, axis=1))
    return mean, deviation


def _counted(found, numbers: np.ndarray) -> list[int]:
    """Folds that means are taken over: those in which all candidates were scored.

    After an interrupt there may be none; then those of the same, the most candidates. One whose
    score is NaN somewhere is not waited for.
    """
    there = np.array([[result is not None for result in row] for row in found])
    compared = ~(there & np.isnan(numbers)).any(axis=1)
    scored = [set(np.flatnonzero(column)) for column in (there & compared[:, None]).T]
    most = max(scored, key=len)
    return [fold for fold, candidates in enumerate(scored) if candidates == most]


def folds_of_means(results: dict, metric: str = "score") -> np.ndarray:
    """The folds, of a table of such results, that the means of those who lasted are over.

    All of them, but after an interrupt and after a rung that did not train all.
    """
    n_folds = sum(name.startswith("split") and name.endswith(f"_test_{metric}") for name in results)
    mean = np.asarray(results[f"mean_test_{metric}"], float)
    lasted = np.asarray(results.get("n_epochs", np.zeros(len(mean))))
    compared = np.isfinite(mean) & (lasted == lasted.max())
    scores = np.array([results[f"split{f}_test_{metric}"] for f in range(n_folds)], float)
    return np.flatnonzero(np.isfinite(scores[:, compared]).all(axis=1))


def values_of(results: dict, parameter: str) -> list:
    """The values of a parameter, which may be one of a pipeline's step: numbers or tuples.

    Empty if it was not searched over.

    Raises
    ------
    ValueError
        If it is there twice, or not of every candidate.
    """
    names = [
        name
        for name in results
        if name == f"param_{parameter}"
        or (name.startswith("param_") and name.endswith(f"__{parameter}"))
    ]
    if len(names) > 1:
        raise ValueError(
            f"cv_results: expected one parameter {parameter!r}, alone or of a step; received "
            f"{[name.removeprefix('param_') for name in names]}."
        )
    if any(np.any(np.ma.getmask(results[name])) for name in names):
        raise ValueError(
            f"cv_results: expected a value of {parameter!r} of every candidate; received some "
            "without. Search over one grid."
        )
    values = [value for name in names for value in results[name]]
    values = [value.item() if hasattr(value, "item") else value for value in values]
    return [value if isinstance(value, Real) else tuple(value) for value in values]


def _rank(mean: np.ndarray, lasted: np.ndarray) -> np.ndarray:
    """1 for the best; ties share the lower rank, those that lasted go first, NaN is last."""
    missing = np.isnan(mean)
    worst_last = np.column_stack([missing, -lasted, -np.where(missing, 0.0, mean)])
    _, place = np.unique(worst_last, axis=0, return_inverse=True)
    return rankdata(place.ravel(), method="min").astype(np.int32)
