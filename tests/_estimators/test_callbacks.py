"""Callbacks during a fit: those of scikit-learn, and Ctrl-C."""

import threading

import numpy as np
import pytest
import sklearn
from joblib import parallel_config
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

X, y = load_breast_cancer(return_X_y=True)


def make_classifier(**changes):
    values = {"hidden_layer_sizes": (8,), "max_iter": 6, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


# -- callbacks of scikit-learn -----------------------------------------------------------------


class RecordingCallback:
    """A callback that records its calls, and can stop or fail after an epoch."""

    def __init__(self, stop_after=None, fail_after=None):
        self.stop_after, self.fail_after = stop_after, fail_after
        self.begun, self.ended, self.predictions = [], [], []
        self.n_setups = self.n_teardowns = 0

    def setup(self, estimator, context):
        self.n_setups += 1

    def teardown(self, estimator, context):
        self.n_teardowns += 1

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.ended.append((context.task_name, context.task_id))
        self.metadata = metadata
        self.predictions.append(fitted_estimator.predict_proba(X))
        if context.task_name == "epoch" and context.task_id == self.fail_after:
            raise RuntimeError("of the callback")
        return context.task_name == "epoch" and context.task_id == self.stop_after


@pytest.fixture(scope="module")
def recorded():
    """A callback, the weights and the network of a fit of six epochs."""
    callback, weight = RecordingCallback(), np.ones(len(y))
    model = make_classifier().set_callbacks(callback).fit(X, y, sample_weight=weight)
    return callback, weight, model


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="callbacks came with scikit-learn 1.9",
)
class TestCallbacks:
    def test_every_epoch_is_a_task(self, recorded):
        callback, _, _ = recorded
        assert callback.ended == [("epoch", k) for k in range(6)] + [("fit", 0)]
        assert sorted(callback.begun) == sorted(callback.ended)

    def test_automatic_epochs_are_tasks_too(self):
        callback = RecordingCallback(stop_after=3)
        model = make_classifier(max_iter="auto").set_callbacks(callback).fit(X, y)
        assert callback.ended == [("epoch", k) for k in range(4)] + [("fit", 0)]
        assert model.n_iter_ == 4

    def test_setup_and_teardown_are_called_once(self, recorded):
        callback, _, _ = recorded
        assert (callback.n_setups, callback.n_teardowns) == (1, 1)

    def test_weights_are_metadata(self, recorded):
        callback, weight, _ = recorded
        assert callback.metadata["sample_weight"] is weight

    def test_fitted_estimator_is_that_of_the_epoch(self, recorded):
        callback, _, model = recorded
        assert callback.predictions[0].shape == (len(X), 2)
        assert (callback.predictions[0] != callback.predictions[1]).any()
        np.testing.assert_array_equal(callback.predictions[-1], model.predict_proba(X))

    def test_callbacks_change_no_bit_of_the_network(self, recorded):
        _, _, model = recorded
        assert model.loss_curve_ == make_classifier().fit(X, y).loss_curve_

    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_a_callback_can_stop_the_fit(self, early_stopping):
        callback = RecordingCallback(stop_after=2)
        model = make_classifier(max_iter=100, early_stopping=early_stopping, n_iter_no_change=100)
        model.set_callbacks(callback).fit(X, y)
        assert model.n_iter_ == 3
        np.testing.assert_array_equal(callback.predictions[2], model.predict_proba(X))

    @pytest.fixture
    def failed(self):
        """A fitted classifier whose second fit a callback ends by an error."""
        callback = RecordingCallback(fail_after=1)
        model = make_classifier().fit(X[:, :5], y)
        expected = model.predict_proba(X[:, :5])
        with pytest.raises(RuntimeError, match="of the callback"):
            model.set_callbacks(callback).fit(X, y)
        return callback, model, expected

    def test_teardown_is_called_after_an_error_of_a_callback(self, failed):
        callback, _, _ = failed
        assert callback.n_teardowns == 1

    def test_an_error_of_a_callback_leaves_the_estimator_as_it_was(self, failed):
        _, model, expected = failed
        np.testing.assert_array_equal(model.predict_proba(X[:, :5]), expected)

    def test_an_estimator_can_be_fitted_after_an_error_of_a_callback(self, failed):
        _, model, _ = failed
        assert model.set_callbacks().fit(X, y).score(X, y) > 0.8

    def test_streams_call_callbacks(self):
        callback = RecordingCallback()
        make_classifier().set_callbacks(callback).partial_fit(X, y, classes=[0, 1])
        assert callback.ended == [("epoch", 0), ("fit", 0)]

    def test_scoring_monitor_logs_every_epoch(self):
        from sklearn.callback import ScoringMonitor

        monitor = ScoringMonitor(scoring="neg_log_loss")
        model = make_classifier().set_callbacks(monitor).fit(X, y)
        scores = [row["neg_log_loss"] for row in monitor.get_logs().data if "neg_log_loss" in row]
        assert len(scores) >= 6
        assert max(scores) > min(scores)
        assert model.score(X, y) > 0.8

    def test_scoring_monitor_logs_in_a_search(self):
        from sklearn.callback import ScoringMonitor

        monitor = ScoringMonitor(scoring="accuracy")
        model = make_classifier(max_iter=3).set_callbacks(monitor)
        grid = {"regularizedmlpclassifier__dropout": [0.1, 0.5]}
        search = GridSearchCV(make_pipeline(StandardScaler(), model), grid, cv=2).fit(X, y)
        assert search.best_score_ > 0.6
        assert len(monitor.get_logs(select="all")) >= 1

    def test_progress_bar_shows_the_estimator(self, capsys):
        from sklearn.callback import ProgressBar

        make_classifier().set_callbacks(ProgressBar()).fit(X, y)
        assert "RegularizedMLPClassifier" in capsys.readouterr().out

    def test_progress_bar_of_a_pipeline_shows_the_estimator(self, capsys):
        from sklearn.callback import ProgressBar

        pipeline = make_pipeline(StandardScaler(), make_classifier())
        pipeline.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
        printed = capsys.readouterr().out
        assert "Pipeline" in printed
        assert "RegularizedMLPClassifier" in printed

    def test_progress_bar_shows_a_search(self, capsys):
        from sklearn.callback import ProgressBar

        search = GridSearchCV(make_classifier(), {"l2": [1e-3, 1e-2]}, cv=2)
        search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
        assert "GridSearchCV" in capsys.readouterr().out


# -- Ctrl-C ------------------------------------------------------------------------------------


def raise_interrupt(*arguments):
    raise KeyboardInterrupt


@pytest.fixture
def _interrupt_after_one_call(monkeypatch):
    """Ctrl-C after the first call of the program."""
    monkeypatch.setattr("skreg._estimators.callbacks.FitCallback.__call__", raise_interrupt)


@pytest.mark.usefixtures("_interrupt_after_one_call")
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_interrupted_fit_stores_the_best_weights_so_far_and_raises(in_pipeline):
    model = make_classifier(max_iter=10**6)
    estimator = make_pipeline(StandardScaler(), model) if in_pipeline else model
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert 1 <= model.n_iter_ < 10**6
    assert model.score(estimator[0].transform(X) if in_pipeline else X, y) > 0.5


@pytest.mark.usefixtures("_interrupt_after_one_call")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_ends_a_grid_search_and_its_threads(n_jobs):
    grid = {"l2": [1e-3, 1e-2]}
    search = GridSearchCV(make_classifier(max_iter=10**6), grid, cv=2, n_jobs=n_jobs)
    with pytest.raises(KeyboardInterrupt), parallel_config(backend="threading"):
        search.fit(X, y)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("skreg")]


def test_ctrl_c_before_the_first_epoch_leaves_the_estimator_unfitted(monkeypatch):
    monkeypatch.setattr("skreg._engine.trainer._make_orders", raise_interrupt)
    model = RegularizedMLPRegressor(hidden_layer_sizes=(8,))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")
