"""The training of candidates x folds: threads, worker processes, errors."""

import os
import sys
from functools import partial

import cloudpickle
import numpy as np
import pytest
from helpers import CANCER, TESTS, in_full, quick_search
from joblib import parallel_config
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits, load_iris

from skreg._model_selection.folds import Fold
from skreg._model_selection.search import run_group

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER


@pytest.fixture
def frame():
    return load_iris(return_X_y=True, as_frame=True)


@pytest.mark.parametrize("search", ["grid", "halving"])
def test_number_of_jobs_changes_no_bit(search):
    X, y = load_digits(return_X_y=True)
    alone = quick_search(search=search).fit(X, y)
    together = quick_search(search=search, n_jobs=2).fit(X, y)
    assert_array_equal(alone.scores_, together.scores_)
    assert_array_equal(alone.predict_proba(X), together.predict_proba(X))


@pytest.mark.parametrize("search", ["grid", "halving"])
def test_generator_as_random_state_is_not_advanced(search):
    model = quick_search(search=search, random_state=np.random.RandomState(0))
    first = model.fit(X, y).scores_
    assert_array_equal(model.fit(X, y).scores_, first)


@pytest.mark.full
@pytest.mark.parametrize("search", ["grid", "halving"])
def test_worker_processes_change_no_bit(search):
    alone = quick_search(search=search, refit="folds").fit(X, y)
    with parallel_config(backend="loky", n_jobs=2):
        together = quick_search(search=search, refit="folds").fit(X, y)
    assert_array_equal(alone.scores_, together.scores_)
    assert_array_equal(alone.predict_proba(X), together.predict_proba(X))


@pytest.mark.full
def test_worker_processes_change_no_bit_of_several_kinds():
    kinds = [{"hidden_layer_sizes": [()]}, {"max_iter": [3, 9], "standardize": [False]}]
    options = {"candidates": kinds, "search": "halving", "refit": "ensemble"}
    alone = quick_search(**options).fit(X[:, :4], y)
    with parallel_config(backend="loky", n_jobs=2):
        together = quick_search(**options).fit(X[:, :4], y)
    assert_array_equal(alone.scores_, together.scores_)
    assert_array_equal(alone.predict_proba(X[:, :4]), together.predict_proba(X[:, :4]))


def test_networks_of_worker_processes_have_the_names_of_the_columns(frame):
    X, y = frame
    with parallel_config(backend="loky"):
        model = quick_search(refit="folds", n_jobs=2).fit(X, y)
    assert list(model.estimators_[0].feature_names_in_) == list(X.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[X.columns[::-1]])


@pytest.fixture(scope="module")
def cluster():
    """A client of a Dask cluster of two processes."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    paths = {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    with distributed.LocalCluster(processes=True, env=paths, **options) as cluster:
        with distributed.Client(cluster) as client:
            yield client


@pytest.mark.parametrize("search", in_full(["grid", "halving"], "grid"))
@pytest.mark.usefixtures("cluster")
def test_cluster_changes_no_bit(search):
    options = {"search": search, "refit": "ensemble", "candidates": [{}], "max_iter": 40}
    noisy = np.where(np.random.default_rng(0).random(len(y)) < 0.2, 1 - y, y)
    alone = quick_search(**options).fit(X, noisy)
    assert np.count_nonzero(alone.ensemble_weights_) > 1
    with parallel_config(backend="dask"):
        together = quick_search(**options).fit(X, noisy)
    assert_array_equal(alone.scores_, together.scores_)
    assert_array_equal(alone.predict_proba(X), together.predict_proba(X))


def score_process(model, X, y):
    """The process that scores, as a score."""
    return float(os.getpid())


def test_all_processes_of_a_cluster_work(cluster):
    with parallel_config(backend="dask"):
        scores = quick_search(scoring=score_process, refit=False).fit(X, y).scores_
    workers = set(cluster.run(os.getpid).values())
    assert set(np.unique(scores).astype(int)) == workers


def score_and_die_once(folder, model, X, y):
    """The spread of the predictions. A process ends in the middle of the search, after 5 of 12."""
    n_scored, death = len(list(folder.iterdir())), folder / "death"
    if n_scored >= 5 and not death.exists():
        death.touch()
        os._exit(1)
    (folder / f"{model.dropout}, {model.l2}, {X[0, 0]}").touch()
    return float(model.predict_proba(X)[:, 0].std())


@pytest.mark.full  # the worker that takes the place of the dead one imports TensorFlow
def test_worker_that_dies_changes_no_bit(cluster, tmp_path):
    search = quick_search(scoring=partial(score_and_die_once, tmp_path))
    with parallel_config(backend="dask"):
        together = search.fit(X, y).scores_
    assert len(list(tmp_path.iterdir())) == 13
    assert_array_equal(together, search.fit(X, y).scores_)


def test_a_task_is_the_rows_of_its_fold(monkeypatch):
    sizes = []

    def measure(group):
        sizes.append(len(cloudpickle.dumps(group)))
        results = run_group(group)
        sizes.append(len(cloudpickle.dumps(results)))
        return results

    monkeypatch.setattr("skreg._model_selection.search.run_group", measure)
    quick_search(hidden_layer_sizes=(4,)).fit(X, y)
    assert max(sizes) < 1.2 * (X.nbytes + y.nbytes)


def test_thousand_networks():
    model = quick_search(dropouts=10, l2s=10, max_iter=1, refit=False, n_jobs=2, cv=10).fit(X, y)
    assert model.scores_.shape == (10, 10, 10)
    assert np.isfinite(model.scores_).all()


@pytest.fixture
def _failing_network(monkeypatch):
    original = Fold.train_network

    def train_network(self, candidate, checkpoint, until):
        if candidate.l2 > 1e-3:
            raise RuntimeError("of one network")
        return original(self, candidate, checkpoint, until)

    monkeypatch.setattr(Fold, "train_network", train_network)


@pytest.mark.usefixtures("_failing_network")
def test_error_in_a_thread_stops_the_others():
    # Without the stop the other networks would train for minutes.
    model = quick_search(n_jobs=2, max_iter=10**7, hidden_layer_sizes=(4,))
    with pytest.raises(RuntimeError, match="of one network"):
        model.fit(X[:, :5], y)


def test_error_leaves_the_estimator_unchanged(request):
    model = quick_search().fit(X, y)
    before = dict(vars(model))
    request.getfixturevalue("_failing_network")
    with pytest.raises(RuntimeError, match="of one network"):
        model.fit(X[:, :5], y)
    assert vars(model) == before
