"""Greedy selection of an ensemble from the networks of a search (Caruana et al. 2004).

Each candidate is represented by its out-of-fold predictions: each row is predicted by the network
of the fold that held it out. A row that was held out several times counts as often, and one that
was never held out does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier

from skreg._compat import safe_indexing
from skreg._estimators.classifier import RegularizedMLPClassifier
from skreg._estimators.regressor import RegularizedMLPRegressor
from skreg._model_selection.candidates import Candidate
from skreg._model_selection.folds import Fold
from skreg._model_selection.refit import average_networks
from skreg._model_selection.search import Search

_N_PICKS = 25
# Probabilities are at least so far from 0 and 1, which have no logits.
_LEAST_PROBABILITY = float(np.finfo(np.float64).eps)


class Selection(NamedTuple):
    """The picks of a greedy selection.

    Attributes
    ----------
    weights : ndarray of shape (n_candidates,)
        Share of each candidate in the picks.
    scores : ndarray of shape (n_picks,)
        Score after each pick.
    """

    weights: np.ndarray
    scores: np.ndarray


def select_greedily(
    score: Callable[[np.ndarray], float], n_candidates: int, best: int, order: Sequence[int]
) -> Selection:
    """Pick candidates one by one, each of them the one that improves the ensemble most.

    A candidate may be picked several times.

    Parameters
    ----------
    score : callable
        From how often each candidate was picked to the score of the ensemble. NaN is the worst.
    n_candidates : int
    best : int
        First pick.
    order : sequence of int
        The candidates to pick from. Of equal scores the first one is picked.
    """
    counts = np.zeros(n_candidates, dtype=int)
    counts[best] = 1
    scores = [score(counts)]
    for _ in range(_N_PICKS - 1):
        found = []
        for k in order:
            counts[k] += 1
            found.append(score(counts))
            counts[k] -= 1
        place = int(np.argmax(np.nan_to_num(found, nan=-np.inf, neginf=-np.inf)))
        counts[order[place]] += 1
        scores.append(found[place])
    return Selection(counts / counts.sum(), np.array(scores))


def make_ensemble(search: Search, best: int) -> dict:
    """Return the attributes of an estimator that predicts with an ensemble of a search's networks.

    Parameters
    ----------
    search : Search
        It has kept its networks.
    best : int
        The best candidate.

    Returns
    -------
    attributes : dict
        Empty if the best candidate lacks the network of a fold.
    """
    networks = {k: search.collect_networks(k) for k in range(len(search.candidates))}
    complete = [k for k, found in networks.items() if len(found) == len(search.folds)]
    if best not in complete:
        return {}
    score = _make_score(search, {k: networks[k] for k in complete})
    # Of equal candidates the simplest one is picked.
    order = sorted(complete, key=lambda k: _measure_complexity(search.candidates[k], networks[k]))
    selection = select_greedily(score, len(search.candidates), best, order)
    picked = np.flatnonzero(selection.weights).tolist()
    members = [network for k in picked for network in networks[k]]
    shares = np.repeat(selection.weights[picked], len(search.folds)) / len(search.folds)
    return {
        **average_networks(members),
        "estimator_weights_": shares,
        "ensemble_weights_": selection.weights,
        "ensemble_scores_": selection.scores,
        "n_members_": len(members),
    }


def _measure_complexity(candidate: Candidate, networks: list) -> tuple:
    """Return what makes a candidate complex: many weights, a small `l2`, then a small `dropout`."""
    n_weights = sum(kernel.size for kernel in networks[0].coefs_)
    strengths = [
        -1.0 if isinstance(value, str) else float(np.mean(value))
        for value in (candidate.l2, candidate.dropout)
    ]
    return n_weights, *(-strength for strength in strengths)


def _make_score(search: Search, networks: dict[int, list]) -> Callable[[np.ndarray], float]:
    """Return a function from how often candidates were picked to the score of their ensemble."""
    folds = search.folds
    rows = np.concatenate([fold.test for fold in folds])
    X, y = safe_indexing(folds[0].X, rows), safe_indexing(folds[0].scored_y, rows)
    params = _pool_params(folds)
    tables = [safe_indexing(fold.X, fold.test) for fold in folds]
    first = next(iter(networks.values()))[0]
    stored = _StoredClassifier() if is_classifier(first) else _StoredRegressor()
    predictions = {
        k: np.concatenate([stored.read(*pair) for pair in zip(of_folds, tables, strict=True)])
        for k, of_folds in networks.items()
    }

    def score(counts: np.ndarray) -> float:
        picked = np.flatnonzero(counts).tolist()
        mean = sum(predictions[k] * (counts[k] / counts.sum()) for k in picked)
        found = folds[0].scorer(stored.store(first, mean), X, y, **params)
        return search.refit_score(found if isinstance(found, dict) else {"score": found})

    return score


def _pool_params(folds: Sequence[Fold]) -> dict:
    """Return the metadata of the test rows of all folds; what has no rows stays as it is."""
    pooled = {}
    for name, first in folds[0].score_params.items():
        parts = [fold.score_params[name] for fold in folds]
        by_row = [np.shape(p)[:1] == fold.test.shape for p, fold in zip(parts, folds, strict=True)]
        pooled[name] = np.concatenate(parts) if all(by_row) else first
    return pooled


class _StoredClassifier(RegularizedMLPClassifier):
    """A classifier that predicts stored probabilities, whatever the table is."""

    @staticmethod
    def read(network, X) -> np.ndarray:
        """Return the probability of each output of a network."""
        return network._link.predict(network._compute_logits(X))

    def store(self, network, probabilities):
        """Return the classifier with these probabilities and the attributes of a network."""
        logits = network._link.invert(probabilities, _LEAST_PROBABILITY)
        self.__dict__.update(vars(network), _logits=logits)
        return self

    def _compute_logits(self, X):
        return self._logits


class _StoredRegressor(RegularizedMLPRegressor):
    """A regressor that predicts stored numbers, whatever the table is."""

    @staticmethod
    def read(network, X) -> np.ndarray:
        """Return the predictions of a network."""
        return network.predict(X)

    def store(self, network, predictions: np.ndarray):
        """Return the regressor with these predictions and the attributes of a network."""
        self.__dict__.update(vars(network), _predictions=predictions)
        return self

    def _predict(self, X) -> Any:
        return self._predictions
