"""The rows of each fold, and what a fold has to have to be trained and scored.

Owns what a splitter's answers become and which are refused. Does not own which splitter it is
(`_base_cv`) nor what is made of the rows (`_search`).
"""

from __future__ import annotations

import copy
import threading
import traceback
from numbers import Real

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from skreg._compat import safe_indexing
from skreg._engine.hyperparameters import check_rates, check_strengths
from skreg._engine.job import Checkpoint
from skreg._engine.spec import Status
from skreg._engine.trainer import Trainer
from skreg._estimators.callbacks import FitCallback
from skreg._estimators.fit import (
    PreparedFit,
    make_attributes,
    make_job,
    make_validation_scoring,
    prepare_fit,
    read_settings,
)
from skreg._estimators.validation import copy_shallow
from skreg._model_selection.candidates import Candidate

# Values of a fold's table above which it is made anew in each rung: 16 MiB.
_LARGE_FOLD = 1 << 22


class Fold:
    """One split: rows to train on, rows to score, and what all candidates share of them.

    What it makes of its rows is made once, by whoever comes first, and does not go into a pickle:
    a worker process makes it again.

    Parameters
    ----------
    estimator : estimator
        Plain and unfitted; candidates differ from it in dropout and l2 only.
    X, y : array-like
    scored_y : array-like
        What the scorer gets for y.
    train, test : ndarray of int
    sample_weight : ndarray of shape (n_samples,) or None
    scorer : callable
    score_params : dict
        Of the test rows.
    """

    def __init__(self, estimator, X, y, scored_y, train, test, sample_weight, scorer, score_params):
        self.estimator = clone(estimator)
        if self.estimator.random_state is None:  # one seed for all who share the fold
            seed = check_random_state(None).randint(np.iinfo(np.int32).max)
            self.estimator.set_params(random_state=seed)
        self.X, self.y, self.scored_y, self.rows_in, self.rows_out = X, y, scored_y, train, test
        self.sample_weight, self.scorer, self.score_params = sample_weight, scorer, score_params
        self.stop: threading.Event | None = None
        self.forget()

    def forget(self) -> None:
        """Give back the memory of what was made of the rows."""
        self._made: tuple[PreparedFit, Trainer] | None = None
        self._test: tuple = ()
        self._lock = threading.Lock()

    def is_large(self) -> bool:
        """Whether the memory is too much to hold it for all folds from rung to rung."""
        if self._made is None:
            return False
        return len(self.rows_in) * self._made[1].job.n_features > _LARGE_FOLD

    def __getstate__(self):
        made = ("_made", "_test", "_lock", "stop")
        return {name: value for name, value in vars(self).items() if name not in made}

    def __setstate__(self, state):
        vars(self).update(state)
        self.stop = None
        self.forget()

    def training_rows(self) -> tuple:
        """X, y and weights to train on, as they were handed in."""
        weight = self.sample_weight
        return (
            safe_indexing(self.X, self.rows_in),
            safe_indexing(self.y, self.rows_in),
            None if weight is None else weight[self.rows_in],
        )

    def made(self) -> tuple[PreparedFit, Trainer]:
        """Return the prepared fit, and what trains its networks."""
        with self._lock:
            if self._made is None:
                # A seed is drawn from the random state, which the next fold begins with, too.
                state = copy.deepcopy(self.estimator.random_state)
                estimator = copy_shallow(self.estimator, random_state=state)
                request = estimator._make_request(*self.training_rows())
                fit = prepare_fit(estimator, request, read_settings(estimator))
                self._made = fit, Trainer(make_job(fit))
                tested = self.X, self.scored_y
                self._test = tuple(safe_indexing(part, self.rows_out) for part in tested)
                for part in self._test:  # all candidates' scorers get the same
                    if isinstance(part, np.ndarray):
                        part.flags.writeable = False
            return self._made

    def trained(self, candidate: Candidate, paused: Checkpoint | None, until: int):
        """Fitted attributes, status, and the paused member if it has not ended."""
        fit, trainer = self.made()
        scoring, n_hidden = None, len(fit.settings.hidden_layer_sizes)
        if fit.held_out is not None:
            scoring = make_validation_scoring(fit, self.with_values(candidate))
        if scoring is not None and paused is not None:
            scoring.restore(paused.callback_state)
        result = trainer.train(
            None if scoring is None else FitCallback(scoring=scoring),
            dropout=check_rates("dropout", candidate.dropout, n_hidden),
            strengths={"l2": check_strengths("l2", candidate.l2, n_hidden)},
            until=until,
            checkpoint=paused,
            stop=self.stop,
        )
        attributes = make_attributes(fit, trainer.job, result, scoring)
        left = result.get_checkpoint() if result.status is Status.RUNNING else None
        return attributes, result.status, left

    def with_values(self, candidate: Candidate, attributes: dict | None = None):
        """The plain estimator with a candidate's values, fitted if there are attributes."""
        # Not copy.copy, which goes by the pickled state: 12 microseconds instead of one.
        estimator = object.__new__(type(self.estimator))
        vars(estimator).update(vars(self.estimator), **candidate._asdict(), **(attributes or {}))
        return estimator

    def scored(self, estimator) -> tuple[dict[str, float], str | None]:
        """Scores of the test rows by name, and the traceback if there is none."""
        try:
            scores = self.scorer(estimator, *self._test, **self.score_params)
        except Exception:  # whatever a scorer raises: as in GridSearchCV, the score is NaN
            return {}, traceback.format_exc()
        if not isinstance(scores, dict):
            scores = {"score": scores}
        # Arrays of one number count as it, as in GridSearchCV.
        scores = {
            name: score.item() if getattr(score, "size", None) == 1 else score
            for name, score in scores.items()
        }
        for name, score in scores.items():
            if not isinstance(score, (Real, str)):
                raise ValueError(f"scoring: expected numbers; received {score!r} for {name!r}.")
        failed = {name: error for name, error in scores.items() if isinstance(error, str)}
        numbers = {name: np.nan if name in failed else float(scores[name]) for name in scores}
        return numbers, next(iter(failed.values()), None)


def splits_of(splitter, X, y, metadata: dict) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test rows of each fold, as indices also where the splitter yields masks."""
    splits = list(splitter.split(X, y, **metadata))
    if not splits:
        raise ValueError("cv: expected at least one split; received none.")
    rows = np.arange(len(y))
    return [(rows[train], rows[test]) for train, test in splits]


def refuse_without_rows(fold: int, train, test, fitted_weight, scored_weight) -> None:
    """Raise for a fold that has no rows, or none with a weight, to train on or to score.

    Weights are of all rows to train with, and of the test rows to score with; either may be None.
    """
    trained_weight = None if fitted_weight is None else fitted_weight[train]
    for kind, rows, weight in (
        ("training", train, trained_weight),
        ("test", test, scored_weight),
    ):
        if not len(rows):
            raise ValueError(f"cv: expected {kind} rows in each fold; fold {fold} has none.")
        if weight is not None and not np.any(weight):
            raise ValueError(
                f"sample_weight: expected a weight above zero in the {kind} rows of each fold; "
                f"those of fold {fold} are all zero."
            )


def refuse_without_class(fold: int, y: np.ndarray, train) -> None:
    """Raise for a fold whose training rows lack a class, so that its network cannot be averaged."""
    if y.ndim > 1:
        return
    missing = np.setdiff1d(np.unique(y), y[train])
    if len(missing):
        raise ValueError(
            "refit='folds' averages the networks of the folds: expected every class in the "
            f"training rows of each; received a fold {fold} without {missing[:5]}."
        )
