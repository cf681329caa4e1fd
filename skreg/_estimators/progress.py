"""TODO."""

from __future__ import annotations

import contextlib
import sys

from skreg._engine.job import Report


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
