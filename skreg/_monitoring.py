"""What looks on while a network trains: the display, a validation scorer, scikit-learn's callbacks.

Owns what `verbose` prints, when a scorer finds the best epoch and ends the training, how the
callback protocol of scikit-learn 1.9 is served, and whether Ctrl-C ends a fit well or goes through.
Does not own the training, nor the stopping by a loss, which the program itself decides.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from types import FrameType

import numpy as np

from skreg._spec import Status
from skreg._training import Report, Verdict, Watcher


def _bar(*described):
    """A bar of rich, with the time left and a description that fits into 80 columns."""
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    return Progress(*described, BarColumn(12), TimeLeft(), TextColumn("{task.description}"))


class Display:
    """A progress bar in a terminal, a line an epoch elsewhere."""

    def __init__(self, max_iter: int, validates: bool):
        self.max_iter = max_iter
        self.validates = validates
        self._bar = None

    @contextlib.contextmanager
    def shown(self):
        """Show the bar as long as the body runs, if standard output is a terminal."""
        if not sys.stdout.isatty():
            yield
            return
        from rich.progress import MofNCompleteColumn

        with _bar(MofNCompleteColumn()) as self._bar:
            self._task = self._bar.add_task("", total=self.max_iter)
            yield
        self._bar = None

    def show(self, report: Report, score: float | None) -> None:
        """Show the epochs of the report, of which the last one has the score."""
        pairs = zip(report.losses, report.validation_losses, strict=True)
        for epoch, (loss, validation_loss) in enumerate(pairs, report.first_epoch + 1):
            parts = {"loss": loss}
            if self.validates:
                parts["validation loss"] = validation_loss
            if score is not None:
                parts["validation score"] = score
            if self._bar is None:
                numbers = ", ".join(f"{name} = {value:.8f}" for name, value in parts.items())
                print(f"Iteration {epoch}, {numbers}", flush=True)
        if self._bar is not None:
            # Short enough for 80 columns.
            short = "  ".join(f"{name} {value:.4g}" for name, value in parts.items())
            description = short.replace("validation", "val.")
            self._bar.update(self._task, completed=epoch, description=description)


class SearchDisplay:
    """Of a search: a progress bar in a terminal, a line a network elsewhere.

    Parameters
    ----------
    n_epochs : int
        Of all networks together, if none ends early.
    """

    def __init__(self, n_epochs: int):
        self.n_epochs = n_epochs
        self._bar = None

    @contextlib.contextmanager
    def shown(self):
        """Show the bar as long as the body runs, if standard output is a terminal."""
        if not sys.stdout.isatty():
            yield
            return
        from rich.progress import TaskProgressColumn

        with _bar(TaskProgressColumn()) as self._bar:
            self._task = self._bar.add_task("", total=self.n_epochs)
            yield
            self._bar.update(self._task, completed=self.n_epochs)
        self._bar = None

    def show(self, values: dict, fold: int, n_epochs: int, done: int, score: float) -> None:
        """Show that one network has come to an epoch, and all together to `done` of theirs."""
        words = ", ".join(f"{name}={_short(value)}" for name, value in values.items())
        if self._bar is None:
            share = f"[{done / self.n_epochs:4.0%}]"
            print(f"{share} {words}, fold {fold}, {n_epochs} epochs: {score:.5g}", flush=True)
            return
        description = f"{words}: {score:.4g}"
        self._bar.update(self._task, completed=done, description=description)


def _short(value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(tuple(round(v, 4) for v in value))


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
