"""Progress: a bar in a terminal, lines elsewhere."""

import importlib
import io
import os
import pty
import subprocess
import sys
import textwrap
import types

import pytest
from helpers import quick_regression_search, quick_search
from sklearn.datasets import load_breast_cancer

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._estimators.progress import SearchProgress

X, y = load_breast_cancer(return_X_y=True)


def make_classifier(**changes):
    values = {"hidden_layer_sizes": (8,), "max_iter": 6, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


# -- a notebook ----------------------------------------------------------------------------------


class ZMQInteractiveShell:
    """The name by which rich knows a notebook."""


class Output:
    """The part of ipywidgets.Output that rich uses."""

    def __enter__(self):
        pass

    def __exit__(self, *_):
        pass

    def clear_output(self, wait):
        pass


@pytest.fixture
def displayed(monkeypatch):
    """What a notebook with ipywidgets displays."""
    found = []
    modules = {
        name: types.ModuleType(name) for name in ("IPython", "IPython.display", "ipywidgets")
    }
    for name, module in modules.items():
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)
    modules["IPython.display"].display = found.append
    modules["ipywidgets"].Output = Output
    monkeypatch.setattr("builtins.get_ipython", ZMQInteractiveShell, raising=False)
    monkeypatch.setattr("rich._console", None)  # the one console of the process
    return found


def test_a_notebook_has_one_bar_instead_of_lines(displayed, capsys, monkeypatch):
    quick_search(verbose=1, refit=False, dropouts=[0.5]).fit(X, y)
    assert sum(isinstance(one, Output) for one in displayed) == 1
    assert "fold" not in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    quick_search(verbose=1, refit=False, dropouts=[0.5]).fit(X, y)
    assert capsys.readouterr().out.count(", fold ") == 6


# -- lines -------------------------------------------------------------------------------------


def test_verbose_prints_a_line_an_epoch(capsys):
    model = make_classifier(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    curve = model.loss_curve_
    assert lines == [f"Iteration {k}, loss = {loss:.8f}" for k, loss in enumerate(curve, 1)]


def test_verbose_changes_no_bit_and_without_it_nothing_is_printed(capsys):
    quiet = make_classifier().fit(X, y)
    assert capsys.readouterr().out == ""
    assert make_classifier(verbose=1).fit(X, y).loss_curve_ == quiet.loss_curve_


def test_lines_have_validation_losses_and_scores(capsys):
    model = make_classifier(verbose=1, early_stopping=True, validation_scoring="accuracy")
    model.fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    epochs = zip(
        model.loss_curve_, model.validation_loss_curve_, model.validation_scores_, strict=True
    )
    assert lines == [
        f"Iteration {k}, loss = {loss:.8f}, validation loss = {validation_loss:.8f}, "
        f"validation score = {score:.8f}"
        for k, (loss, validation_loss, score) in enumerate(epochs, 1)
    ]


class Stream:
    """A standard output with `write` only."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


class FlushedStream(Stream):
    def flush(self):
        pass


@pytest.mark.parametrize("make_stream", [Stream, FlushedStream])
def test_lines_are_written_to_a_stream_that_is_no_file(make_stream, monkeypatch):
    monkeypatch.setattr("sys.stdout", make_stream())
    make_classifier(verbose=1).fit(X, y)
    assert sys.stdout.text.count("Iteration") == 6


def make_closed_stream():
    stream = io.StringIO()
    stream.close()
    return stream


MODELS = {
    "classifier": lambda **changes: make_classifier(max_iter=1, **changes),
    "regressor": lambda **changes: RegularizedMLPRegressor(
        (8,), max_iter=1, random_state=0, **changes
    ),
    "search of a classifier": lambda **changes: quick_search(**SMALL_SEARCH, **changes),
    "search of a regressor": lambda **changes: quick_regression_search(**SMALL_SEARCH, **changes),
}
SMALL_SEARCH = {"dropouts": [0.0], "l2s": [0.0], "cv": 2, "max_iter": 1}


@pytest.mark.parametrize("make_stream", [lambda: None, make_closed_stream, FlushedStream])
@pytest.mark.parametrize("make_model", MODELS.values(), ids=MODELS.keys())
def test_verbose_needs_no_standard_output(make_model, make_stream, monkeypatch):
    monkeypatch.setattr("sys.stdout", make_stream())
    assert hasattr(make_model(verbose=1).fit(X, y), "n_iter_")


# -- bars --------------------------------------------------------------------------------------


def run_in_terminal(code, columns=80):
    """Run a script with a terminal as its standard output, and return what it writes."""
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm"},
    )
    os.close(terminal)
    written = b""
    while True:
        try:
            written += os.read(master, 4096)
        except OSError:  # the terminal is closed when the script ends
            break
    assert process.wait(timeout=60) == 0, written.decode()
    return written.decode()


@pytest.fixture(scope="module")
def bar():
    """What a fit with early stopping writes to a terminal of 80 columns."""
    return run_in_terminal(
        """
        from sklearn.datasets import load_breast_cancer
        from skreg import RegularizedMLPClassifier
        X, y = load_breast_cancer(return_X_y=True)
        model = RegularizedMLPClassifier(early_stopping=True, max_iter=30, n_iter_no_change=30,
                                         validation_scoring="accuracy", verbose=1, random_state=0)
        model.fit(X, y)
        """
    )


@pytest.mark.parametrize(
    "part", ["30/30", "0:00:00", "loss 0.", "val. score 0."], ids=lambda part: part
)
def test_bar_shows_epochs_time_left_losses_and_scores(bar, part):
    assert part in bar


def test_bar_is_not_cut_off_and_replaces_the_lines(bar):
    assert "…" not in bar
    assert "Iteration" not in bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_bar_of_a_search_fits_into_80_columns(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    progress = SearchProgress(24)
    with progress.open():
        for fold in range(2):
            values = {"dropout": (0.25, 0.5), "l2": 1e-3}
            progress.update({}, values, fold, 12, 12 * (fold + 1), -0.0712345)
    text = terminal.getvalue()
    assert "dropout=(0.25, 0.5), l2=0.001: -0.07123" in text
    assert "100%" in text
    assert "0:00:00" in text  # the time left
    assert "…" not in text
