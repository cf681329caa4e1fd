"""Greedy selection of an ensemble from the networks of a search (Caruana et al. 2004).

Each candidate is represented by its out-of-fold predictions: each row is predicted by the network
of the fold that held it out. A row that was held out several times counts as often, and one that
was never held out does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn.base import is_classifier

from skreg._compat import safe_indexing
from skreg._estimators.classifier import RegularizedMLPClassifier
from skreg._estimators.regressor import RegularizedMLPRegressor
from skreg._model_selection.folds import Fold
from skreg._model_selection.members import predict_together
from skreg._model_selection.refit import average_networks, list_fitted_attributes
from skreg._model_selection.scoring import MIN_PROBABILITY, call_scorer, merge_target_scales
from skreg._model_selection.search import Search

_N_PICKS = 25
# Fitted attributes that all networks of a search have alike.
_COMMON = (
    "classes_",
    "feature_names_in_",
    "n_features_in_",
    "n_outputs_",
    "out_activation_",
)
# Relative difference of scores that rounding makes: equal candidates have no better mean.
_ROUNDING = 1e-12


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
    score: Callable[[np.ndarray], float],
    n_candidates: int,
    first: int,
    order: Sequence[int],
    n_picks: int = _N_PICKS,
) -> Selection:
    """Pick candidates one by one, each of them the one that improves the ensemble most.

    A candidate may be picked several times.

    Parameters
    ----------
    score : callable
        From how often each candidate was picked to the score of the ensemble. NaN is the worst.
    n_candidates : int
    first : int
        First pick.
    order : sequence of int
        The candidates to pick from. Of equal scores the first one is picked.
    n_picks : int, default=25
    """
    counts = np.zeros(n_candidates, dtype=int)
    counts[first] = 1
    scores = [score(counts)]
    for _ in range(n_picks - 1):
        found = []
        for k in order:
            counts[k] += 1
            found.append(score(counts))
            counts[k] -= 1
        index = _find_first_best(found)
        counts[order[index]] += 1
        scores.append(found[index])
    return Selection(counts / counts.sum(), np.array(scores))


def _find_first_best(scores: Sequence[float]) -> int:
    """Return the index of the first of the largest scores. NaN is the smallest."""
    comparable = np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf)
    largest = comparable.max()
    return int(np.argmax(comparable >= largest - _ROUNDING * abs(largest)))


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
        Empty if the best candidate lacks the network, or the score, of a fold.

    Raises
    ------
    ValueError
        If the held-out rows of all folds together have no score.
    """
    networks = {k: search.collect_networks(k) for k in search.list_scored()}
    if best not in networks:
        return {}
    errors: list[str] = []
    score = _make_score(search, networks, errors)
    # Of equal candidates the simplest one is picked.
    order = sorted(networks, key=lambda k: _measure_complexity(networks[k]))
    start = order[_find_first_best([search.average_score(candidate) for candidate in order])]
    selection = select_greedily(score, len(search.candidates), start, order)
    if np.isnan(selection.scores[1:]).any():  # no ensemble had a score, and the pick is arbitrary
        raise ValueError(
            "scoring: expected a score of the held-out rows of all folds together with "
            "refit='ensemble'; received NaN. The scores of the folds are stored."
            + (f" The first error was:\n{errors[0]}" if errors else "")
        )
    picked = np.flatnonzero(selection.weights).tolist()
    members = [network for k in picked for network in networks[k]]
    shares = np.repeat(selection.weights[picked], len(search.folds)) / len(search.folds)
    return {
        **average_networks(members, search.folds, shares),
        "estimator_weights_": shares,
        "ensemble_weights_": selection.weights,
        "ensemble_scores_": selection.scores,
        "n_members_": len(members),
    }


def _measure_complexity(networks: list) -> tuple:
    """Return what makes a candidate complex: many weights, a small `l2`, then a small `dropout`."""
    encoding = networks[0].encoding_
    n_weights = sum(kernel.size for kernel in networks[0].coefs_)
    n_weights += 0 if encoding is None else encoding.get_parameters().size
    # Each network has a number of its own for "auto".
    l2 = np.mean([np.mean(network.l2_) for network in networks])
    return n_weights, -float(l2), -float(np.mean(networks[0].dropout))


def _make_score(
    search: Search, networks: dict[int, list], errors: list[str]
) -> Callable[[np.ndarray], float]:
    """Return a function from how often candidates were picked to the score of their ensemble.

    It is NaN if the scorer fails. Its traceback is then added to `errors`.
    """
    folds = search.folds
    rows = np.concatenate([fold.test for fold in folds])
    X, y = safe_indexing(folds[0].X, rows), safe_indexing(folds[0].scored_y, rows)
    params = _pool_params(folds)
    members = [network for fold_networks in networks.values() for network in fold_networks]
    stored_class = _StoredClassifier if is_classifier(members[0]) else _StoredRegressor
    stored = stored_class().imitate(members, X)
    # The networks of a fold share its encoded rows.
    parts = [
        _predict_each(candidates, safe_indexing(fold.X, fold.test), stored.predict_member)
        for fold, *candidates in zip(folds, *networks.values(), strict=True)
    ]
    predictions = dict(zip(networks, np.concatenate(parts, axis=1), strict=True))

    def score(counts: np.ndarray) -> float:
        picked = np.flatnonzero(counts).tolist()
        mean = sum(predictions[k] * (counts[k] / counts.sum()) for k in picked)
        scores, error = call_scorer(folds[0].scorer, stored.store(mean), X, y, params)
        errors.extend([] if error is None else [error])
        return search.refit_score(scores)

    return score


def _predict_each(networks: list, X, predict_member: Callable) -> np.ndarray:
    """Return the predictions of each network, of shape (n_networks, n, ...)."""

    def stack(logits: list[np.ndarray]) -> np.ndarray:
        return np.stack(
            [predict_member(*pair) for pair in zip(networks, logits, strict=True)], axis=1
        )

    # In one thread, so that the selection has the same bits on any number of cores.
    return np.swapaxes(predict_together(networks[0], networks, X, stack, n_threads=1), 0, 1)


def _pool_params(folds: Sequence[Fold]) -> dict:
    """Return the metadata of the test rows of all folds; what has no rows stays as it is."""
    pooled = {}
    for name, first in folds[0].score_params.items():
        parts = [fold.score_params[name] for fold in folds]
        by_row = [np.shape(p)[:1] == fold.test.shape for p, fold in zip(parts, folds, strict=True)]
        pooled[name] = np.concatenate(parts) if all(by_row) else first
    return pooled


class _StoredPredictions:
    """Predictions of one table that are stored. Precedes the estimator whose methods need them."""

    _table: Any
    _stored: np.ndarray

    def imitate(self, networks: Sequence, X):
        """Take the table, and what the networks have in common, for the scorer to look at."""
        vars(self).update(vars(networks[0]), _table=X)
        for name in list_fitted_attributes(self):
            if name not in _COMMON:
                delattr(self, name)
        return self

    def _get_stored(self, X) -> np.ndarray:
        """Return what is stored. Raise if another table is to be predicted."""
        if X is not self._table and joblib.hash(X) != joblib.hash(self._table):
            raise ValueError(
                "scoring: expected a scorer that predicts the table it receives, since "
                "refit='ensemble' scores predictions of all held-out rows that it has stored; "
                f"received another table to predict, of type {type(X).__name__} and shape "
                f"{np.shape(X)}."
            )
        return self._stored


class _StoredClassifier(_StoredPredictions, RegularizedMLPClassifier):
    """A classifier that predicts stored probabilities."""

    @staticmethod
    def predict_member(network, logits) -> np.ndarray:
        """Return the probability of each output of a network."""
        # In float32 a probability is one from a logit of 17 on.
        return network._link.predict(logits.astype(np.float64))

    def store(self, probabilities: np.ndarray):
        """Return the classifier with these probabilities."""
        # Zero and one have no logits.
        self._stored = self._link.invert(probabilities, MIN_PROBABILITY)
        return self

    def _compute_logits(self, X):
        return self._get_stored(X)


class _StoredRegressor(_StoredPredictions, RegularizedMLPRegressor):
    """A regressor that predicts stored numbers."""

    @staticmethod
    def predict_member(network, logits) -> np.ndarray:
        """Return the predictions of a network."""
        return network._predict_from_logits(logits)

    def imitate(self, networks, X):
        """Also use one common scale of the target, so that all scores have the same unit."""
        super().imitate(networks, X)
        self.target_scale_ = merge_target_scales(networks)
        return self

    def store(self, predictions: np.ndarray):
        """Return the regressor with these predictions."""
        self._stored = predictions
        return self

    def _predict(self, X) -> Any:
        return self._get_stored(X)
