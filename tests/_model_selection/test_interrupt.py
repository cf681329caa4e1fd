"""Ctrl-C in a search stores the results so far and raises KeyboardInterrupt."""

import subprocess
import sys

import numpy as np
import pytest
from helpers import CANCER, TESTS, quick_regression_search, quick_search
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from skreg import RegularizedMLPClassifier
from skreg._model_selection.halving import HALVING
from skreg._model_selection.results import find_compared_folds

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER


def interrupt_after(n_networks, score=lambda model, X: model.predict(X).mean()):
    """A scorer with a Ctrl-C once it has scored so many networks."""
    calls = []

    def interrupted(model, X, y):
        if len(calls) >= n_networks:  # several threads may call it
            raise KeyboardInterrupt
        calls.append(1)
        return float(score(model, X))

    return interrupted


def fit_interrupted(model, X=X, y=y):
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    return model


# -- while candidates are trained --------------------------------------------------------------


@pytest.mark.parametrize("make_search", [quick_search, quick_regression_search])
@pytest.mark.parametrize("n_networks", [2, 6, 11])
def test_ctrl_c_stores_the_scores_so_far(make_search, n_networks):
    full = make_search(scoring=interrupt_after(12)).fit(X, y)
    model = fit_interrupted(make_search(scoring=interrupt_after(n_networks)))
    stored = np.isfinite(model.scores_)
    assert stored.sum() == n_networks
    assert_array_equal(model.scores_[stored], full.scores_[stored])


@pytest.mark.parametrize("n_networks", [2, 6, 11])
def test_ctrl_c_stores_the_best_candidate_so_far(n_networks):
    model = fit_interrupted(quick_search(scoring=interrupt_after(n_networks)))
    # The folds are trained one after the other: these have all candidates, if any has.
    n_folds = max(n_networks // 4, 1)
    expected = model.scores_.reshape(4, 3)[:, :n_folds].mean(axis=1)
    assert_array_equal(model.cv_results_["mean_test_score"], expected)
    assert model.best_index_ == np.nanargmax(expected)
    assert model.best_params_ == model.cv_results_["params"][model.best_index_]
    assert model.best_params_ == {"dropout": model.dropout_, "l2": model.l2_}


def test_ctrl_c_stores_the_other_attributes_of_a_search():
    score = interrupt_after(6)
    model = fit_interrupted(quick_search(scoring=score, store_curves=True))
    assert model.n_splits_ == 3
    assert model.scorer_ is score
    assert model.n_features_in_ == X.shape[1]
    assert sum(curve is not None for curve in model.loss_curves_.ravel()) == 6


@pytest.mark.parametrize("refit", [True, False, "folds"])
def test_prediction_after_ctrl_c_is_refused(refit):
    model = fit_interrupted(quick_search(scoring=interrupt_after(6), refit=refit))
    assert not hasattr(model, "best_estimator_")
    with pytest.raises(NotFittedError, match="or the fit was interrupted"):
        model.predict(X)


def test_ctrl_c_stores_the_networks_of_the_folds_if_the_winner_has_all():
    score = interrupt_after(11, lambda model, X: -model.dropout - model.l2)
    model = fit_interrupted(quick_search(scoring=score, refit="folds"))
    assert len(model.estimators_) == 3
    assert model.predict(X).shape == y.shape


def test_ctrl_c_stores_the_best_candidate_that_has_a_network_of_every_fold():
    score = interrupt_after(11, lambda model, X: model.dropout + model.l2)
    model = fit_interrupted(quick_search(scoring=score, refit="folds"))
    assert model.best_index_ == 2
    assert [network.dropout for network in model.estimators_] == [model.dropout_] * 3


@pytest.mark.parametrize("n_networks", [6, 11])
def test_ctrl_c_stores_the_ensemble_of_the_complete_candidates(n_networks):
    calls = []

    def score(model, X, y):
        calls.append(1)
        if len(calls) == n_networks + 1:  # once, since the selection calls it, too
            raise KeyboardInterrupt
        return model.score(X, y)

    model = quick_search(scoring=score, refit="ensemble", candidates=[{}])
    fit_interrupted(model)
    n_complete = max(0, n_networks - 8)  # the third fold comes last
    assert hasattr(model, "estimators_") == (n_complete > 0)
    if n_complete:
        assert not model.ensemble_weights_[n_complete:].any()
        assert model.predict(X).shape == y.shape


def test_ctrl_c_inside_the_last_rung_keeps_the_complete_candidates():
    options = {"search": "halving", "cv": 2, "refit": "folds", "store_curves": True}
    options |= {"dropouts": [0.0, 0.2, 0.4, 0.6, 0.8], "l2s": [1e-3]}
    full = quick_search(**options, scoring=interrupt_after(99)).fit(X, y)
    n_networks = np.isfinite(full.cv_results_["mean_test_score"]).sum()
    assert n_networks == 5
    ended = full.cv_results_["n_epochs"] == 9
    # Five, three and three candidates in the rungs, on one fold, one and two of them.
    n_scores = 5 + 3 + 6
    model = fit_interrupted(quick_search(**options, scoring=interrupt_after(n_scores - 1)))
    complete = model.cv_results_["n_epochs"] == 9
    assert 0 < complete.sum() < ended.sum()
    assert complete[model.best_index_]
    assert_array_equal(model.scores_.reshape(5, 2)[complete], full.scores_.reshape(5, 2)[complete])
    assert len(model.estimators_) == 2


def test_ctrl_c_replaces_the_attributes_of_an_earlier_fit():
    model = quick_search().fit(X, y)
    fit_interrupted(model.set_params(scoring=interrupt_after(6)), X[:, :5])
    assert model.n_features_in_ == 5
    assert not hasattr(model, "best_estimator_")
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize(
    ("score", "refit"),
    [
        (interrupt_after(0), True),
        (interrupt_after(6, lambda model, X: np.nan), True),
        (interrupt_after(6), lambda results: 1 / 0),
    ],
    ids=["no network", "no score", "no choice"],
)
def test_ctrl_c_without_a_winner_leaves_the_estimator_unchanged(score, refit):
    model = quick_search().fit(X, y)
    before = dict(vars(model))
    parameters = {"scoring": score, "refit": refit}
    fit_interrupted(model.set_params(**parameters), X[:, :5])
    assert vars(model) == {**before, **parameters}


def test_ctrl_c_does_not_compare_a_candidate_with_a_failed_score():
    def score(model, X):
        return np.nan if model.l2 == 1e-2 else model.predict(X).mean()

    options = {"dropouts": [0.0], "l2s": [1e-4, 1e-3, 1e-2], "cv": 2}
    model = fit_interrupted(quick_search(scoring=interrupt_after(5, score), **options))
    expected = model.scores_[0, :2].mean(axis=1)
    assert_array_equal(model.cv_results_["mean_test_score"], [*expected, np.nan])
    assert_array_equal(find_compared_folds(model.cv_results_), [0, 1])


def test_ctrl_c_inside_a_rung_returns_to_the_rung_before():
    options = {"search": "halving", "cv": 2, "store_curves": True}
    options |= {"dropouts": [0.0, 0.2, 0.4, 0.6, 0.8], "l2s": [1e-3]}
    # The first rung has five networks on one fold.
    first = fit_interrupted(quick_search(scoring=interrupt_after(5), **options))
    model = fit_interrupted(quick_search(scoring=interrupt_after(6), **options))
    epoch = int(HALVING[0].epochs * 9)
    assert_array_equal(model.cv_results_["n_epochs"], np.full(5, epoch))
    curves = [curve for curve in model.loss_curves_.ravel() if curve is not None]
    assert [len(curve) for curve in curves] == [epoch] * 5
    assert_array_equal(model.scores_, first.scores_)
    assert model.best_index_ == np.argmax(model.cv_results_["mean_test_score"])


def test_ctrl_c_in_a_thread_pool_stores_the_scores_so_far():
    model = fit_interrupted(quick_search(scoring=interrupt_after(6), n_jobs=2))
    assert np.isfinite(model.scores_).sum() >= 1


@pytest.mark.parametrize("make_search", [quick_search, quick_regression_search])
def test_ctrl_c_ends_a_grid_search_around_it(make_search):
    search = make_search(scoring=interrupt_after(6))
    outer = GridSearchCV(search, {"activation": ["relu", "tanh"]}, cv=2, error_score=np.nan)
    fit_interrupted(outer)
    assert not hasattr(outer, "cv_results_")


# -- while the winner is trained ---------------------------------------------------------------


@pytest.fixture
def _interrupted_fit(monkeypatch):
    def fit(self, X, y, sample_weight=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(RegularizedMLPClassifier, "fit", fit)


@pytest.mark.usefixtures("_interrupted_fit")
def test_ctrl_c_while_the_winner_is_trained_stores_the_search():
    expected = quick_search(refit=False).fit(X, y)
    model = fit_interrupted(quick_search())
    assert_array_equal(model.scores_, expected.scores_)
    assert model.best_params_ == expected.best_params_
    assert model.n_features_in_ == X.shape[1]
    with pytest.raises(NotFittedError, match="or the fit was interrupted"):
        model.predict(X)


@pytest.mark.usefixtures("_interrupted_fit")
def test_ctrl_c_while_the_winner_is_trained_ends_a_grid_search_around_it():
    fit_interrupted(GridSearchCV(quick_search(), {"activation": ["relu"]}, cv=2))


# -- while an ensemble is selected ---------------------------------------------------------------


def test_ctrl_c_in_the_selection_stores_the_search_and_does_not_select_again():
    calls = []

    def score(model, X, y):
        if len(X) == len(CANCER[1]):  # all held-out rows
            calls.append(1)
            raise KeyboardInterrupt
        return model.predict(X).mean()

    options = {"dropouts": [0.0], "candidates": [{}]}
    model = fit_interrupted(quick_search(scoring=score, refit="ensemble", **options))
    assert len(calls) == 1
    expected = quick_search(scoring=score, refit=False, **options).fit(X, y)
    assert_array_equal(model.scores_, expected.scores_)
    assert not hasattr(model, "estimators_")


# -- the end of the interpreter ----------------------------------------------------------------

INTERRUPTED_EARLY = """
import os, signal
import skreg._engine.program as program
from helpers import CANCER, quick_search
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background shell
original = program.build_advance
def build(spec):
    os.kill(os.getpid(), signal.SIGINT)
    return original(spec)
program.build_advance = build
try:
    quick_search(n_jobs=2).fit(*CANCER)
except KeyboardInterrupt:
    print("stopped")
"""


@pytest.mark.full
def test_interpreter_ends_while_a_thread_compiles():
    code = [sys.executable, "-c", INTERRUPTED_EARLY]
    done = subprocess.run(code, cwd=TESTS, capture_output=True, text=True)
    assert done.stdout == "stopped\n"
    assert done.returncode == 0, done.stderr


FITTED_LATE = """
import atexit
from helpers import CANCER, quick_search
import skreg._tensorflow
atexit.register(lambda: print(quick_search().fit(*CANCER).n_splits_))
"""


def test_search_at_the_end_of_the_interpreter():
    code = [sys.executable, "-c", FITTED_LATE]
    done = subprocess.run(code, cwd=TESTS, capture_output=True, text=True)
    assert done.stdout == "3\n", done.stderr
