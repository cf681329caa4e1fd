"""The scores of a search: its own default, the loss, and any of scikit-learn's.

Owns what `scoring` may be and which metric decides. Does not own when a network is scored.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring

from skreg._compat import BaseScorer

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
    losses = _class_losses if is_classifier(estimator) else _number_losses
    y = y.toarray() if sparse.issparse(y) else np.asarray(y)
    y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
    return -float(np.average(losses(estimator, X, y), weights=sample_weight))


def _class_losses(estimator, X, y) -> np.ndarray:
    log_probabilities = estimator.predict_log_proba(X)
    if y.ndim == 2:
        # log(1 - p) is log(p) less the logit.
        others = log_probabilities - estimator.decision_function(X)
        return -np.where(y, log_probabilities, others).mean(axis=1)
    codes = np.searchsorted(estimator.classes_, y).clip(max=len(estimator.classes_) - 1)
    losses = -log_probabilities[np.arange(len(y)), codes]
    return np.where(estimator.classes_[codes] == y, losses, -np.log(_LEAST_PROBABILITY))


def _number_losses(estimator, X, y) -> np.ndarray:
    scale = estimator.target_scale_
    predicted = np.asarray(estimator.predict(X), np.float64).reshape(len(y), -1) / scale
    actual = np.asarray(y, np.float64).reshape(len(y), -1) / scale
    error = predicted - actual
    if estimator.loss == "squared_error":
        losses = error**2
    elif estimator.loss == "absolute_error":
        losses = np.abs(error)
    elif estimator.loss == "huber":
        slope = error.clip(-1, 1)
        losses = slope * (error - slope / 2)
    elif estimator.loss == "quantile":
        losses = np.maximum((1 - estimator.quantile) * error, -estimator.quantile * error)
    else:
        predicted = np.maximum(predicted, np.finfo(np.float64).tiny)
        losses = predicted - actual * np.log(predicted)
    return losses.mean(axis=1)


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
