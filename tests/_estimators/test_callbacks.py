"""What looks on at a fit: verbose output, scikit-learn's callbacks, Ctrl-C."""

import os
import pty
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._estimators.callbacks import FitCallback

X, y = load_breast_cancer(return_X_y=True)
HAS_CALLBACKS = parse_version(sklearn.__version__) >= parse_version("1.9")


def classifier(**changes):
    values = {"hidden_layer_sizes": (8,), "max_iter": 6, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


class Noting:
    """A callback that notes what it is told, and may stop or fail at an epoch."""

    def __init__(self, stop_after=None, fail_after=None):
        self.stop_after, self.fail_after = stop_after, fail_after
        self.begun, self.ended, self.predictions, self.set_up, self.torn_down = [], [], [], 0, 0

    def setup(self, estimator, context):
        self.set_up += 1

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.ended.append((context.task_name, context.task_id))
        self.metadata = metadata
        self.predictions.append(fitted_estimator.predict_proba(X))
        if context.task_name == "epoch" and context.task_id == self.fail_after:
            raise RuntimeError("of the callback")
        return context.task_name == "epoch" and context.task_id == self.stop_after


@pytest.mark.skipif(not HAS_CALLBACKS, reason="callbacks came with scikit-learn 1.9")
class TestCallbacks:
    def test_every_epoch_is_a_task_with_an_estimator_fitted_so_far(self):
        noting = Noting()
        weight = np.ones(len(y))
        model = classifier().set_callbacks(noting).fit(X, y, sample_weight=weight)
        assert noting.ended == [("epoch", k) for k in range(6)] + [("fit", 0)]
        assert sorted(noting.begun) == sorted(noting.ended)
        assert (noting.set_up, noting.torn_down) == (1, 1)
        assert noting.metadata["sample_weight"] is weight
        for epochs, probabilities in enumerate(noting.predictions[:-1], 1):
            # A cosine over fewer epochs would be another schedule.
            short = classifier(max_iter=epochs, learning_rate="constant")
            if epochs == 1:
                assert short.fit(X, y).predict_proba(X).shape == probabilities.shape
        np.testing.assert_array_equal(noting.predictions[-1], model.predict_proba(X))
        assert (noting.predictions[0] != noting.predictions[1]).any()

    def test_callbacks_change_no_bit_of_the_network(self):
        watched = classifier().set_callbacks(Noting()).fit(X, y)
        assert watched.loss_curve_ == classifier().fit(X, y).loss_curve_

    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_a_callback_can_stop_the_fit(self, early_stopping):
        noting = Noting(stop_after=2)
        model = classifier(max_iter=100, early_stopping=early_stopping, n_iter_no_change=100)
        model.set_callbacks(noting).fit(X, y)
        assert model.n_iter_ == 3
        np.testing.assert_array_equal(noting.predictions[2], model.predict_proba(X))

    def test_an_error_of_a_callback_reaches_the_user_and_leaves_the_estimator_usable(self):
        model = classifier().fit(X[:, :5], y)
        before = model.predict_proba(X[:, :5])
        noting = Noting(fail_after=1)
        with pytest.raises(RuntimeError, match="of the callback"):
            model.set_callbacks(noting).fit(X, y)
        assert noting.torn_down == 1
        np.testing.assert_array_equal(model.predict_proba(X[:, :5]), before)
        assert model.set_callbacks().fit(X, y).score(X, y) > 0.8

    def test_scoring_monitor_logs_every_epoch_alone_and_in_a_search(self):
        from sklearn.callback import ScoringMonitor

        monitor = ScoringMonitor(scoring="neg_log_loss")
        model = classifier().set_callbacks(monitor).fit(X, y)
        scores = [row["neg_log_loss"] for row in monitor.get_logs().data if "neg_log_loss" in row]
        assert len(scores) >= 6
        assert max(scores) > min(scores)
        inner = ScoringMonitor(scoring="accuracy")
        pipeline = make_pipeline(StandardScaler(), classifier(max_iter=3).set_callbacks(inner))
        grid = {"regularizedmlpclassifier__dropout": [0.1, 0.5]}
        search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
        assert search.best_score_ > 0.6
        assert len(inner.get_logs(select="all")) >= 1
        assert model.score(X, y) > 0.8

    def test_progress_bar_shows_alone_in_a_pipeline_and_in_a_search(self, capsys):
        from sklearn.callback import ProgressBar

        classifier().set_callbacks(ProgressBar()).fit(X, y)
        assert "RegularizedMLPClassifier" in capsys.readouterr().out
        pipeline = make_pipeline(StandardScaler(), classifier())
        pipeline.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
        shown = capsys.readouterr().out
        assert "Pipeline" in shown
        assert "RegularizedMLPClassifier" in shown
        search = GridSearchCV(classifier(), {"l2": [1e-3, 1e-2]}, cv=2)
        search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
        assert "GridSearchCV" in capsys.readouterr().out

    def test_streams_tell_callbacks_too(self):
        noting = Noting()
        classifier().set_callbacks(noting).partial_fit(X, y, classes=[0, 1])
        assert noting.ended == [("epoch", 0), ("fit", 0)]


def test_lines_show_losses_and_scores_where_there_is_no_terminal(capsys):
    model = classifier(verbose=1, early_stopping=True, validation_scoring="accuracy").fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    rows = zip(
        model.loss_curve_, model.validation_loss_curve_, model.validation_scores_, strict=True
    )
    assert lines == [
        f"Iteration {k}, loss = {loss:.8f}, validation loss = {held_out:.8f}, "
        f"validation score = {score:.8f}"
        for k, (loss, held_out, score) in enumerate(rows, 1)
    ]


def run_in_a_terminal(code, columns=80):
    """What a script writes when its standard output is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm"},
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            written += os.read(ours, 4096)
        except OSError:  # the terminal is closed when the script ends
            break
    assert process.wait(timeout=60) == 0, written.decode()
    return written.decode()


def test_a_terminal_shows_a_bar_with_losses_and_time_left():
    written = run_in_a_terminal(
        """
        from sklearn.datasets import load_breast_cancer
        from skreg import RegularizedMLPClassifier
        X, y = load_breast_cancer(return_X_y=True)
        model = RegularizedMLPClassifier(early_stopping=True, max_iter=30, n_iter_no_change=30,
                                         validation_scoring="accuracy", verbose=1, random_state=0)
        model.fit(X, y)
        """
    )
    assert "30/30" in written
    assert "0:00:00" in written
    assert "loss 0." in written
    assert "val. score 0." in written
    assert "…" not in written  # nothing is cut off at 80 columns
    assert "Iteration" not in written


# -- Ctrl-C ---------------------------------------------------------------------------------------


@pytest.fixture
def _interrupted(monkeypatch):
    """As Ctrl-C does: a KeyboardInterrupt between two calls, here after the first."""

    def interrupt(self, report):
        raise KeyboardInterrupt

    monkeypatch.setattr(FitCallback, "__call__", interrupt)


@pytest.mark.usefixtures("_interrupted")
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_interrupted_fit_stores_the_best_weights_so_far_and_raises(in_pipeline):
    model = classifier(max_iter=10**6)
    estimator = make_pipeline(StandardScaler(), model) if in_pipeline else model
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert 1 <= model.n_iter_ < 10**6
    assert model.score(estimator[0].transform(X) if in_pipeline else X, y) > 0.5


@pytest.mark.usefixtures("_interrupted")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_goes_through_a_search_and_all_threads_stop(n_jobs):
    from joblib import parallel_config

    search = GridSearchCV(classifier(max_iter=10**6), {"l2": [1e-3, 1e-2]}, cv=2, n_jobs=n_jobs)
    with pytest.raises(KeyboardInterrupt), parallel_config(backend="threading"):
        search.fit(X, y)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("skreg")]


def test_ctrl_c_before_the_first_epoch_goes_through(monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("skreg._engine.trainer._make_orders", interrupt)
    model = RegularizedMLPRegressor(hidden_layer_sizes=(8,))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")
