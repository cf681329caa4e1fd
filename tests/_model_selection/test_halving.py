"""The rungs of halving, and searches that drop candidates at them."""

import numpy as np
import pytest
from helpers import CANCER, quick_search
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from skreg._model_selection.halving import (
    HALVING,
    Rung,
    count_networks,
    count_trainings,
    plan_rungs,
    spread_order,
)

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER
ALL_FOLDS = (0, 1, 2, 3, 4)
PLAN = [Rung(0.32, (0, 4), 10), Rung(0.72, (0, 2, 4), 4), Rung(1.0, ALL_FOLDS, 4)]

# -- rungs -------------------------------------------------------------------------------------


def test_grid_has_one_rung():
    assert plan_rungs(20, [100] * 5, 50) == [Rung(1.0, ALL_FOLDS, 20)]


def test_halving_has_two_rungs_before_the_last():
    assert plan_rungs(25, [100] * 5, 50, HALVING) == PLAN


def test_trainings_of_all_networks_are_counted():
    cost = 25 * 2 * 0.32 + 10 * (2 * 0.4 + 0.72) + 4 * (3 * 0.28 + 2)
    assert_allclose(count_trainings(PLAN, 25), cost)
    assert cost < 0.35 * 25 * 5


def test_networks_are_counted():
    assert count_networks(PLAN, 25) == 25 * 2 + 10 + 4 * 2


def test_first_folds_are_far_apart_and_begin_with_the_last():
    assert spread_order(5) == [4, 0, 2, 1, 3]


@pytest.mark.parametrize(
    ("n_rows", "expected"),
    [
        ([1000] * 5, [(4,), (0, 2, 4), ALL_FOLDS]),
        ([150] * 5, [(4,), (0, 2, 4), ALL_FOLDS]),
        ([149] * 5, [(0, 4), (0, 2, 4), ALL_FOLDS]),
        ([10] * 5, [ALL_FOLDS] * 3),
        ([200, 20, 20, 20, 20], [(0, 4), (0, 2, 4), ALL_FOLDS]),
        ([40] * 10, [(0, 2, 4, 9), (0, 1, 2, 4, 6, 9), tuple(range(10))]),
        ([1000] * 3, [(2,), (0, 2), (0, 1, 2)]),
    ],
)
def test_rungs_have_as_many_folds_as_score_150_rows(n_rows, expected):
    assert [rung.folds for rung in plan_rungs(16, n_rows, 50, HALVING)] == expected


def test_folds_of_one_row_are_planned():
    rungs = plan_rungs(16, [1] * 2000, 50, HALVING)  # as with LeaveOneOut
    assert [len(rung.folds) for rung in rungs] == [150, 1200, 2000]


def test_few_epochs_give_fewer_rungs():
    assert plan_rungs(25, [100], 1, HALVING) == [Rung(1.0, (0,), 25)]
    assert plan_rungs(25, [100], 2, HALVING) == [Rung(0.72, (0,), 4), Rung(1.0, (0,), 4)]


@pytest.mark.parametrize(
    ("n_candidates", "expected"),
    [(1, [1, 1, 1]), (2, [2, 2, 2]), (4, [3, 3, 3]), (10, [4, 3, 3]), (48, [19, 7, 7])],
)
def test_at_least_three_candidates_continue(n_candidates, expected):
    rungs = plan_rungs(n_candidates, [100], 50, HALVING)
    assert [rung.n_survivors for rung in rungs] == expected


# -- searches ----------------------------------------------------------------------------------

TWELVE = {"max_iter": 27, "dropouts": [0.0, 0.3, 0.6], "l2s": [1e-4, 1e-3, 1e-2, 1e-1], "cv": 5}


@pytest.fixture(scope="module")
def grid():
    return quick_search(store_curves=True, **TWELVE).fit(X, y)


@pytest.fixture(scope="module")
def halved():
    return quick_search(search="halving", store_curves=True, **TWELVE).fit(X, y)


def test_candidates_are_dropped_at_the_rungs(halved):
    epochs = halved.cv_results_["n_epochs"]
    assert sorted(epochs) == [8] * 8 + [19] + [27] * 3
    assert epochs[halved.best_index_] == 27


def test_dropped_candidates_are_scored_on_the_folds_of_their_rungs(halved):
    scored = np.isfinite(halved.scores_.reshape(12, 5))
    folds = {8: [0, 4], 19: [0, 2, 4], 27: range(5)}
    for k, epoch in enumerate(halved.cv_results_["n_epochs"]):
        assert_array_equal(np.flatnonzero(scored[k]), folds[epoch])


def test_networks_continue_as_in_a_grid_search(grid, halved):
    epochs = halved.cv_results_["n_epochs"]
    curves, expected = (model.loss_curves_.reshape(12, 5) for model in (halved, grid))
    trained = [place for place in np.ndindex(12, 5) if curves[place] is not None]
    assert len(trained) == np.isfinite(halved.scores_).sum()
    for k, fold in trained:
        assert curves[k, fold] == expected[k, fold][: epochs[k]]


def test_scores_of_remaining_candidates_equal_those_of_a_grid_search(grid, halved):
    remaining = np.flatnonzero(halved.cv_results_["n_epochs"] == 27)
    expected = grid.scores_.reshape(12, 5)[remaining]
    assert_array_equal(halved.scores_.reshape(12, 5)[remaining], expected)


def test_means_are_over_the_folds_of_a_candidate(halved):
    results, scores = halved.cv_results_, halved.scores_.reshape(12, 5)
    assert_allclose(results["mean_test_score"], np.nanmean(scores, axis=1))
    assert_allclose(results["std_test_score"], np.nanstd(scores, axis=1))
    assert (results["mean_fit_time"] > 0).all()


def test_candidates_rank_by_their_last_rung_first(halved):
    results = halved.cv_results_
    order = np.lexsort((-results["mean_test_score"], -results["n_epochs"]))
    assert_array_equal(results["rank_test_score"][order], range(1, 13))


@pytest.mark.parametrize(
    "changes",
    [
        {"early_stopping": True, "n_iter_no_change": 1},
        {"early_stopping": True, "validation_scoring": "accuracy"},
        {"early_stopping": True, "validation_scoring": "accuracy", "n_iter_no_change": 2},
    ],
)
def test_early_stopping_continues_from_rung_to_rung(changes):
    options = {**changes, "max_iter": 27, "store_curves": True}
    full = quick_search(**options).fit(X, y)
    halved = quick_search(search="halving", **options).fit(X, y)
    winner = np.unravel_index(halved.best_index_, (2, 2))
    assert list(halved.loss_curves_[winner]) == list(full.loss_curves_[winner])
    assert_array_equal(halved.scores_[winner], full.scores_[winner])


def test_halving_of_one_candidate():
    model = quick_search(search="halving", dropouts=[0.3], l2s=[1e-3]).fit(X, y)
    assert model.best_params_ == {"dropout": 0.3, "l2": 1e-3}


def test_halving_of_one_epoch():
    X, y = load_iris(return_X_y=True)
    assert quick_search(search="halving", max_iter=1).fit(X, y).n_iter_ == 1


@pytest.mark.parametrize("refit", [True, "folds"])
def test_dropped_candidate_does_not_win_if_the_others_have_no_score(refit):
    def score(model, X, y):
        return np.nan if model.n_iter_ == 27 else model.predict_proba(X)[:, 1].std()

    model = quick_search(refit=refit, search="halving", max_iter=27, scoring=score)
    with pytest.raises(ValueError, match="expected a finite score of at least one candidate"):
        model.fit(X, y)


def test_warning_of_divergence_counts_the_trained_networks():
    options = {"solver": "sgd", "learning_rate_init": 1e30, "cv": 5, "search": "halving"}
    model = quick_search(max_iter=8, refit=False, l2s=[1e-3, 1e-2, 1e-1], **options)
    with pytest.warns(ConvergenceWarning, match=r"^(\d+) of \1 networks diverged"):
        model.fit(X, y)


def test_several_metrics_need_the_name_of_one(trained):
    model = quick_search(search="halving", scoring=["accuracy", "roc_auc"], refit=False)
    with pytest.raises(ValueError, match="name of a metric with search='halving'"):
        model.fit(X, y)
    assert not trained


def score_twice(model, X, y):
    return {"a": model.score(X, y), "b": 1.0}


@pytest.mark.parametrize("refit", [False, lambda results: 1])
def test_several_metrics_of_a_callable_need_the_name_of_one(refit):
    model = quick_search(search="halving", scoring=score_twice, refit=refit)
    with pytest.raises(ValueError, match=r"search='halving'.*one of \['a', 'b'\]"):
        model.fit(X, y)


def test_one_of_several_metrics_drops_candidates():
    model = quick_search(search="halving", scoring=score_twice, refit="a").fit(X, y)
    assert len(set(model.cv_results_["n_epochs"])) > 1
