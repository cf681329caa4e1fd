"""Results of a search: means, ranks, and what happens if scores are missing."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import CANCER, quick_search
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.model_selection import KFold

from skreg._engine.status import Status
from skreg._model_selection.candidates import Candidate
from skreg._model_selection.halving import Rung
from skreg._model_selection.results import (
    find_compared_folds,
    make_cv_results,
    read_values,
    stack_scores,
)
from skreg._model_selection.search import CandidateResult

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER
FLOWERS, SPECIES = load_iris(return_X_y=True)

# -- from a search to its attributes -----------------------------------------------------------


def make_result(score):
    return CandidateResult(
        {"score": score}, None, 9, 9, 1.0, Status.FINISHED, 0.0, 0.0, [], None, None, None, {}
    )


@pytest.fixture
def interrupted_results():
    """Results of three candidates on four folds, as several workers leave them."""
    scores = {(0, 0): 0.9, (0, 1): 0.5, (1, 1): 0.6, (0, 2): 0.7, (1, 2): 0.8, (2, 3): 1.0}
    search = SimpleNamespace(
        candidates=[Candidate(rate, 0.0) for rate in (0.0, 0.1, 0.2)],
        folds=range(4),
        results={key: make_result(score) for key, score in scores.items()},
        rungs=[Rung(1.0, (0, 1, 2, 3), 3)],
        dropped={},
        reached=0,
    )
    return make_cv_results(search)


def test_means_are_over_the_folds_that_most_candidates_have(interrupted_results):
    assert_allclose(interrupted_results["mean_test_score"], [0.6, 0.7, np.nan])
    assert_array_equal(interrupted_results["rank_test_score"], [2, 1, 3])
    assert_array_equal(find_compared_folds(interrupted_results), [1, 2])


def test_scores_of_other_folds_are_reported(interrupted_results):
    assert_allclose(interrupted_results["split0_test_score"], [0.9, np.nan, np.nan])


def test_scores_and_curves_have_the_shape_of_the_grid():
    model = quick_search(store_curves=True, early_stopping=True, l2s=[0.0, 1e-3, 1e-2])
    model.fit(FLOWERS, SPECIES)
    assert model.scores_.shape == (2, 3, 3)
    assert model.loss_curves_.shape == model.validation_loss_curves_.shape == (2, 3, 3)
    assert all(2 <= len(curve) <= 9 for curve in model.loss_curves_.ravel())


def test_scores_are_those_of_cv_results():
    model = quick_search(l2s=[0.0, 1e-3, 1e-2]).fit(FLOWERS, SPECIES)
    assert_array_equal(model.scores_.reshape(6, 3), stack_scores(model.cv_results_))
    params = [{"dropout": d, "l2": l2} for d in (0.0, 0.5) for l2 in (0.0, 1e-3, 1e-2)]
    assert model.cv_results_["params"] == params


def test_curves_are_not_stored_by_default():
    assert not hasattr(quick_search().fit(FLOWERS, SPECIES), "loss_curves_")


@pytest.mark.parametrize("search", ["grid", "halving"])
def test_infinite_score_wins(search):
    def score(model, X, y):
        return np.inf if model.dropout == 0.5 else model.l2

    assert quick_search(scoring=score, search=search).fit(X, y).dropout_ == 0.5


# -- missing scores ----------------------------------------------------------------------------


@pytest.fixture
def half_failed():
    def score(model, X, y):
        if model.dropout == 0.0:
            raise ValueError("no score for you")
        return 1.0 - model.l2

    with pytest.warns(UserWarning, match=r"(?s)failed for 6 of 12 networks.*no score for you"):
        return quick_search(scoring=score).fit(X, y)


def test_failed_scores_are_nan_and_rank_last(half_failed):
    assert_array_equal(half_failed.cv_results_["rank_test_score"], [3, 3, 1, 2])
    assert np.isnan(half_failed.scores_[0]).all()
    assert half_failed.dropout_ == 0.5


def test_search_without_any_score_raises_the_first_error():
    with pytest.raises(ValueError, match=r"(?s)received none with scoring='roc_auc'.*multi_class"):
        quick_search(scoring="roc_auc").fit(FLOWERS, SPECIES)


def score_without_versicolor(model, X, y):
    return np.nan if (y == 1).any() else 0.5


def test_fold_without_a_score_is_named():
    model = quick_search(cv=KFold(3), scoring=score_without_versicolor)  # each fold has one class
    with pytest.raises(ValueError, match=r"in the folds \[1\].*With refit=False the scores"):
        model.fit(FLOWERS, SPECIES)


def test_fold_without_a_score_is_nan_without_a_refit():
    model = quick_search(cv=KFold(3), scoring=score_without_versicolor, refit=False)
    model.fit(FLOWERS, SPECIES)
    assert_array_equal(np.isnan(model.scores_).all(axis=(0, 1)), [False, True, False])


# -- reading results ---------------------------------------------------------------------------


def test_values_are_numbers_or_tuples():
    results = {"param_dropout": np.ma.MaskedArray([0.0, [0.1, 0.2]], dtype=object)}
    assert read_values(results, "dropout") == [0.0, (0.1, 0.2)]


def test_values_may_be_those_of_a_step():
    assert read_values({"param_mlp__l2": np.ma.MaskedArray([0.1, 0.2])}, "l2") == [0.1, 0.2]


def test_values_of_a_parameter_that_was_not_searched_are_none():
    assert read_values({"param_l2": [0.1]}, "dropout") == []


def test_values_of_two_steps_are_refused():
    results = {"param_a__l2": [0.1], "param_b__l2": [0.1]}
    with pytest.raises(ValueError, match=r"one parameter 'l2'.*received \['a__l2', 'b__l2'\]"):
        read_values(results, "l2")


@pytest.mark.parametrize("dtype", [float, object])
def test_missing_values_are_none(dtype):
    results = {"param_l2": np.ma.MaskedArray([0.1, 0.2], mask=[False, True], dtype=dtype)}
    assert read_values(results, "l2") == [0.1, None]
