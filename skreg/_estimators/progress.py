"""What `verbose` shows: a progress bar in a terminal or a notebook, lines elsewhere."""

from __future__ import annotations

import contextlib
import importlib.util
import sys

from skreg._engine.job import EpochReport


class _ProgressBar:
    """A bar of rich while the body of `open` runs, where it can be updated.

    Attributes
    ----------
    total : float
        Epochs of a fit, or networks of a search.
    column : str
        Column of rich that shows how many of them are done.
    """

    column: str

    def __init__(self, total: float):
        self.total = total
        self._bar = None

    @contextlib.contextmanager
    def open(self):
        """Show the bar while the body runs."""
        if not _is_terminal(sys.stdout) and not _is_notebook():
            yield
            return
        import rich.progress

        with _make_bar(getattr(rich.progress, self.column)()) as self._bar:
            self._task = self._bar.add_task("", total=self.total)
            yield
            self._bar.refresh()  # a notebook would keep the bar as it was before
        self._bar = None


class FitProgress(_ProgressBar):
    """Progress of one fit: a line per epoch where there is no bar.

    Parameters
    ----------
    max_iter : int
        Epochs, if training does not stop before.
    validates : bool
        Whether there are validation losses to show.
    """

    column = "MofNCompleteColumn"

    def __init__(self, max_iter: int, validates: bool):
        super().__init__(max_iter)
        self.validates = validates

    def update(self, report: EpochReport, score: float | None) -> None:
        """Show the epochs of the report; the last one has the score."""
        pairs = zip(report.losses, report.validation_losses, strict=True)
        for epoch, (loss, validation_loss) in enumerate(pairs, report.first_epoch + 1):
            parts = {"loss": loss}
            if self.validates:
                parts["validation loss"] = validation_loss
            if score is not None:
                parts["validation score"] = score
            if self._bar is None:
                numbers = ", ".join(f"{name} = {value:.8f}" for name, value in parts.items())
                _print(f"Iteration {epoch}, {numbers}")
        if self._bar is not None:
            # Short enough for 80 columns.
            short = "  ".join(f"{name} {value:.4g}" for name, value in parts.items())
            description = short.replace("validation", "val.")
            self._bar.update(self._task, completed=epoch, description=description)


class SearchProgress(_ProgressBar):
    """Progress of a search: a line per network where there is no bar.

    Parameters
    ----------
    total : float
        Networks that are trained, those of a part of their epochs as that part.
    """

    column = "TaskProgressColumn"

    @contextlib.contextmanager
    def open(self):
        """Show the bar while the body runs. It is full at the end, also if networks stop early."""
        with super().open():
            yield
            if self._bar is not None:
                self._bar.update(self._task, completed=self.total)

    def update(
        self, kind: dict, values: dict, fold: int, n_epochs: int, done: float, score: float
    ) -> None:
        """Show one network that has reached an epoch.

        Parameters
        ----------
        kind, values : dict
            Parameters of the candidate. A bar has no room for the names of those of its kind.
        fold, n_epochs : int
            Its fold, and the epochs that it has run.
        done : float
            Share of `total`, in networks.
        score : float
        """
        words = ", ".join(f"{name}={_format(value)}" for name, value in values.items())
        if self._bar is None:
            named = [f"{name}={_format(value)}, " for name, value in kind.items()]
            words = "".join(named) + words
            share = f"[{done / self.total:4.0%}]"
            _print(f"{share} {words}, fold {fold}, {n_epochs} epochs, score={score:.5g}")
            return
        unnamed = [f"{_format(value)}, " for value in kind.values()]
        description = f"{''.join(unnamed)}{words}: {score:.4g}"
        self._bar.update(self._task, completed=done, description=description)


def _is_terminal(stream) -> bool:
    """Whether a stream is a terminal. It may be None, closed, or have `write` only."""
    is_closed = getattr(stream, "closed", False)
    return not is_closed and hasattr(stream, "isatty") and stream.isatty()


def _is_notebook() -> bool:
    """Whether this is a notebook in which rich can update a bar, for which it needs ipywidgets."""
    if "IPython" not in sys.modules or importlib.util.find_spec("ipywidgets") is None:
        return False
    import rich

    return rich.get_console().is_jupyter


def _print(line: str) -> None:
    """Print a line, if there is an open standard output."""
    if not getattr(sys.stdout, "closed", False):
        print(line, flush=hasattr(sys.stdout, "flush"))


def _make_bar(*columns):
    """Return a bar of rich, with the time left and a description that fits into 80 columns."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    description = TextColumn("{task.description}")
    return Progress(*columns, BarColumn(12), TimeRemainingColumn(), description)


def _format(value) -> str:
    if isinstance(value, tuple):
        return str(tuple(round(v, 4) for v in value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)
