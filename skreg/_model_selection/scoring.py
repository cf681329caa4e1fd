"""`score` of an estimator that tunes itself, by its own `scoring`.

Owns what the scorer gets and which of several metrics is returned. Does not own scorers
(`_scoring`), nor the scores of the search (`_search`).
"""

from __future__ import annotations

import copy
from inspect import signature
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring

from skreg._compat import BaseScorer, process_routing, raise_for_params, routing_enabled

_LEAST_PROBABILITY = float(np.finfo(np.float64).eps)  # of a class that training has not seen


def negative_loss(estimator, X, y, sample_weight=None) -> float:
    """Minus the weighted mean loss of the rows, without penalty and dropout.

    For classes the cross-entropy, which is `neg_log_loss` but also scores several labels a row
    and folds that lack a class; for numbers the estimator's own loss, on the scale of the target
    that it was trained on.

    Parameters
    ----------
    estimator : RegularizedMLPClassifier or RegularizedMLPRegressor
        Fitted.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight : array-like of shape (n_samples,), default=None
    """
    y = y.toarray() if sparse.issparse(y) else np.asarray(y)
    y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
    losses = _compute_class_losses if is_classifier(estimator) else _compute_number_losses
    return -float(np.average(losses(estimator, X, y), weights=sample_weight))


def _compute_class_losses(estimator, X, y) -> np.ndarray:
    loss, _ = estimator._get_loss_and_outputs()
    logits = estimator._logits(X)
    if y.ndim == 2:
        return loss.compute_numpy(logits, y)
    codes = np.searchsorted(estimator.classes_, y).clip(max=len(estimator.classes_) - 1)
    losses = loss.compute_numpy(logits, codes)
    return np.where(estimator.classes_[codes] == y, losses, -np.log(_LEAST_PROBABILITY))


def _compute_number_losses(estimator, X, y) -> np.ndarray:
    loss, _ = estimator._get_loss_and_outputs()
    scale = estimator.target_scale_
    predictions = np.asarray(estimator.predict(X), np.float64).reshape(len(y), -1) / scale
    targets = np.asarray(y, np.float64).reshape(len(y), -1) / scale
    parameters = {name: getattr(estimator, name) for name in loss.defaults}
    return loss.compute_numpy(predictions, targets, **parameters)


class _LossScorer(BaseScorer):
    """`negative_loss` among scorers of scikit-learn, which asks for the weights."""

    def _score(self, method_caller, estimator, X, y_true, **kwargs):
        return negative_loss(estimator, X, y_true, **kwargs)


def _with_loss(scoring):
    """Several metrics, of which "loss" becomes a scorer."""
    if "loss" not in (scoring.values() if isinstance(scoring, dict) else scoring):
        return scoring
    loss = _LossScorer(negative_loss, 1, {})
    with config_context(enable_metadata_routing=True):  # else scikit-learn takes no requests
        loss.set_score_request(sample_weight=True)
    by_name = scoring if isinstance(scoring, dict) else {name: name for name in scoring}
    return {name: loss if given == "loss" else given for name, given in by_name.items()}


class Scoring:
    """What `scoring` asks for, resolved.

    Parameters
    ----------
    scoring : "loss", str, callable, list, tuple, dict or None
    estimator : estimator
        Plain; None for `scoring` is its `score`.
    refit : bool, str or callable
        Names the metric that decides when there are several.
    halving : bool, default=False
        Whether there has to be one, also where `refit` needs none.

    Attributes
    ----------
    scorer : callable
        Returns one score, or a dict of them.
    refit : bool, str or callable
    metric : str or None
        That decides: "score" if there is only one, None if nobody said which of several.
    """

    def __init__(self, scoring, estimator, refit, halving: bool = False):
        self.scorer: Any
        self.several = isinstance(scoring, (list, tuple, dict))
        if isinstance(scoring, str) and scoring == "loss":
            self.scorer = negative_loss
        elif callable(scoring):
            self.scorer = scoring
        elif self.several:
            self.scorer = check_scoring(estimator, scoring=_with_loss(scoring), raise_exc=False)
        else:
            self.scorer = check_scoring(estimator, scoring=scoring)
        self.refit = bool(refit) if isinstance(refit, np.bool_) else refit
        self.halving = halving
        named = refit if isinstance(refit, str) and refit != "folds" else None
        self.metric: str | None = "score" if named is None else named
        if self.several:
            self.metric = named
            if named not in scoring:
                self._refuse_unless_chosen_otherwise(scoring)
        elif named is not None and not callable(scoring):  # which may return several
            raise ValueError(
                "refit: expected True, False, 'folds' or a callable with one metric; "
                f"received {refit!r}."
            )

    def _refuse_unless_chosen_otherwise(self, names) -> None:
        if self.halving:
            raise ValueError(
                "refit: expected the metric that decides with search='halving' and several "
                f"metrics, one of {list(names)}; received {self.refit!r}."
            )
        if self.refit is not False and not callable(self.refit):
            raise ValueError(
                f"refit: expected the metric that decides, one of {list(names)}, a callable or "
                f"False with several metrics; received {self.refit!r}."
            )

    def takes_weights(self) -> bool:
        """Whether the scorer, or one of several, takes `sample_weight`."""
        if self.several:
            plain = [n for n, s in self.scorer._scorers.items() if not _is_scorer(s)]
            if plain:
                raise ValueError(
                    f"scoring: expected scorers of sklearn.metrics.make_scorer beside "
                    f"sample_weight; received plain functions for {plain}."
                )
        if _is_scorer(self.scorer):
            return self.scorer._accept_sample_weight()
        return "sample_weight" in signature(self.scorer).parameters

    def decisive(self, scores: dict[str, float]) -> float:
        """The score that decides; NaN if there is none."""
        if scores and self.metric not in scores:
            self._refuse_unless_chosen_otherwise(scores)
        return np.nan if self.metric is None else scores.get(self.metric, np.nan)


def _is_scorer(scorer) -> bool:
    return hasattr(scorer, "_accept_sample_weight")


class SearchScore:
    """`score` of an estimator that has a `scoring`; stands before scikit-learn's mixins."""

    def score(self, X, y, sample_weight=None, **params):
        """Score predictions by `scoring`, or as the plain estimator does where it is the loss.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights. None is 1 for every row.
        **params : dict
            With metadata routing, what the scorer asks for.

        Returns
        -------
        score : float
            Greater is better. With several metrics the one that decided.
        """
        if self._scores_itself():
            raise_for_params(params, self, "score", allow=[])
            return super().score(X, y, sample_weight)
        self._networks()  # refuses if there are none
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        if routing_enabled():
            params = process_routing(self, "score", **params).scorer.score
        else:
            raise_for_params(params, self, "score", allow=["sample_weight"])
        scoring = Scoring(self.scoring, self._plain(), self.refit)
        scores = scoring.scorer(self._scored(), X, y, **params)
        if not isinstance(scores, dict):
            return scores
        if scoring.metric not in scores:
            raise ValueError(
                f"refit: expected the metric that scores, one of {list(scores)}; received "
                f"{self.refit!r}."
            )
        score = scores[scoring.metric]
        if isinstance(score, str):  # which several scorers return instead of raising
            raise ValueError(f"scoring: {scoring.metric!r} failed with:\n{score}")
        return score

    def _scored(self):
        """What the scorer gets: the network; of several, what has a plain estimator's `score`."""
        if hasattr(self, "best_estimator_"):
            return self.best_estimator_
        averaged = copy.copy(self)
        averaged.scoring = None  # else a scorer that calls `score` would call itself
        return averaged
