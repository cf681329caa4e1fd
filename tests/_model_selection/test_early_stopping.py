"""Early stopping in a search: on a part of the training rows, or on the rows of the fold."""

import numpy as np
import pytest
from helpers import CANCER, assert_same_network, quick_regression_search, quick_search
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GroupKFold

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor, one_standard_error
from skreg._model_selection.folds import Fold
from skreg._model_selection.scoring import negative_loss

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER
GROUPS = np.arange(len(y)) % 7
SPLITS = list(GroupKFold(3).split(X, y, GROUPS))
ON_THE_FOLD = {
    "early_stopping": "fold",
    "refit": "folds",
    "n_iter_no_change": 2,
    "max_iter": 40,
    "learning_rate_init": 0.03,  # so that networks stop before their last epoch
}


def make_single(search, kind):
    """The single estimator with the parameters of the search and those of its winner."""
    names = kind._get_param_names()
    values = {name: value for name, value in search.get_params().items() if name in names}
    return kind(**{**values, **search.best_params_, "early_stopping": True})


def assert_stopped_on_the_folds(search, kind, X, y, weight=None):
    """Each network is the single estimator with the rows of its fold as X_val and y_val."""
    assert len(search.estimators_) == len(SPLITS)
    for network, (train, test) in zip(search.estimators_, SPLITS, strict=True):
        weights = {}
        if weight is not None:
            weights = {"sample_weight": weight[train], "sample_weight_val": weight[test]}
        expected = make_single(search, kind)
        expected.fit(X[train], y[train], X_val=X[test], y_val=y[test], **weights)
        assert_same_network(network, expected)
        assert network.validation_loss_curve_ == expected.validation_loss_curve_
        assert network.best_iter_ == expected.best_iter_


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_networks_of_classes_stop_on_the_rows_of_their_fold(scoring):
    search = quick_search(cv=SPLITS, validation_scoring=scoring, **ON_THE_FOLD).fit(X, y)
    assert_stopped_on_the_folds(search, RegularizedMLPClassifier, X, y)
    assert any(network.n_iter_ > network.best_iter_ for network in search.estimators_)


def test_weights_of_the_rows_of_a_fold_count():
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    search = quick_search(cv=SPLITS, **ON_THE_FOLD).fit(X, y, sample_weight=weight)
    assert_stopped_on_the_folds(search, RegularizedMLPClassifier, X, y, weight)


def test_networks_of_numbers_stop_on_the_rows_of_their_fold():
    X, y = load_diabetes(return_X_y=True)
    splits = [(train[train < len(y)], test[test < len(y)]) for train, test in SPLITS]
    search = quick_regression_search(cv=splits, **ON_THE_FOLD).fit(X, y)
    for network, (train, test) in zip(search.estimators_, splits, strict=True):
        expected = make_single(search, RegularizedMLPRegressor)
        assert_same_network(network, expected.fit(X[train], y[train], X_val=X[test], y_val=y[test]))


def test_halving_continues_networks_that_stop_on_the_fold():
    grid = quick_search(cv=SPLITS, **ON_THE_FOLD).fit(X, y)
    halving = quick_search(cv=SPLITS, search="halving", **ON_THE_FOLD).fit(X, y)
    ended = halving.cv_results_["rung"] == halving.cv_results_["rung"].max()
    assert ended.any()
    scores = [search.cv_results_["mean_test_score"][ended] for search in (grid, halving)]
    assert_array_equal(*scores)


def test_an_ensemble_has_members_that_stopped_on_the_fold():
    search = quick_search(cv=SPLITS, **{**ON_THE_FOLD, "refit": "ensemble", "candidates": [{}]})
    search.fit(X, y)
    assert all(network.validation_loss_curve_ for network in search.estimators_)
    assert search.ensemble_scores_[-1] >= search.ensemble_scores_[0]


def test_a_memory_tells_the_rows_apart_on_which_networks_stopped(tmp_path):
    on_the_fold = quick_search(cv=SPLITS, memory=str(tmp_path), **ON_THE_FOLD).fit(X, y)
    held_out = clone(on_the_fold).set_params(early_stopping=True).fit(X, y)
    alone = clone(held_out).set_params(memory=None).fit(X, y)
    scores = [search.cv_results_["mean_test_score"] for search in (on_the_fold, held_out, alone)]
    assert_array_equal(scores[1], scores[2])
    assert (scores[0] != scores[1]).any()


@pytest.mark.parametrize(("stops_on_test", "n_tables"), [(True, 1), (False, 2)])
def test_kinds_share_the_table_of_a_fold_they_stop_on(stops_on_test, n_tables):
    base = RegularizedMLPClassifier((4,), early_stopping=True, random_state=0)
    score = negative_loss, {}
    fold = Fold(base, X, y, y, *SPLITS[0], None, *score, stops_on_test=stops_on_test)
    trainers = [fold.prepare((("validation_fraction", part),))[1] for part in (0.1, 0.2)]
    assert len({id(trainer.job.rows.table) for trainer in trainers}) == n_tables


@pytest.mark.parametrize("refit", [True, False, one_standard_error])
def test_a_network_of_all_rows_has_no_fold_to_stop_on(refit, trained):
    with pytest.raises(ValueError, match=r"early_stopping: expected refit='ensemble' or .*refit="):
        quick_search(early_stopping="fold", refit=refit).fit(X, y)
    assert not trained


def test_a_single_network_has_no_fold():
    with pytest.raises(ValueError, match="'early_stopping' parameter"):
        RegularizedMLPClassifier(early_stopping="fold").fit(X, y)
