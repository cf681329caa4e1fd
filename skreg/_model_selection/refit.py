"""The winner of a search: how it is chosen, and the networks that predict for it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone

from skreg._model_selection.candidates import Candidate
from skreg._model_selection.folds import Fold
from skreg._model_selection.kinds import make_hashable
from skreg._model_selection.results import (
    find_compared_folds,
    find_dropped,
    is_strength,
    list_metrics,
    list_parameters,
    read_values,
)
from skreg._model_selection.scoring import Scoring
from skreg._model_selection.search import Search


def one_standard_error(cv_results) -> int:
    """Choose the most regularised candidate within one standard error of the best.

    For `refit` of the searching estimators, or of GridSearchCV over `dropout` and `l2`. The folds
    cannot tell this candidate from the best one, and it is the simplest of those (Breiman et al.
    1984). It has the largest `l2`; ties are broken by the largest `dropout`, then by the score. A
    sequence counts as its mean, and a missing value as smaller than all others. Only candidates
    with the other parameters of the best one are compared, since the same `l2` is more or less for
    other layers or encodings. Candidates that halving dropped are not chosen, so use the rule with
    ``search="grid"``.

    Parameters
    ----------
    cv_results : dict
        `cv_results_` of a search with one metric. The parameters may belong to a step of a
        pipeline.

    Returns
    -------
    index : int
        Index of the candidate.

    Raises
    ------
    ValueError
        If there are several metrics, if neither `l2` nor `dropout` was searched, or if no score is
        finite.

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
    metrics = list_metrics(cv_results)
    if metrics != ["score"]:
        raise ValueError(
            f"one_standard_error: expected results of one metric; received those of {metrics}."
        )
    searched = [read_values(cv_results, name) for name in ("l2", "dropout")]
    check_strengths_are_numbers(value for values in searched for value in values)
    strengths = [
        [-1.0 if value is None else float(np.mean(value)) for value in values]
        for values in searched
        if values
    ]
    if not strengths:
        raise ValueError(
            "one_standard_error: expected a search over 'l2' or 'dropout'; received one over "
            f"{list_parameters(cv_results)}."
        )
    mean, best = cv_results["mean_test_score"], int(np.argmin(cv_results["rank_test_score"]))
    n_folds = len(find_compared_folds(cv_results))
    error = cv_results["std_test_score"][best] / np.sqrt(max(n_folds - 1, 1))
    others = [
        {name: make_hashable(value) for name, value in params.items() if not is_strength(name)}
        for params in cv_results["params"]
    ]
    is_comparable = np.array([values == others[best] for values in others])
    good = np.flatnonzero((mean >= mean[best] - error) & ~find_dropped(cv_results) & is_comparable)
    if not len(good):
        raise ValueError(
            "one_standard_error: expected a finite score of at least one candidate; received none."
        )
    return int(max(good, key=lambda k: [*(values[k] for values in strengths), mean[k]]))


def check_strengths_are_numbers(values: Iterable) -> None:
    """Raise if `one_standard_error` cannot compare the strengths."""
    if any(isinstance(value, str) for value in values):
        raise ValueError(
            "one_standard_error: expected numbers of l2, the largest of which regularises most; "
            "received 'auto' among them."
        )


def choose_winner(
    refit, results: dict, metric: str | None, eligible: Sequence[int] | None = None
) -> int:
    """Return the index of the best ranked candidate, or the one that a callable `refit` returns.

    If some candidates are `eligible`, the best ranked one of them, unless its score is NaN.
    """
    if not callable(refit):
        ranks = results[f"rank_test_{metric}"]
        scored = [k for k in eligible or () if not np.isnan(results[f"mean_test_{metric}"][k])]
        return min(scored, key=lambda k: ranks[k]) if scored else int(ranks.argmin())
    index, n_candidates = refit(results), len(results["params"])
    if not isinstance(index, Integral):
        raise TypeError(f"refit: expected a callable that returns an integer; received {index!r}.")
    if not 0 <= int(index) < n_candidates:
        raise IndexError(
            f"refit: expected a callable that returns an index in [0, {n_candidates}); received "
            f"{index}."
        )
    return int(index)


def summarise_winner(
    search: Search, scoring: Scoring, results: dict, eligible: Sequence[int] | None = None
) -> dict:
    """Return the fitted attributes that name the winner, one of those `eligible` if there are."""
    if scoring.refit is False and list_metrics(results) != ["score"]:
        return {}  # no metric decides
    index = choose_winner(scoring.refit, results, scoring.metric, eligible)
    winner = search.candidates[index]
    attributes = {
        "best_index_": index,
        "best_params_": winner.get_params(),
        "dropout_": winner.dropout,
        "l2_": winner.l2,
    }
    if not callable(scoring.refit):
        attributes["best_score_"] = float(results[f"mean_test_{scoring.metric}"][index])
    return attributes


def train_winner(base_estimator, best_params: dict, X, y, sample_weight, verbose: int) -> dict:
    """Train the winner on all rows. Return the attributes of a search that predicts with it."""
    start = time.perf_counter()
    network = clone(base_estimator).set_params(verbose=verbose, **best_params)
    network.fit(X, y, sample_weight)
    return {**copy_attributes(network), "refit_time_": time.perf_counter() - start}


def copy_attributes(network) -> dict:
    """Return the attributes of an estimator that predicts with the network."""
    names = list_fitted_attributes(network)
    return {**{name: getattr(network, name) for name in names}, "best_estimator_": network}


def list_fitted_attributes(estimator) -> list[str]:
    """Return the names of the public fitted attributes."""
    return [name for name in vars(estimator) if name.endswith("_") and name[0] != "_"]


def average_networks(networks: list, folds: Sequence[Fold], weights=None) -> dict:
    """Return the attributes of an estimator that predicts with the average of the networks.

    There is no `n_layers_` if the networks differ in it.

    Parameters
    ----------
    networks : list of estimators
        Of each fold in turn, for one candidate after the other.
    folds : sequence of Fold
    weights : ndarray of shape (n_networks,), default=None
        Of sum 1. If None, all are equal.
    """
    names = ["classes_", "n_outputs_", "out_activation_"]
    if len({network.n_layers_ for network in networks}) == 1:
        names.append("n_layers_")
    first = vars(networks[0])
    attributes = {name: first[name] for name in names if name in first}
    n_iter = np.array([network.n_iter_ for network in networks])
    attributes |= {"n_iter_": n_iter, "estimators_": networks}
    if weights is None:
        weights = np.full(len(networks), 1 / len(networks))
    return attributes | _weigh_classes(weights, [fold.knows_class for fold in folds])


def _weigh_classes(weights: np.ndarray, known: list) -> dict:
    """Return the weights of each class, if a fold lacks one.

    A network gives almost 0 to a class that its rows lack, which says nothing about the class.
    """
    if known[0] is None or np.all(known):
        return {}
    by_class = weights[:, None] * np.tile(known, (len(weights) // len(known), 1))
    # A class that all folds lack has all networks.
    by_class = np.where(by_class.any(axis=0), by_class, weights[:, None])
    return {"estimator_class_weights_": by_class / by_class.sum(axis=0)}


def grid_edge_warnings(candidates: Sequence[Candidate], index: int) -> list[str]:
    """Make a warning for each axis of three or more numbers that the winner is at the edge of.

    The axes are those of the candidates of its kind.
    Zero is not an edge, since no smaller value is allowed.
    """
    messages = []
    kind = candidates[index].kind
    for name in ("dropout", "l2"):
        values = {getattr(candidate, name) for candidate in candidates if candidate.kind == kind}
        if len(values) < 3 or not all(isinstance(value, Real) for value in values):
            continue
        best = getattr(candidates[index], name)
        if best > 0 and best in (min(values), max(values)):
            edge = "lower" if best == min(values) else "upper"
            messages.append(
                f"The best {name}, {best:g}, lies on the {edge} edge of {name}s. A better value "
                "may lie beyond it: extend the grid."
            )
    return messages
