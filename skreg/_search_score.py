"""`score` of an estimator that tunes itself, by its own `scoring`.

Owns what the scorer gets and which of several metrics is returned. Does not own scorers
(`_scoring`), nor the scores of the search (`_search`).
"""

from __future__ import annotations

import copy

from skreg._compat import process_routing, raise_for_params, routing_enabled
from skreg._scoring import Scoring


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
