"""What a search reports while it runs: `verbose` and callbacks of scikit-learn."""

import numpy as np
import pytest
from helpers import CANCER, quick_search
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedKFold

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER

# -- verbose -----------------------------------------------------------------------------------


def test_verbose_prints_a_line_per_network(capsys):
    quick_search(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12
    assert lines[0].startswith("[  8%] dropout=0, l2=0.001, fold 0, 9 epochs, score=-0.")
    assert lines[-1].startswith("[100%] ")


def test_quiet_search_prints_nothing(capsys):
    quick_search(verbose=0).fit(X, y)
    assert capsys.readouterr().out == ""


EARLY = {"early_stopping": True, "n_iter_no_change": 1}


@pytest.mark.parametrize(
    "changes", [{"search": "halving"}, EARLY, {"search": "halving", "max_iter": 40, **EARLY}]
)
def test_progress_increases_to_100_percent(capsys, changes):
    quick_search(verbose=1, **changes).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    shares = [int(line[1:4]) for line in lines if line.startswith("[")]
    assert shares == sorted(shares)
    assert shares[-1] == 100


# -- callbacks ---------------------------------------------------------------------------------


class StopAfter:
    """A callback that stops the search after so many networks."""

    max_propagation_depth = 0

    def __init__(self, n_networks=None):
        self.n_networks, self.n_seen = n_networks, 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        if context.task_name == "candidate-fold":
            assert fitted_estimator.predict(X[:2]).shape == (2,)
            self.n_seen += 1
        return self.n_seen == self.n_networks


@pytest.fixture
def callback_module():
    return pytest.importorskip("sklearn.callback")


@pytest.mark.usefixtures("callback_module")
def test_callback_sees_each_network():
    callback = StopAfter()
    quick_search().set_callbacks(callback).fit(X, y)
    assert callback.n_seen == 12


def test_callback_receives_the_rows_and_weights_of_the_fold(callback_module):
    weight = np.where(y == 1, 4.0, 1.0)
    splits = list(StratifiedKFold(2).split(X, y))
    monitor = callback_module.ScoringMonitor(scoring="accuracy")
    model = quick_search(dropouts=[0.5], l2s=[1e-3], cv=splits, refit="folds")
    model.set_callbacks(monitor).fit(X, y, sample_weight=weight)
    logs = monitor.get_logs().data_as_pandas
    scores = logs[logs["task_name"] == "candidate-fold"]["accuracy"].to_numpy()
    expected = [
        accuracy_score(y[train], network.predict(X[train]), sample_weight=weight[train])
        for network, (train, _) in zip(model.estimators_, splits, strict=True)
    ]
    assert_allclose(scores, expected)


@pytest.mark.usefixtures("callback_module")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_callback_can_stop_the_search(n_jobs):
    callback = StopAfter(5)
    with pytest.warns(UserWarning, match="stopped by a callback after 5 of 12 networks"):
        model = quick_search(n_jobs=n_jobs).set_callbacks(callback).fit(X, y)
    assert callback.n_seen == 5
    assert np.isfinite(model.scores_).sum() == 5
    assert model.predict(X).shape == y.shape


@pytest.fixture
def halved():
    """A search by halving, and the number of its networks over all rungs."""
    callback = StopAfter()
    return quick_search(search="halving").set_callbacks(callback).fit(X, y), callback.n_seen


@pytest.mark.usefixtures("callback_module")
def test_callback_that_stops_after_the_last_network_changes_no_result(halved):
    expected, n_networks = halved
    with pytest.warns(UserWarning, match="stopped by a callback"):
        model = quick_search(search="halving").set_callbacks(StopAfter(n_networks)).fit(X, y)
    assert_array_equal(model.scores_, expected.scores_)
    assert_array_equal(model.cv_results_["n_epochs"], expected.cv_results_["n_epochs"])


@pytest.mark.usefixtures("callback_module")
def test_callback_that_stops_inside_a_rung_returns_to_the_rung_before(halved):
    expected, n_networks = halved
    with pytest.warns(UserWarning, match="stopped by a callback"):
        model = quick_search(search="halving").set_callbacks(StopAfter(n_networks - 1)).fit(X, y)
    assert max(model.cv_results_["n_epochs"]) < max(expected.cv_results_["n_epochs"])


def prefer_regularised(model, X, y):
    """A scorer of which the last candidate is the best."""
    return model.dropout + model.l2


@pytest.mark.usefixtures("callback_module")
@pytest.mark.parametrize("refit", ["folds", "ensemble"])
def test_networks_of_complete_candidates_predict_after_a_callback_has_stopped(refit):
    model = quick_search(refit=refit, candidates=[{}], scoring=prefer_regularised)
    with pytest.warns(UserWarning, match="Only candidates that have a network of every fold"):
        model.set_callbacks(StopAfter(10)).fit(X, y)
    assert model.best_index_ == 1  # the last fold has two
    assert model.best_params_ == {"dropout": 0.0, "l2": 1e-2}
    assert {network.l2 for network in model.estimators_} <= {1e-3, 1e-2}
    assert model.predict(X).shape == y.shape


@pytest.mark.usefixtures("callback_module")
def test_a_warning_says_that_no_network_predicts_after_a_callback_has_stopped():
    model = quick_search(refit="folds")
    with pytest.warns(UserWarning, match="No candidate has a network of every fold"):
        model.set_callbacks(StopAfter(5)).fit(X, y)
    assert not hasattr(model, "estimators_")
