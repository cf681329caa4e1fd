"""Callbacks during training: progress, a validation scorer, and those of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skreg._engine.job import Decision, EpochCallback, EpochReport
from skreg._engine.status import Status
from skreg._estimators.progress import FitProgress


class ValidationScoring:
    """Keeps the epoch with the best score, and stops after too many epochs without a better one.

    Parameters
    ----------
    score : callable
        From kernels, biases and encoding to a score; greater is better.
    tol : float
        Improvement that counts.
    n_iter_no_change : int
        Epochs without improvement after which training stops.
    """

    def __init__(self, score: Callable, tol: float, n_iter_no_change: int):
        self.score, self.tol, self.n_iter_no_change = score, tol, n_iter_no_change
        self.scores: list[float] = []
        self.n_stalled = 0

    def decide(self, report: EpochReport) -> Decision:
        """Score the weights after the report's one epoch."""
        best = max(self.scores, default=-np.inf)
        score = self.score(*report.get_weights())
        self.scores.append(score)
        # As in MLPClassifier, but an equal score is no improvement for tol=0.
        self.n_stalled = 0 if score > best + self.tol else self.n_stalled + 1
        stops = self.n_stalled >= self.n_iter_no_change
        return Decision(score > best, Status.CONVERGED if stops else None)

    @property
    def state(self) -> tuple[list[float], int]:
        """The scores so far, and the epochs since the best of them."""
        return list(self.scores), self.n_stalled

    def restore(self, state: tuple[list[float], int]) -> None:
        """Continue from the `state` of a checkpoint."""
        scores, self.n_stalled = state
        self.scores = list(scores)


class SklearnCallbacks:
    """Calls the callbacks of scikit-learn, one task per epoch.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
        Of the whole fit.
    arguments : dict
        The estimator, X, y and metadata, for every hook.
    make_attributes : callable
        From a report to the fitted attributes at that time.
    """

    def __init__(self, context, arguments: dict, make_attributes: Callable):
        self.context, self.arguments, self.make_attributes = context, arguments, make_attributes

    def run(self, report: EpochReport) -> bool:
        """Call the hooks for the report's one epoch. Return whether one of them stops the fit."""
        task = self.context.subcontext(task_name="epoch")
        task.call_on_fit_task_begin(**self.arguments)
        return task.call_on_fit_task_end(
            **self.arguments, reconstruction_attributes=lambda: self.make_attributes(report)
        )


class FitCallback(EpochCallback):
    """All callbacks of one fit. Any of them may be None."""

    def __init__(
        self,
        progress: FitProgress | None = None,
        scoring: ValidationScoring | None = None,
        callbacks: SklearnCallbacks | None = None,
    ):
        self.progress, self.scoring, self.callbacks = progress, scoring, callbacks
        self.every_epoch = scoring is not None or callbacks is not None

    def __call__(self, report: EpochReport) -> Decision:
        decision, score = Decision(), None
        if self.scoring is not None:
            decision = self.scoring.decide(report)
            score = self.scoring.scores[-1]
        if self.progress is not None:
            self.progress.update(report, score)
        if self.callbacks is not None and self.callbacks.run(report):
            decision = decision._replace(status=Status.STOPPED)
        return decision

    @property
    def state(self):
        """That of the scoring, for a checkpoint."""
        return None if self.scoring is None else self.scoring.state
