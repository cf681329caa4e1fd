"""A search on its way: workers, a memory, interrupts, what looks on."""

import os
import subprocess
import sys
import textwrap
import warnings
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from helpers import CANCER, TESTS, quick_search
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV

import skreg._model_selection.memory as memory_module
import skreg._model_selection.search as search_module
from skreg import RegularizedMLPClassifierCV
from skreg._engine.spec import Status
from skreg._estimators.progress import SearchDisplay
from skreg._model_selection.halving import HALVING, Rung, count_epochs, count_networks, plan_rungs
from skreg._model_selection.results import find_compared_folds, make_cv_results

# Grids of a few values are for tests.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER


def test_rungs():
    all_folds = (0, 1, 2, 3, 4)
    assert plan_rungs(20, [100] * 5, 50) == [Rung(50, all_folds, 20)]
    halving = [Rung(16, (0, 4), 10), Rung(36, (0, 2, 4), 4), Rung(50, all_folds, 4)]
    assert plan_rungs(25, [100] * 5, 50, HALVING) == halving
    cost = 25 * 2 * 16 + 10 * (2 * 20 + 36) + 4 * (3 * 14 + 2 * 50)
    assert count_epochs(halving, 25) == cost < 0.35 * 25 * 5 * 50
    assert count_networks(halving, 25) == 25 * 2 + 10 + 4 * 2


def folds_of_rungs(n_rows):
    return [rung.folds for rung in plan_rungs(16, n_rows, 50, HALVING)]


def test_rungs_train_on_folds_that_score_enough_rows():
    all_folds = (0, 1, 2, 3, 4)
    assert folds_of_rungs([1000] * 5) == [(4,), (0, 2, 4), all_folds]
    assert folds_of_rungs([150] * 5) == [(4,), (0, 2, 4), all_folds]
    assert folds_of_rungs([149] * 5) == [(0, 4), (0, 2, 4), all_folds]
    assert folds_of_rungs([10] * 5) == [all_folds] * 3
    assert folds_of_rungs([200, 20, 20, 20, 20]) == [(0, 4), (0, 2, 4), all_folds]
    # Folds far apart, the last among them, and those of the rung before.
    ten = [(0, 2, 4, 9), (0, 1, 2, 4, 6, 9), tuple(range(10))]
    assert folds_of_rungs([40] * 10) == ten
    assert folds_of_rungs([1000] * 3) == [(2,), (0, 2), (0, 1, 2)]
    # One row a fold, as LeaveOneOut has them, takes no time.
    assert [len(folds) for folds in folds_of_rungs([1] * 2000)] == [150, 1200, 2000]


def test_rungs_of_few_epochs_and_few_candidates():
    # Epochs increase, so that by its epoch everybody knows a rung.
    assert plan_rungs(25, [100], 1, HALVING) == [Rung(1, (0,), 25)]
    assert plan_rungs(25, [100], 2, HALVING) == [Rung(1, (0,), 4), Rung(2, (0,), 4)]
    lefts = [[rung.n_survivors for rung in plan_rungs(n, [100], 50, HALVING)] for n in (1, 2, 4, 10, 48)]
    assert lefts == [[1] * 3, [2] * 3, [3] * 3, [4, 3, 3], [19, 7, 7]]


def test_networks_of_worker_processes_know_their_columns():
    X, y = load_iris(return_X_y=True, as_frame=True)
    with parallel_config(backend="loky"):
        model = quick_search(refit="folds", n_jobs=2).fit(X, y)
    assert list(model.estimators_[0].feature_names_in_) == list(X.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[X.columns[::-1]])
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X.iloc[:, :3])


@pytest.mark.parametrize("search", ["grid", "halving"])
def test_worker_processes_give_the_same_bits(search):
    alone = quick_search(search=search, refit="folds").fit(X, y)
    with parallel_config(backend="loky", n_jobs=2):
        together = quick_search(search=search, refit="folds").fit(X, y)
    assert_array_equal(alone.scores_, together.scores_)
    assert_array_equal(alone.predict_proba(X), together.predict_proba(X))


def scoring_process(model, X, y):
    """A score that says where it was made."""
    return float(os.getpid())


@pytest.mark.parametrize("search", ["grid", "halving"])
def test_cluster_of_two_processes_gives_the_same_bits_and_both_work(search):
    distributed = pytest.importorskip("distributed")
    alone = quick_search(search=search).fit(X, y)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
    )
    with cluster, distributed.Client(cluster) as client:
        client.run(lambda path: sys.path.insert(0, path), str(TESTS))
        with parallel_config(backend="dask"):
            together = quick_search(search=search).fit(X, y)
            if search == "grid":
                where = quick_search(scoring=scoring_process, refit=False).fit(X, y).scores_
                workers = set(client.run(os.getpid).values())
                assert set(np.unique(where).astype(int)) == workers
    assert_array_equal(alone.scores_, together.scores_)
    assert_array_equal(alone.predict_proba(X), together.predict_proba(X))


def test_a_thousand_networks():
    model = quick_search(max_iter=1, refit=False, n_jobs=2, cv=10)
    model.set_params(dropouts=10, l2s=10).fit(X, y)
    assert model.scores_.shape == (10, 10, 10)
    assert np.isfinite(model.scores_).all()
    assert model.cv_results_["params"][11] == {
        "dropout": pytest.approx(0.8 / 9),
        "l2": pytest.approx(1e-5 * 10 ** (4 / 9)),
    }


# -- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("search", ["grid", "halving"])
def test_finished_networks_are_read_back(search, tmp_path, trained):
    model = quick_search(search=search, memory=str(tmp_path))
    first = clone(model).fit(X, y)
    assert trained
    trained.clear()
    memory = joblib.Memory(str(tmp_path), verbose=0)
    second = clone(model).set_params(memory=memory, n_jobs=2).fit(X, y)
    assert not trained
    assert_array_equal(first.scores_, second.scores_)
    assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_a_memory_of_another_kind_knows_folds_apart(trained):
    class Memory:
        """In this process only."""

        location = None

        def __init__(self):
            self.known = {}

        def cache(self, function, ignore):
            def remembered(key, fold, *rest):
                if (key, *rest[::2]) not in self.known:
                    self.known[key, *rest[::2]] = function(key, fold, *rest)
                return self.known[key, *rest[::2]]

            return remembered

    memory = Memory()
    model = RegularizedMLPClassifierCV(**{**quick_search().get_params(), "memory": memory})
    assert_array_equal(model.fit(X, y).scores_, quick_search().fit(X, y).scores_)
    assert len(memory.known) == 12


def test_a_memory_has_to_leave_arguments_out(trained):
    class Memory:
        def cache(self, function):
            return function

    with pytest.raises(ValueError, match=r"memory: expected a joblib\.Memory"):
        quick_search(memory=Memory()).fit(X, y)
    assert not trained


def test_a_memory_cannot_see_what_a_function_does(tmp_path, trained):
    model = quick_search(memory=str(tmp_path), early_stopping=True)
    model.set_params(validation_scoring=lambda model, X, y: 0.0)
    with pytest.raises(ValueError, match="expected the name of a scorer with memory"):
        model.fit(X, y)
    assert not trained


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_worker_processes_share_a_memory(tmp_path, trained):
    with parallel_config(backend="loky", n_jobs=2):
        first = quick_search(memory=str(tmp_path)).fit(X, y)
    second = quick_search(memory=str(tmp_path)).fit(X, y)
    assert not trained
    assert_array_equal(first.scores_, second.scores_)


def test_what_decides_a_network_is_its_key(tmp_path, trained, monkeypatch):
    model = quick_search(memory=str(tmp_path)).fit(X, y)
    for changes in ({"scoring": "accuracy"}, {"verbose": 0, "refit": "folds"}, {"n_jobs": 2}):
        trained.clear()
        clone(model).set_params(**changes).fit(X, y)
        assert not trained, changes
    trained.clear()
    clone(model).set_params(l2s=[1e-3, 1e-2, 1e-1]).fit(X, y)
    assert len(trained) == 2 * 3  # the new strength only
    others = ({"random_state": 1}, {"max_iter": 8}, {"hidden_layer_sizes": (7,)}, {"tol": 0.1})
    for changes in others:
        trained.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            clone(model).set_params(**changes).fit(X, y)
        assert len(trained) == 12, changes
    trained.clear()
    clone(model).fit(X + 1e-9, y)
    clone(model).fit(X, y, np.arange(len(y)) % 2 + 1)
    assert len(trained) == 24
    trained.clear()
    for _ in range(2):
        with pytest.warns(UserWarning, match="with random_state=None no two networks are"):
            clone(model).set_params(random_state=None).fit(X, y)
    assert len(trained) == 24
    trained.clear()  # as on a processor of another kind
    monkeypatch.setattr(memory_module, "threadpool_info", lambda: [{"architecture": "VAX"}])
    clone(model).fit(X, y)
    assert len(trained) == 12


def test_results_of_another_version_or_that_cannot_be_read_are_trained_anew(
    tmp_path, trained, monkeypatch
):
    model = quick_search(memory=str(tmp_path)).fit(X, y)
    trained.clear()
    monkeypatch.setattr(memory_module, "version", lambda name: "0.0")
    clone(model).fit(X, y)
    assert len(trained) == 12
    for path in tmp_path.rglob("output.pkl"):
        path.write_bytes(path.read_bytes()[:50])
    trained.clear()
    again = clone(model).fit(X, y)
    assert len(trained) == 12
    assert_array_equal(again.scores_, model.scores_)


KILLED = """
import os, sys
from helpers import CANCER, quick_search
import skreg._model_selection.search as search
original, calls = search.Fold.score_network, []
def scored(self, estimator):
    calls.append(1)
    if len(calls) == 8:
        os.kill(os.getpid(), 9)
    return original(self, estimator)
search.Fold.score_network = scored
quick_search(memory=sys.argv[1]).fit(*CANCER)
"""


def test_killed_process_loses_what_was_in_flight_only(tmp_path, trained):
    code = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    done = subprocess.run(code, cwd=TESTS, capture_output=True)
    assert done.returncode == -9
    model = quick_search(memory=str(tmp_path)).fit(X, y)
    assert len(trained) == 12 - 8  # trained and remembered, before it was to be scored
    assert_array_equal(model.scores_, quick_search().fit(X, y).scores_)


# -- interrupts -----------------------------------------------------------------------------------


def interrupting(after):
    """A scorer that is interrupted by Ctrl-C at one of its calls."""
    calls = []

    def score(model, X, y):
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return model.predict_proba(X)[:, 1].std()

    return score


@pytest.mark.parametrize("refit", [True, "folds"])
@pytest.mark.parametrize("after", [2, 6, 11])
def test_ctrl_c_leaves_what_is_known_usable(after, refit):
    full = quick_search(scoring=interrupting(100)).fit(X, y)
    model = quick_search(scoring=interrupting(after), refit=refit)
    with pytest.warns(UserWarning, match=f"interrupted after {after} of 12 networks"):
        model.fit(X, y)
    scores = model.scores_.reshape(4, 3)
    assert np.isfinite(scores).sum() == after
    known = np.isfinite(scores)
    assert_array_equal(scores[known], full.scores_.reshape(4, 3)[known])
    # Folds come one after the other: means are over those that all candidates have, if any.
    folds = max(after // 4, 1)
    expected = scores[:, :folds].mean(axis=1)
    assert_array_equal(model.cv_results_["mean_test_score"], expected)
    assert model.best_index_ == np.nanargmax(expected)
    assert model.predict(X).shape == y.shape


def test_ctrl_c_compares_candidates_on_the_folds_that_most_of_them_have():
    def result(score):
        return search_module.Result(
            {"score": score}, None, 9, Status.FINISHED, 0.0, 0.0, [], None, None, None
        )

    # By (candidate, fold), as several workers leave them.
    known = {(0, 0): 0.9, (0, 1): 0.5, (1, 1): 0.6, (0, 2): 0.7, (1, 2): 0.8, (2, 3): 1.0}
    search = SimpleNamespace(
        candidates=[search_module.Candidate(rate, 0.0) for rate in (0.0, 0.1, 0.2)],
        folds=range(4),
        results={place: result(score) for place, score in known.items()},
        rungs=[Rung(9, (0, 1, 2, 3), 3)],
        dropped={},
        reached=0,
    )
    results = make_cv_results(search)
    assert_allclose(results["mean_test_score"], [0.6, 0.7, np.nan])
    assert_array_equal(results["rank_test_score"], [2, 1, 3])
    assert_array_equal(find_compared_folds(results), [1, 2])
    assert_allclose(results["split0_test_score"], [0.9, np.nan, np.nan])  # known, so it is said


@pytest.mark.parametrize("refit", [True, "folds"])
def test_ctrl_c_inside_a_rung_goes_back_to_the_one_before(refit):
    options = {"search": "halving", "cv": 2, "refit": refit, "store_curves": True}
    options |= {"dropouts": [0.0, 0.2, 0.4, 0.6, 0.8], "l2s": [1e-3]}
    with pytest.warns(UserWarning, match="interrupted after 5 of 8 networks"):
        model = quick_search(scoring=interrupting(6), **options).fit(X, y)
    epoch = int(HALVING[0].epochs * 9)
    assert_array_equal(model.cv_results_["n_epochs"], np.full(5, epoch))
    curves = [curve for curve in model.loss_curves_.ravel() if curve is not None]
    assert [len(curve) for curve in curves] == [epoch] * 5
    first = quick_search(scoring=interrupting(5), **options)  # before anything of the second rung
    with pytest.warns(UserWarning, match="interrupted"):
        assert_array_equal(model.scores_, first.fit(X, y).scores_)
    assert model.best_index_ == np.argmax(model.cv_results_["mean_test_score"])
    assert model.predict(X).shape == y.shape


def test_ctrl_c_counts_the_same_folds_whatever_reads_them():
    calls = []

    def score(model, X, y):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return np.nan if model.l2 == 1e-2 else model.score(X, y)

    options = {"dropouts": [0.0], "l2s": [1e-4, 1e-3, 1e-2], "cv": 2}
    with pytest.warns(UserWarning, match="interrupted after 5 of 6"):
        model = quick_search(scoring=score, **options).fit(X, y)
    # One that failed is not waited for.
    expected = model.scores_[0, :2].mean(axis=1)
    assert_array_equal(model.cv_results_["mean_test_score"], [*expected, np.nan])
    assert_array_equal(find_compared_folds(model.cv_results_), [0, 1])


def test_ctrl_c_while_the_winner_is_trained_leaves_the_search(monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    expected = quick_search().fit(X, y)
    monkeypatch.setattr("skreg._estimators.fit.train", interrupted)
    with pytest.warns(UserWarning, match="Interrupted before the winner was trained"):
        model = quick_search().fit(X, y)
    assert_array_equal(model.scores_, expected.scores_)
    assert model.best_params_ == expected.best_params_
    with pytest.raises(NotFittedError, match="or interrupted"):
        model.predict(X)
    outer = GridSearchCV(quick_search(), {"activation": ["relu"]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        outer.fit(X, y)


INTERRUPTED_EARLY = """
import os, signal, sys, threading
import skreg._engine.program as program
from helpers import CANCER, quick_search
original = program._build
def build(spec):
    os.kill(os.getpid(), signal.SIGINT)
    return original(spec)
program._build = build
try:
    quick_search(n_jobs=2).fit(*CANCER)
except KeyboardInterrupt:
    print("stopped")
"""


def test_the_interpreter_ends_well_while_a_thread_still_compiles():
    code = [sys.executable, "-c", INTERRUPTED_EARLY]
    done = subprocess.run(code, cwd=TESTS, capture_output=True, text=True)
    assert done.stdout == "stopped\n"
    assert done.returncode == 0, done.stderr


def test_a_fit_at_the_end_of_the_interpreter():
    code = "import atexit; from helpers import *; atexit.register(lambda: fit()); "
    code += "import skreg._tensorflow; fit = lambda: print(quick_search().fit(*CANCER).n_splits_)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=TESTS,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "3\n", done.stderr


def test_ctrl_c_before_anything_is_known_or_inside_another_search_goes_through():
    with pytest.raises(KeyboardInterrupt):
        quick_search(scoring=interrupting(0)).fit(X, y)
    outer = GridSearchCV(quick_search(scoring=interrupting(3)), {"activation": ["relu"]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        outer.fit(X, y)


def test_error_in_a_thread_stops_the_others_and_leaves_the_estimator_as_it_was(monkeypatch):
    model = quick_search(n_jobs=2).fit(X, y)
    before = model.predict_proba(X)
    original = search_module.Fold.train_network

    def failing(self, candidate, paused, until):
        if candidate.l2 > 1e-3:
            raise RuntimeError("of one member")
        return original(self, candidate, paused, until)

    monkeypatch.setattr(search_module.Fold, "train_network", failing)
    with pytest.raises(RuntimeError, match="of one member"):
        model.set_params(max_iter=10**7, hidden_layer_sizes=(4,)).fit(X[:, :5], y)
    assert_array_equal(model.predict_proba(X), before)
    assert model.n_features_in_ == 30


# -- what looks on --------------------------------------------------------------------------------


def test_verbose_prints_a_line_a_network(capsys):
    quick_search(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12
    assert lines[0].startswith("[  8%] dropout=0, l2=0.001, fold 0, 9 epochs: -0.")
    assert lines[-1].startswith("[100%] ")
    quick_search(verbose=0).fit(X, y)
    assert capsys.readouterr().out == ""


EARLY = {"early_stopping": True, "n_iter_no_change": 1}


@pytest.mark.parametrize(
    "changes", [{"search": "halving"}, EARLY, {"search": "halving", "max_iter": 40, **EARLY}]
)
def test_progress_ends_at_the_whole(capsys, changes):
    quick_search(verbose=1, **changes).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    shares = [int(line[1:4]) for line in lines if line.startswith("[")]
    assert shares == sorted(shares)
    assert shares[-1] == 100


def test_bar_in_a_terminal_fits_into_80_columns(monkeypatch):
    import io

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    written = Terminal()
    monkeypatch.setattr(sys, "stdout", written)
    monkeypatch.setenv("COLUMNS", "80")
    display = SearchDisplay(24)
    with display.shown():
        for fold in range(2):
            values = {"dropout": (0.25, 0.5), "l2": 1e-3}
            display.show(values, fold, 12, 12 * (fold + 1), -0.0712345)
    text = written.getvalue()
    assert "dropout=(0.25, 0.5), l2=0.001: -0.07123" in text
    assert "100%" in text
    assert "…" not in text
