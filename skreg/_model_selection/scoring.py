"""Scores of a search: the loss as a scorer, the parameter `scoring`, and the method `score`."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import check_scoring

from skreg._compat import (
    BaseScorer,
    get_scorers,
    is_scorer,
    process_routing,
    raise_for_params,
    routing_enabled,
)
from skreg._engine.hyperparameters import read_loss_parameters
from skreg._estimators.scorers import is_loss, takes_weights
from skreg._estimators.validation import copy_shallow
from skreg._nn.losses import REGRESSION_LOSSES, find_class_loss

# Values of `refit` that average networks of the folds.
AVERAGES = "folds", "ensemble"
MIN_PROBABILITY = float(np.finfo(np.float64).eps)  # of a class that training has not seen


def makes_ensemble(refit) -> bool:
    """Whether networks of several candidates predict."""
    return isinstance(refit, str) and refit == "ensemble"


# -- the loss as a score ----------------------------------------------------------------------


def negative_loss(estimator, X, y, sample_weight=None) -> float:
    """Compute minus the weighted mean loss of the rows, without penalty and dropout.

    For classes this is the cross-entropy: `neg_log_loss`, but also for several labels per row and
    for rows that lack a class. For numbers it is the loss of the estimator, on the scale of the
    target that it was trained on.

    Parameters
    ----------
    estimator : RegularizedMLPClassifier or RegularizedMLPRegressor
        A fitted estimator.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    score : float
        Greater is better.
    """
    y = y.toarray() if sparse.issparse(y) else np.asarray(y)
    y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
    weight = None if sample_weight is None else np.asarray(sample_weight)
    # A row of weight 0 may have a loss that is infinite, of which no multiple is zero.
    rows = slice(None) if weight is None else weight != 0
    compute_losses = (
        _compute_class_losses if is_classifier(estimator) else _compute_regression_losses
    )
    with np.errstate(over="ignore"):  # the loss of a network that diverged may be infinite
        losses = compute_losses(estimator, X, y[rows], rows)
        return -float(np.average(losses, weights=None if weight is None else weight[rows]))


def _compute_class_losses(estimator, X, y, rows) -> np.ndarray:
    loss, logits = find_class_loss(estimator.out_activation_), estimator._compute_logits(X)[rows]
    if y.ndim == 2:
        return loss.compute_numpy(logits, y)
    codes = np.searchsorted(estimator.classes_, y).clip(max=len(estimator.classes_) - 1)
    losses = loss.compute_numpy(logits, codes)
    return np.where(estimator.classes_[codes] == y, losses, -np.log(MIN_PROBABILITY))


def _compute_regression_losses(estimator, X, y, rows) -> np.ndarray:
    parameters, scale = read_loss_parameters(estimator), _get_target_scale(estimator)
    loss = REGRESSION_LOSSES[estimator.loss].choose_form(parameters)
    predictions = np.asarray(estimator.predict(X), np.float64)[rows].reshape(len(y), -1)
    targets = np.asarray(y, np.float64).reshape(len(y), -1)
    if not scale.all():
        # A target that was constant in training has no scale. Its errors are their own unit, so
        # that the loss does not depend on the unit of the target.
        # Halves, since the difference of the largest numbers is beyond float64's range.
        halves = np.abs(predictions / 2 - targets / 2).max(axis=0)
        errors = 2 * np.minimum(halves, np.finfo(np.float64).max / 2)
        scale = np.where(scale > 0, scale, np.where(errors > 0, errors, 1.0))
    predictions, targets = predictions / scale, targets / scale
    own = {name: parameters[name] for name in loss.defaults}
    return loss.compute_numpy(predictions, targets, **own)


def _get_target_scale(estimator) -> np.ndarray:
    if hasattr(estimator, "target_scale_"):
        return estimator.target_scale_
    return merge_target_scales(estimator.estimators_)


def merge_target_scales(networks: Sequence) -> np.ndarray:
    """Return the scale of each output for networks of several folds: the largest one.

    The target of a fold may be constant in training, which has no scale. If it is constant in all
    folds, the scale is 1.
    """
    scale = np.max([network.target_scale_ for network in networks], axis=0)
    return np.where(scale > 0, scale, 1.0)


class _LossScorer(BaseScorer):
    """`negative_loss` as a scorer of scikit-learn that requests the weights."""

    def _score(self, method_caller, estimator, X, y_true, **kwargs):
        return negative_loss(estimator, X, y_true, **kwargs)


def call_scorer(
    scorer: Callable, estimator, X, y, params: Mapping[str, Any]
) -> tuple[dict[str, float], str | None]:
    """Return the scores of an estimator by name, and the traceback if scoring failed."""
    try:
        scores = scorer(estimator, X, y, **params)
    except Exception:  # as in GridSearchCV, the score is NaN whatever a scorer raises
        return {}, traceback.format_exc()
    if not isinstance(scores, dict):
        scores = {"score": scores}
    # As in GridSearchCV, an array of one number is a score.
    scores = {
        name: score.item() if getattr(score, "size", None) == 1 else score
        for name, score in scores.items()
    }
    for name, score in scores.items():
        if not isinstance(score, (Real, str)):
            raise ValueError(f"scoring: expected numbers; received {score!r} for {name!r}.")
    # Of several scorers, one that fails returns its traceback.
    failed = {name: error for name, error in scores.items() if isinstance(error, str)}
    numbers = {name: np.nan if name in failed else float(scores[name]) for name in scores}
    return numbers, next(iter(failed.values()), None)


# -- what `scoring` asks for ------------------------------------------------------------------


class Scoring:
    """The scorer and the metric that the parameters `scoring` and `refit` ask for.

    Parameters
    ----------
    scoring : "loss", str, callable, list, tuple, dict or None
    estimator : estimator
        The base estimator. Its method `score` is used if `scoring` is None.
    refit : bool, str or callable
        The name of the metric that chooses the winner, if there are several metrics.
    halving : bool, default=False
        Whether one metric has to drop candidates, also if `refit` names none.

    Attributes
    ----------
    scoring : "loss", str, callable, list, tuple, dict or None
        The parameter.
    scorer : callable
        Returns one score, or a dict of scores.
    is_multimetric : bool
        Whether `scoring` names several metrics. A callable may return several all the same.
    refit : bool, str or callable
        The parameter.
    metric : str or None
        The metric that chooses the winner: "score" if there is only one, None if `refit` names
        none of several.
    """

    def __init__(self, scoring, estimator, refit, halving: bool = False):
        self.scorer: Any
        self.scoring = scoring
        self.is_multimetric = isinstance(scoring, (list, tuple, dict))
        _check_predicts_one_column(estimator, scoring)
        if is_loss(scoring):
            self.scorer = negative_loss
        elif callable(scoring):
            self.scorer = scoring
        elif self.is_multimetric:
            if not scoring:
                raise ValueError(f"scoring: expected at least one metric; received {scoring!r}.")
            self.scorer = check_scoring(estimator, scoring=_replace_loss(scoring), raise_exc=False)
        else:
            self.scorer = check_scoring(estimator, scoring=scoring)
        self.refit = bool(refit) if isinstance(refit, np.bool_) else refit
        self.halving = halving
        named = refit if isinstance(refit, str) and refit not in AVERAGES else None
        self.metric: str | None = "score" if named is None else named
        if self.is_multimetric:
            self.metric = named
            if named not in scoring:
                self._check_metric_not_needed(scoring)
        elif named is not None and not callable(scoring):  # a callable may return several
            raise ValueError(
                "refit: expected True, False, 'folds', 'ensemble' or a callable with one metric; "
                f"received {refit!r}."
            )

    def _check_metric_not_needed(self, metrics) -> None:
        """Raise if `refit` should name one of the metrics, and does not."""
        if self.halving:
            raise ValueError(
                "refit: expected the name of a metric with search='halving' and several "
                f"metrics, one of {list(metrics)}; received {self.refit!r}."
            )
        if self.refit is not False and not callable(self.refit):
            raise ValueError(
                f"refit: expected the name of a metric, one of {list(metrics)}, a callable or "
                f"False with several metrics; received {self.refit!r}."
            )

    def refit_score(self, scores: dict[str, float]) -> float:
        """Return the score that chooses the winner. NaN if there is none."""
        if scores and self.metric not in scores:
            self._check_metric_not_needed(scores)
        return np.nan if self.metric is None else scores.get(self.metric, np.nan)

    def list_scorers(self):
        """Return the scorer; of several metrics a dict from names to scorers."""
        return get_scorers(self.scorer) if self.is_multimetric else self.scorer

    def has_functions(self) -> bool:
        """Whether the scorer, or one of several, is a function, which cannot request metadata."""
        scorers = get_scorers(self.scorer).values() if self.is_multimetric else [self.scorer]
        return not all(hasattr(scorer, "get_metadata_routing") for scorer in scorers)

    def takes_weights(self) -> bool:
        """Whether the scorer, or one of several, takes `sample_weight`."""
        if self.is_multimetric:
            scorers = get_scorers(self.scorer)
            functions = [name for name, scorer in scorers.items() if not is_scorer(scorer)]
            if functions:
                raise ValueError(
                    "scoring: expected scorers made by sklearn.metrics.make_scorer with several "
                    f"metrics and sample_weight; received plain functions for {functions}."
                )
        return takes_weights(self.scorer)


def _check_predicts_one_column(estimator, scoring) -> None:
    """Raise if scikit-learn's scorers, which compare columns of y, get several quantiles."""
    metrics = scoring.values() if isinstance(scoring, dict) else scoring
    metrics = [scoring] if isinstance(scoring, str) else metrics
    if not is_regressor(estimator) or callable(scoring) or metrics is None:
        return
    names = [metric for metric in metrics if isinstance(metric, str) and not is_loss(metric)]
    if names and len(estimator._get_levels()) > 1:
        raise ValueError(
            "scoring: expected 'loss', None or a callable with several quantiles, of which "
            f"predict returns a column for each; received {names[0]!r}."
        )


def _replace_loss(scoring):
    """Replace "loss", as one of several metrics, by a scorer."""
    if "loss" not in (scoring.values() if isinstance(scoring, dict) else scoring):
        return scoring
    loss = _make_loss_scorer()
    by_name = scoring if isinstance(scoring, dict) else {name: name for name in scoring}
    return {name: loss if is_loss(value) else value for name, value in by_name.items()}


def _make_loss_scorer() -> _LossScorer:
    loss = _LossScorer(negative_loss, 1, {})
    with config_context(enable_metadata_routing=True):  # without it a request cannot be set
        loss.set_score_request(sample_weight=True)
    return loss


# -- files -------------------------------------------------------------------------------------


def pack_scorer(scorer):
    """Return what a file holds of `scorer_`: "loss" instead of what is private, as skops needs."""
    if isinstance(scorer, dict):
        return {name: pack_scorer(one) for name, one in scorer.items()}
    return "loss" if scorer is negative_loss or isinstance(scorer, _LossScorer) else scorer


def unpack_scorer(packed):
    """Return the `scorer_` of a file."""
    if isinstance(packed, dict):
        return {k: _make_loss_scorer() if is_loss(one) else one for k, one in packed.items()}
    return negative_loss if is_loss(packed) else packed


# -- the method `score` -----------------------------------------------------------------------


class SearchScoreMixin:
    """The method `score` of a searching estimator. Precedes the mixins of scikit-learn."""

    def score(self, X, y, sample_weight=None, **params):
        """Score predictions by `scoring`.

        With ``scoring="loss"`` this is the method `score` of the estimator that is tuned.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as in training.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights. If None, all rows have weight 1.
        **params : dict
            Metadata that the scorer requests, with metadata routing.

        Returns
        -------
        score : float
            Greater is better. With several metrics it is the score of the metric `refit`.

        Raises
        ------
        NotFittedError
            If there is no fitted network.
        ValueError, TypeError
            If `X` or `y` is not valid, if the scorer does not take `sample_weight` or `params`, or
            if `refit` names none of several metrics.
        """
        if self._uses_own_score():
            raise_for_params(params, self, "score", allow=[])
            return super().score(X, y, sample_weight)
        self._get_networks()  # raises if there are none
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        if routing_enabled():
            params = process_routing(self, "score", **params).scorer.score
        else:
            raise_for_params(params, self, "score", allow=["sample_weight"])
        scoring = Scoring(self.scoring, self._make_base_estimator(), self.refit)
        if "sample_weight" in params and not scoring.takes_weights():
            raise ValueError(
                f"sample_weight: expected None, since scoring={self.scoring!r} does not take "
                "weights; received some."
            )
        scores = scoring.scorer(self._make_scored_estimator(), X, y, **params)
        if not isinstance(scores, dict):
            return scores
        if scoring.metric not in scores:
            raise ValueError(
                f"refit: expected the name of a metric to score by, one of {list(scores)}; "
                f"received {self.refit!r}."
            )
        score = scores[scoring.metric]
        if isinstance(score, str):  # several scorers return the traceback instead of raising
            raise ValueError(f"scoring: {scoring.metric!r} failed with:\n{score}")
        return score

    def _make_scored_estimator(self):
        """Return the estimator for the scorer: the one network, or the average of several."""
        if hasattr(self, "best_estimator_"):
            return self.best_estimator_
        return copy_shallow(self, scoring=None)  # else a scorer that calls `score` calls itself
