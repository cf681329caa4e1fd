"""The results of a search in the schema of GridSearchCV, and how such results are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from numbers import Real
from operator import attrgetter
from typing import Any

import numpy as np
from scipy.stats import rankdata

from skreg._model_selection.candidates import Candidate
from skreg._model_selection.scoring import Scoring
from skreg._model_selection.search import CandidateResult, Search

# -- from a search to its attributes ----------------------------------------------------------


def summarise_results(
    search: Search, scoring: Scoring, shape: tuple[int, ...], store_curves: bool
) -> dict[str, Any]:
    """Return the fitted attributes that say how all candidates of a grid performed.

    Raises
    ------
    ValueError
        If no candidate has a finite score, or none has one that `refit` needs.
    """
    results = make_cv_results(search)
    _check_scored(search, scoring, results)
    metrics = list_metrics(results)
    scores = {metric: stack_scores(results, metric).reshape(*shape, -1) for metric in metrics}
    multimetric = metrics != ["score"]
    attributes = {
        "cv_results_": results,
        "scores_": scores if multimetric else scores["score"],
        "multimetric_": multimetric,
        "n_splits_": len(search.folds),
        "scorer_": scoring.list_scorers(),
    }
    if store_curves:
        curves, validation_curves = _stack_curves(search)
        attributes["loss_curves_"] = curves.reshape(*shape, -1)
        attributes["validation_loss_curves_"] = validation_curves.reshape(*shape, -1)
    return attributes


def make_cv_results(search: Search) -> dict[str, Any]:
    """Make `cv_results_` as GridSearchCV does, and add `n_epochs` and `rung` of each candidate.

    Candidates that halving dropped rank after the others, and the last dropped ranks first.
    """
    n_candidates, n_folds = len(search.candidates), len(search.folds)
    table = [[search.results.get((c, f)) for f in range(n_folds)] for c in range(n_candidates)]
    last_rungs = np.array([search.dropped.get(k, search.reached) for k in range(n_candidates)])
    results: dict[str, Any] = {}
    for name in ("fit", "score"):
        seconds = _read_numbers(table, attrgetter(f"{name}_seconds"))
        mean, deviation = _average_folds(seconds, table, last_rungs)
        results[f"mean_{name}_time"], results[f"std_{name}_time"] = mean, deviation
    results |= _list_params(search.candidates)
    metrics = dict.fromkeys(name for result in search.results.values() for name in result.scores)
    for metric in metrics:
        scores = _read_numbers(table, partial(_read_score, metric))
        for fold in range(n_folds):
            results[f"split{fold}_test_{metric}"] = scores[:, fold]
        mean, deviation = _average_folds(scores, table, last_rungs)
        results[f"mean_test_{metric}"], results[f"std_test_{metric}"] = mean, deviation
        results[f"rank_test_{metric}"] = _rank(mean, last_rungs)
    results["n_epochs"] = _count_planned(search, last_rungs)
    results["rung"] = last_rungs
    return results


def _list_params(candidates: Sequence[Candidate]) -> dict[str, Any]:
    """Return `params`, and a column of each parameter, masked where a candidate has none."""
    params = [candidate.get_params() for candidate in candidates]
    columns: dict[str, Any] = {}
    for name in dict.fromkeys(name for candidate in params for name in candidate):
        is_missing = np.array([name not in candidate for candidate in params])
        found = [candidate[name] for candidate in params if name in candidate]
        types = {type(value) for value in found}
        is_number = types <= {bool, int, float}
        values = np.zeros(len(params), dtype=np.result_type(*types) if is_number else object)
        for k in np.flatnonzero(~is_missing).tolist():  # one by one, since tuples are values
            values[k] = params[k][name]
        columns[f"param_{name}"] = np.ma.MaskedArray(values, mask=is_missing)
    return {**columns, "params": params}


def _count_planned(search: Search, last_rungs: np.ndarray) -> np.ndarray:
    """Return the epochs up to the last rung of each candidate, of the fold that has the most.

    Candidates of one kind have the same number of epochs.
    """
    kinds = [candidate.kind for candidate in search.candidates]
    groups = list(zip(kinds, last_rungs.tolist(), strict=True))
    n_planned = dict.fromkeys(groups, 0)
    for (candidate, _), result in search.results.items():
        group = groups[candidate]
        n_planned[group] = max(n_planned[group], result.n_planned)
    return np.array([n_planned[group] for group in groups])


def _read_score(metric: str, result: CandidateResult) -> float:
    return result.scores.get(metric, np.nan)


def _read_numbers(table, read_number: Callable[[CandidateResult], float]) -> np.ndarray:
    """Return a number per result, of shape (candidates, folds). NaN where there is none."""
    numbers = [[np.nan if r is None else read_number(r) for r in row] for row in table]
    return np.array(numbers, dtype=float)


def _average_folds(numbers: np.ndarray, table, last_rungs) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each candidate over the folds.

    Candidates with the same last rung are compared on the same folds.
    """
    mean, deviation = np.empty(len(numbers)), np.empty(len(numbers))
    for rung in set(last_rungs):
        group = np.flatnonzero(last_rungs == rung)
        folds = _choose_folds([table[k] for k in group], numbers[group])
        # C order, so that the sums equal those of GridSearchCV to the bit.
        compared = np.ascontiguousarray(numbers[group][:, folds])
        # Differences of infinite scores are NaN, and those of huge ones have infinite squares.
        with np.errstate(invalid="ignore", over="ignore"):
            mean[group] = np.average(compared, axis=1)
            squares = (compared - mean[group, None]) ** 2
            deviation[group] = np.sqrt(np.average(squares, axis=1))
    return mean, deviation


def _choose_folds(table, numbers: np.ndarray) -> list[int]:
    """Return the folds on which candidates are compared: those that all of them have.

    If there is none, as after an interrupt, they are the folds that the largest set of candidates
    shares. A candidate with a score of NaN does not count.
    """
    exists = np.array([[result is not None for result in row] for row in table])
    counts = ~(exists & np.isnan(numbers)).any(axis=1)
    groups = [set(np.flatnonzero(column)) for column in (exists & counts[:, None]).T]
    largest = max(groups, key=len)
    return [fold for fold, group in enumerate(groups) if group == largest]


def _rank(mean: np.ndarray, last_rungs: np.ndarray) -> np.ndarray:
    """Rank means from 1. Later rungs rank first, NaN ranks last, ties share the lower rank."""
    missing = np.isnan(mean)
    keys = np.column_stack([missing, -last_rungs, -np.where(missing, 0.0, mean)])
    _, groups = np.unique(keys, axis=0, return_inverse=True)
    return rankdata(groups.ravel(), method="min").astype(np.int32)


def _stack_curves(search: Search) -> tuple[np.ndarray, np.ndarray]:
    """Return losses and validation losses of all networks, of shape (candidates, folds)."""
    shape = len(search.candidates), len(search.folds)
    curves, validation_curves = np.empty(shape, dtype=object), np.empty(shape, dtype=object)
    for key, result in search.results.items():
        curves[key], validation_curves[key] = result.losses, result.validation_losses
    return curves, validation_curves


def _check_scored(search: Search, scoring: Scoring, results: dict) -> None:
    """Raise if no candidate that was not dropped has a finite mean score."""
    scored_folds = {
        fold
        for (_, fold), result in search.results.items()
        if any(score > -np.inf for score in result.scores.values())
    }
    if scoring.refit is False and scored_folds:  # scores of some folds are enough
        return
    means = [results[f"mean_test_{metric}"] for metric in list_metrics(results)]
    if means and scoring.refit is not False and not callable(scoring.refit):
        means = [results[f"mean_test_{scoring.metric}"]]
    remaining = ~find_dropped(results)
    if any((mean[remaining] > -np.inf).any() for mean in means):
        return
    missing = sorted(set(range(len(search.folds))) - scored_folds)
    where = hint = ""
    if scored_folds and missing:
        where = f" in the folds {missing}"
        hint = " With refit=False the scores of the other folds are returned."
    error = next((r.error for r in search.results.values() if r.error), None)
    raise ValueError(
        "scoring: expected a finite score of at least one candidate in every fold; received "
        f"none{where} with scoring={scoring.scoring!r}.{hint}"
        + ("" if error is None else f" The first error was:\n{error}")
    )


# -- reading results, also those of GridSearchCV ----------------------------------------------


def list_metrics(results: dict) -> list[str]:
    """Return the names of the metrics."""
    prefix = "mean_test_"
    return [name.removeprefix(prefix) for name in results if name.startswith(prefix)]


def list_parameters(results: dict) -> list[str]:
    """Return the names of the searched parameters."""
    prefix = "param_"
    return [name.removeprefix(prefix) for name in results if name.startswith(prefix)]


def is_strength(parameter: str) -> bool:
    """Whether a parameter, which may belong to a step of a pipeline, is `dropout` or `l2`."""
    return parameter.rpartition("__")[2] in ("dropout", "l2")


def stack_scores(results: dict, metric: str = "score") -> np.ndarray:
    """Return the scores of a metric, of shape (candidates, folds)."""
    suffix = f"_test_{metric}"
    n_folds = next(fold for fold in count() if f"split{fold}{suffix}" not in results)
    return np.stack([results[f"split{fold}{suffix}"] for fold in range(n_folds)], axis=1)


def find_dropped(results: dict) -> np.ndarray:
    """Return which candidates halving dropped: those that did not reach the last rung.

    Results without a column "rung" are compared by their epochs. Those of GridSearchCV have
    neither.
    """
    reached = results.get("rung", results.get("n_epochs"))
    if reached is None:
        return np.zeros(len(results[f"mean_test_{list_metrics(results)[0]}"]), dtype=bool)
    return np.asarray(reached) < np.max(reached)


def find_compared_folds(results: dict, metric: str = "score") -> np.ndarray:
    """Find the folds that the means of the best ranked candidates are over.

    These are all folds, unless the search was interrupted.
    """
    mean = np.asarray(results[f"mean_test_{metric}"], float)
    compared = np.isfinite(mean) & ~find_dropped(results)
    scores = stack_scores(results, metric)[compared].astype(float)
    return np.flatnonzero(np.isfinite(scores).all(axis=0))


def read_values(results: dict, parameter: str) -> list:
    """Return the values of a parameter, which may belong to a step of a pipeline.

    The values are numbers, tuples, "auto", or None for candidates without a value. The list is
    empty if the parameter was not searched.

    Raises
    ------
    ValueError
        If there are two such parameters.
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
    values = [value for name in names for value in results[name]]
    values = [None if value is np.ma.masked else value for value in values]
    values = [value.tolist() if hasattr(value, "tolist") else value for value in values]
    return [
        value if value is None or isinstance(value, (Real, str)) else tuple(value)
        for value in values
    ]
