"""What looks on while a network trains: the display, a validation scorer, scikit-learn's callbacks.

Owns what `verbose` prints, when a scorer finds the best epoch and ends the training, how the
callback protocol of scikit-learn 1.9 is served, and whether Ctrl-C ends a fit well or goes through.
Does not own the training, nor the stopping by a loss, which the program itself decides.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import numpy as np

from skreg._engine.job import Report, Verdict, Watcher
from skreg._engine.spec import Status
from skreg._estimators.progress import Display


class ValidationScoring:
    """Keeps the epoch with the best score; ends after too many without a better one.

    Parameters
    ----------
    score : callable
        From (kernels, biases) to a score; greater is better.
    tol : float
    n_iter_no_change : int
    """

    def __init__(self, score: Callable, tol: float, n_iter_no_change: int):
        self.score, self.tol, self.n_iter_no_change = score, tol, n_iter_no_change
        self.scores: list[float] = []
        self.waited = 0

    def judge(self, report: Report) -> Verdict:
        """Score the weights after the report's one epoch."""
        best = max(self.scores, default=-np.inf)
        score = float(self.score(*report.weights()))
        if np.isnan(score):
            raise ValueError(
                f"validation_scoring: expected a number; received NaN after epoch "
                f"{report.first_epoch + 1}."
            )
        self.scores.append(score)
        # As in MLPClassifier, but that a plateau at tol=0 counts as no improvement.
        self.waited = 0 if score > best + self.tol else self.waited + 1
        stalled = self.waited >= self.n_iter_no_change
        return Verdict(score > best, Status.CONVERGED if stalled else None)


class Callbacks:
    """Serves scikit-learn's callbacks, one task an epoch.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
        Of the whole fit.
    arguments : dict
        The estimator, X, y and metadata, for every hook.
    attributes : callable
        From a report to the fitted attributes as of then.
    """

    def __init__(self, context, arguments: dict, attributes: Callable):
        self.context, self.arguments, self.attributes = context, arguments, attributes

    def stops(self, report: Report) -> bool:
        """Tell the callbacks of the report's one epoch; return whether one of them stops."""
        task = self.context.subcontext(task_name="epoch")
        task.call_on_fit_task_begin(**self.arguments)
        return task.call_on_fit_task_end(
            **self.arguments, reconstruction_attributes=lambda: self.attributes(report)
        )


class FitWatcher(Watcher):
    """All that looks on at the fit of one estimator; any part may be None."""

    def __init__(
        self,
        display: Display | None = None,
        scoring: ValidationScoring | None = None,
        callbacks: Callbacks | None = None,
    ):
        self.display, self.scoring, self.callbacks = display, scoring, callbacks
        # What can end the training has to see every epoch, whatever the machine's speed.
        self.every_epoch = scoring is not None or callbacks is not None

    def __call__(self, report: Report) -> Verdict:
        verdict, score = Verdict(), None
        if self.scoring is not None:
            verdict = self.scoring.judge(report)
            score = self.scoring.scores[-1]
        if self.display is not None:
            self.display.show(report, score)
        if self.callbacks is not None and self.callbacks.stops(report):
            verdict = verdict._replace(status=Status.STOPPED)
        return verdict

    def keeps_interrupted(self) -> bool:
        """Whether the fit was called by the user, and not by what fits many."""
        return not fitted_by_others()

    @property
    def memory(self):
        """The scores so far, and the epochs since the best of them."""
        return None if self.scoring is None else (list(self.scoring.scores), self.scoring.waited)


# What may stand between the user's call and a fit that is the user's own.
_TRANSPARENT = ("sklearn.base", "sklearn.pipeline", "sklearn.compose", "sklearn.utils")


_FIT_MANY = ("sklearn", "joblib", "dask", "distributed", "optuna", "imblearn", "skrub")


def fitted_by_others() -> bool:
    """Whether a search, an ensemble or a scheduler is among the callers."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        transparent = module.startswith(_TRANSPARENT) and "parallel" not in module
        if module.split(".")[0] in _FIT_MANY and not transparent:
            return True
        frame = frame.f_back
    return False
