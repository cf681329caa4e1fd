"""The winner: how it is chosen, and what predicts."""

import pickle

import numpy as np
import pytest
from helpers import CANCER, quick_regression_search, quick_search
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold

from skreg import RegularizedMLPClassifier, one_standard_error
from skreg._model_selection.candidates import Candidate
from skreg._model_selection.refit import choose_winner, grid_edge_warnings

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER
FLOWERS, SPECIES = load_iris(return_X_y=True)
GRID = [Candidate(dropout, l2) for dropout in (0.0, 0.25, 0.5) for l2 in (0.0, 1e-3, 1e-2)]


def make_results(mean, std=0.1, n_folds=5, **others):
    mean = np.asarray(mean, dtype=float)
    order = np.argsort(-mean)
    rank = np.empty(len(mean), dtype=int)
    rank[order] = np.arange(1, len(mean) + 1)
    splits = {f"split{fold}_test_score": mean for fold in range(n_folds)}
    grid = GRID[: len(mean)]
    return {
        "mean_test_score": mean,
        "std_test_score": np.full(len(mean), std),
        "rank_test_score": rank,
        "params": [candidate.get_params() for candidate in grid],
        "param_dropout": [candidate.dropout for candidate in grid],
        "param_l2": [candidate.l2 for candidate in grid],
        **splits,
        **others,
    }


# -- one standard error ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "expected"),
    [
        # One standard error is 0.1 / sqrt(5 - 1): scores of 0.95 and more are as good as the best.
        ([1.0, 0.951, 0.9], 1),
        ([1.0, 0.951, 0.951], 2),
        ([1.0, 0.9, 0.949], 0),
        # The largest l2 first, then the largest dropout.
        ([1.0, 1.0, 0.96, 1.0, 1.0, 0.97, 1.0, 1.0, 0.9], 5),
    ],
)
def test_one_standard_error_chooses_the_most_regularised_of_the_best(mean, expected):
    assert one_standard_error(make_results(mean)) == expected


def test_one_standard_error_does_not_choose_dropped_candidates():
    n_epochs = np.array([10, 3, 3])
    assert one_standard_error(make_results([1.0, 0.99, 0.99], n_epochs=n_epochs)) == 0


def test_one_standard_error_compares_sequences_by_their_mean():
    found = make_results([1.0, 1.0], param_dropout=[0.1, 0.5], param_l2=[(0.0, 0.02), 0.009])
    assert one_standard_error(found) == 0


def test_one_standard_error_takes_values_that_are_arrays():
    found = make_results(
        [1.0, 1.0], param_dropout=[np.array([0.1, 0.1]), np.array([0.5, 0.5])], param_l2=[0.0, 0.0]
    )
    for params in found["params"]:
        params["hidden_layer_sizes"] = np.array([8, 4])
    assert one_standard_error(found) == 1


def test_one_standard_error_of_one_parameter_of_a_step():
    found = make_results([1.0, 1.0, 1.0])
    del found["param_dropout"], found["param_l2"]
    found["param_mlp__l2"] = np.ma.MaskedArray([0.0, 0.1, 0.01])
    assert one_standard_error(found) == 1


def test_one_standard_error_compares_candidates_of_the_best_kind():
    found = make_results([0.99, 1.0, 0.99, 0.99], param_l2=[0.1, 1e-3, 1e-2, 1e-2])
    for params, n_units in zip(found["params"], (4, 8, 8, 4), strict=True):
        params["mlp__hidden_layer_sizes"] = (n_units,)
    assert one_standard_error(found) == 2


def test_one_standard_error_needs_a_parameter_of_its_own():
    found = make_results([1.0, 1.0, 1.0])
    del found["param_dropout"], found["param_l2"]
    with pytest.raises(ValueError, match=r"received one over \[\]"):
        one_standard_error(found)


def test_one_standard_error_needs_a_finite_score():
    with pytest.raises(ValueError, match="expected a finite score of at least one candidate"):
        one_standard_error(make_results([np.nan, np.nan]))


def test_one_standard_error_refuses_several_metrics():
    found = make_results([1.0, 1.0])
    found["mean_test_loss"] = found.pop("mean_test_score")
    with pytest.raises(ValueError, match=r"of one metric; received those of \['loss'\]"):
        one_standard_error(found)


def test_one_standard_error_counts_the_folds_of_the_means():
    # The third fold has no score of the second candidate. 0.1 / sqrt(2 - 1) is 0.1.
    third = {"split2_test_score": np.array([1.0, np.nan])}
    assert one_standard_error(make_results([1.0, 0.92], n_folds=2) | third) == 1
    assert one_standard_error(make_results([1.0, 0.92], n_folds=3)) == 0


def test_search_may_refit_by_one_standard_error():
    found = quick_search().fit(X, y).cv_results_
    model = quick_search(refit=one_standard_error).fit(X, y)
    assert model.best_index_ == one_standard_error(found)


def test_one_standard_error_refuses_automatic_strengths_before_training(trained):
    search = quick_search(l2s=[1e-3, "auto"], refit=one_standard_error)
    with pytest.raises(ValueError, match="expected numbers of l2"):
        search.fit(*CANCER)
    assert not trained


def test_one_standard_error_of_several_metrics_is_refused_before_training(trained):
    model = quick_search(scoring=["accuracy", "loss"], refit=one_standard_error)
    with pytest.raises(ValueError, match="refit: expected one metric with one_standard_error"):
        model.fit(X, y)
    assert not trained


# -- the winner --------------------------------------------------------------------------------


def test_best_rank_wins():
    assert choose_winner(True, make_results([0.0, 1.0]), "score") == 1


def test_callable_chooses_the_winner():
    assert choose_winner(lambda results: np.int64(0), make_results([0.0, 1.0]), "score") == 0


def test_callable_has_to_return_an_integer():
    with pytest.raises(TypeError, match=r"callable that returns an integer; received 0\.5"):
        choose_winner(lambda results: 0.5, make_results([0.0, 1.0]), "score")


def test_callable_has_to_return_an_index_of_a_candidate():
    with pytest.raises(IndexError, match=r"returns an index in \[0, 2\); received 2"):
        choose_winner(lambda results: 2, make_results([0.0, 1.0]), "score")


def test_winner_of_a_callable_has_no_best_score():
    model = quick_search(refit=lambda results: 0).fit(X, y)
    assert model.best_params_ == {"dropout": 0.0, "l2": 1e-3}
    assert not hasattr(model, "best_score_")


# -- the edge of the grid ----------------------------------------------------------------------


def find_edges(candidate, grid=GRID):
    return grid_edge_warnings(grid, grid.index(candidate))


def test_winner_inside_the_grid_is_not_at_an_edge():
    assert find_edges(Candidate(0.25, 1e-3)) == []


def test_winner_at_an_edge_is_named():
    (message,) = find_edges(Candidate(0.5, 1e-3))
    assert "best dropout, 0.5, lies on the upper edge of dropouts" in message


def test_winner_in_a_corner_is_at_two_edges():
    assert len(find_edges(Candidate(0.5, 1e-2))) == 2


def test_zero_is_not_an_edge():
    assert find_edges(Candidate(0.0, 0.0)) == []


def test_axis_of_two_values_has_no_edge():
    assert find_edges(Candidate(0.1, 1e-3), [Candidate(0.1, 1e-3), Candidate(0.2, 1e-3)]) == []


def test_axis_of_sequences_has_no_edge():
    grid = [Candidate(dropout, 1e-3) for dropout in ((0.1, 0.2), 0.2, 0.3)]
    assert find_edges(grid[2], grid) == []


def test_search_with_equal_scores_does_not_warn_of_an_edge(recwarn):
    quick_search(l2s=[1e-4, 1e-3, 1e-2], scoring=lambda model, X, y: 0.5).fit(X, y)
    assert not recwarn.list


# -- what predicts -----------------------------------------------------------------------------


def test_refitted_network_is_the_base_estimator_with_the_best_values():
    model = quick_search().fit(X, y)
    options = {"hidden_layer_sizes": (8,), "max_iter": 9, "numerical_encoding": None}
    options["random_state"] = 0
    plain = RegularizedMLPClassifier(**options, dropout=model.dropout_, l2=model.l2_).fit(X, y)
    assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert model.best_estimator_.get_params() == plain.get_params()


def test_fitted_attributes_of_the_network_are_those_of_the_search():
    model = quick_search().fit(X, y)
    names = [name for name in vars(model.best_estimator_) if name.endswith("_")]
    assert "coefs_" in names
    for name in names:
        assert getattr(model, name) is getattr(model.best_estimator_, name), name


def make_case(kind):
    """A search that averages its networks, its table and targets."""
    if kind == "two classes":
        return quick_search(refit="folds"), FLOWERS[:100], SPECIES[:100]
    if kind == "labels":
        labels = np.stack([SPECIES > 0, SPECIES > 1], axis=1).astype(int)
        cv = KFold(3, shuffle=True, random_state=0)
        return quick_search(refit="folds", cv=cv), FLOWERS, labels
    return quick_search(refit="folds"), FLOWERS, SPECIES


@pytest.mark.parametrize("kind", ["two classes", "three classes", "labels"])
def test_folds_average_the_probabilities_of_their_networks(kind):
    model, X, y = make_case(kind)
    model.fit(X, y)
    assert len(model.estimators_) == 3
    assert not hasattr(model, "coefs_")
    mean = np.mean([network.predict_proba(X) for network in model.estimators_], axis=0)
    assert_allclose(model.predict_proba(X), mean, rtol=1e-6)
    assert_allclose(np.exp(model.predict_log_proba(X)), mean, rtol=1e-6)
    expected = (mean > 0.5).astype(int) if kind == "labels" else mean.argmax(axis=1)
    assert_array_equal(model.predict(X), expected)
    assert model.decision_function(X).shape == ((100,) if kind == "two classes" else mean.shape)


def test_folds_average_the_predictions_of_their_networks():
    model = quick_regression_search(refit="folds").fit(FLOWERS, SPECIES)
    mean = np.mean([network.predict(FLOWERS) for network in model.estimators_], axis=0)
    assert_allclose(model.predict(FLOWERS), mean)


def test_networks_of_the_folds_have_the_scores_of_their_folds():
    splits = list(KFold(3, shuffle=True, random_state=0).split(X))
    model = quick_search(refit="folds", cv=splits, scoring="neg_log_loss").fit(X, y)
    for fold, (_, test) in enumerate(splits):
        score = get_scorer("neg_log_loss")(model.estimators_[fold], X[test], y[test])
        assert score == model.cv_results_[f"split{fold}_test_score"][model.best_index_]


def test_search_without_a_refit_has_scores_and_does_not_predict():
    model = quick_search(refit=False).fit(FLOWERS, SPECIES)
    assert model.best_score_ == model.cv_results_["mean_test_score"].max()
    with pytest.raises(NotFittedError, match="refit=False"):
        model.predict(FLOWERS)


@pytest.mark.parametrize("scoring", ["accuracy", ["accuracy", "loss"]])
def test_refit_may_be_false_of_numpy(scoring):
    model = quick_search(scoring=scoring, refit=np.False_).fit(FLOWERS, SPECIES)
    assert not hasattr(model, "best_estimator_")


def test_another_refit_removes_the_attributes_of_the_one_before():
    model = quick_search().fit(FLOWERS, SPECIES)
    model.set_params(refit="folds").fit(FLOWERS, SPECIES)
    assert not hasattr(model, "best_estimator_")
    assert not hasattr(model, "coefs_")
    model.set_params(refit=True).fit(FLOWERS, SPECIES)
    assert not hasattr(model, "estimators_")
    assert hasattr(model, "coefs_")


@pytest.mark.parametrize("refit", [True, "folds"])
def test_pickled_search_predicts_the_same(refit):
    model = quick_search(refit=refit).fit(FLOWERS, SPECIES)
    pickled = pickle.dumps(model)
    assert_array_equal(pickle.loads(pickled).predict_proba(FLOWERS), model.predict_proba(FLOWERS))
    assert len(pickled) < 40_000
