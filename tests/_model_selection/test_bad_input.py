"""Searches of bad input: what was expected and received is said, before any training."""

import os

import numpy as np
import pytest
from helpers import CANCER, quick_search
from numpy.testing import assert_array_equal
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold

from skreg import RegularizedMLPRegressorCV, one_standard_error

# Grids of a few values are for tests.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER


BAD = {
    "no dropout": ({"dropouts": []}, "dropouts: expected at least one value"),
    "no l2": ({"l2s": ()}, "l2s: expected at least one value"),
    "a rate of 1": ({"dropouts": [0.5, 1.0]}, r"dropouts: .*\[0, 1\); received 1\.0"),
    "a negative strength": ({"l2s": [1e-3, -1.0]}, r"l2s: .*received -1\.0"),
    "too many rates": ({"dropouts": [(0.1, 0.2)]}, r"dropouts: .*sequence of 1.*received 2"),
    "no numbers": ({"l2s": ["a"]}, r"l2s: "),
    "text": ({"dropouts": "0.5"}, "dropouts"),
    "a dict": ({"dropouts": {0.5: 1}}, "dropouts"),
    "no values": ({"dropouts": 0}, "dropouts"),
    "unknown search": ({"search": "random"}, "search"),
    "unknown refit": ({"refit": "best"}, "refit: expected True, False, 'folds' or a callable"),
    "metrics without a refit": ({"scoring": ["accuracy", "roc_auc"]}, "refit: expected the metric"),
    "unknown scoring": ({"scoring": "accurate"}, "scoring"),
    "no value": ({"dropouts": [None]}, "dropouts: .*received None"),
    "no sequence": ({"l2s": np.array(0.1)}, r"l2s: expected a sequence.*received array\(0\.1\)"),
    "a number as text": ({"dropouts": ["0.5"]}, "dropouts: .*a sequence of numbers; rec.* '0.5'"),
    "a rate of 5 and no layer": (
        {"dropouts": [5.0], "hidden_layer_sizes": ()},
        r"dropouts: expected finite numbers in \[0, 1\); received 5\.0",
    ),
    "one metric's rule": (
        {"scoring": ["accuracy", "loss"], "refit": one_standard_error},
        "refit: expected one metric with one_standard_error",
    ),
    "one fold": ({"cv": 1}, "cv"),
    "a fold without rows": ({"cv": [([], [0, 1])]}, "expected training rows in each fold; fold 0"),
    "a fold to score nothing": ({"cv": [([0, 1], [])]}, "expected test rows in each fold; fold 0"),
    "no split": ({"cv": []}, "cv: expected at least one split"),
    "a negative learning rate": ({"learning_rate_init": -1.0}, "learning_rate_init"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_parameter_is_named_before_any_training(name, trained):
    changes, message = BAD[name]
    with pytest.raises((ValueError, TypeError), match=message):
        quick_search(**changes).fit(X, y)
    assert not trained


def test_validation_rows_are_the_plain_estimators():
    with pytest.raises(TypeError, match="X_val: expected no validation rows in a search"):
        quick_search(early_stopping=True).fit(X, y, X_val=X, y_val=y)


def test_extra_metadata_is_refused():
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        quick_search().fit(X, y, colour=y)


def test_folds_without_a_class():
    iris, species = load_iris(return_X_y=True)
    splits = [(np.arange(100), np.arange(100, 150)), (np.arange(50, 150), np.arange(50))]
    with pytest.raises(ValueError, match=r"every class in the training rows of each; rec.* fold 0"):
        quick_search(cv=splits, refit="folds").fit(iris, species)
    model = quick_search(cv=splits).fit(iris, species)  # the loss of a class never seen is large
    assert model.best_score_ == pytest.approx(np.log(np.finfo(float).eps))


def test_scores_that_fail_are_nan_and_rank_last():
    def score(model, X, y):
        if model.dropout == 0.0:
            raise ValueError("no score for you")
        return 1.0 - model.l2

    with pytest.warns(UserWarning, match=r"(?s)failed for 6 of 12 networks.*no score for you"):
        model = quick_search(scoring=score).fit(X, y)
    assert_array_equal(model.cv_results_["rank_test_score"], [3, 3, 1, 2])
    assert np.isnan(model.scores_[0]).all()
    assert model.dropout_ == 0.5


def test_no_score_at_all_is_an_error_that_says_why():
    iris, species = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"(?s)received none with scoring='roc_auc'.*multi_class"):
        quick_search(scoring="roc_auc").fit(iris, species)


def test_a_fold_without_any_score_is_named_and_no_refit_keeps_the_others():
    iris, species = load_iris(return_X_y=True)  # sorted, so that each fold has one class

    def score(model, X, y):
        return np.nan if (y == 1).any() else 0.5

    model = quick_search(cv=KFold(3), scoring=score)
    with pytest.raises(ValueError, match=r"in the folds \[1\].*refit=False keeps the scores"):
        model.fit(iris, species)
    model.set_params(refit=False).fit(iris, species)
    assert_array_equal(np.isnan(model.scores_).all(axis=(0, 1)), [False, True, False])


def test_a_search_that_tells_nothing_gives_no_advice_on_the_grid(recwarn):
    quick_search(l2s=[1e-4, 1e-3, 1e-2], scoring=lambda model, X, y: 0.5).fit(X, y)
    assert not recwarn.list


@pytest.mark.parametrize("refit", [True, "folds"])
def test_halving_does_not_choose_who_was_dropped_for_want_of_scores(refit):
    def score(model, X, y):
        return np.nan if model.n_iter_ == 27 else model.predict_proba(X)[:, 1].std()

    with pytest.raises(ValueError, match="expected a finite score of at least one candidate"):
        quick_search(refit=refit, search="halving", max_iter=27, scoring=score).fit(X, y)


def test_halving_counts_the_networks_that_it_trains():
    options = {"solver": "sgd", "learning_rate_init": 1e30, "cv": 5, "search": "halving"}
    model = quick_search(max_iter=8, refit=False, **options).set_params(l2s=[1e-3, 1e-2, 1e-1])
    with pytest.warns(ConvergenceWarning, match=r"^(\d+) of \1 networks diverged"):
        model.fit(X, y)


def test_halving_by_several_metrics_needs_one_that_decides(trained):
    with pytest.raises(ValueError, match="metric that decides with search='halving'"):
        quick_search(search="halving", scoring=["accuracy", "roc_auc"], refit=False).fit(X, y)
    assert not trained

    def score(model, X, y):
        return {"a": model.score(X, y), "b": 1.0}

    for refit in (False, lambda results: 1):  # what it returns is known only then
        with pytest.raises(ValueError, match=r"search='halving'.*one of \['a', 'b'\]"):
            quick_search(search="halving", scoring=score, refit=refit).fit(X, y)
    quick_search(search="halving", scoring=score, refit="a").fit(X, y)


def test_a_scorer_has_to_return_numbers():
    with pytest.raises(ValueError, match="scoring: expected numbers; received None"):
        quick_search(scoring=lambda model, X, y: None).fit(X, y)


def test_a_fold_without_weight_is_named(trained):
    weight = np.ones(len(y))
    weight[:200] = 0
    for rows, others, kind in (
        (np.arange(200), np.arange(200, 569), "training"),
        (np.arange(200, 569), np.arange(200), "test"),
    ):
        splits = [(np.arange(100, 569), np.arange(100, 569)), (rows, others)]
        with pytest.raises(ValueError, match=f"in the {kind} rows of each fold; those of fold 1 "):
            quick_search(cv=splits).fit(X, y, weight)
    assert not trained


def test_weights_that_a_scorer_does_not_take_are_said():
    def score(model, X, y):
        return float(model.predict_proba(X).std())

    with pytest.warns(UserWarning, match="does not take sample_weight"):
        quick_search(scoring=score).fit(X, y, np.ones(len(y)))
    with pytest.raises(ValueError, match="make_scorer beside sample_weight"):
        quick_search(scoring={"a": "accuracy", "b": score}, refit="a").fit(X, y, np.ones(len(y)))


def test_candidates_that_all_diverge_are_said_and_scored_before_it():
    model = RegularizedMLPRegressorCV(
        [0.0], [1e-3, 1e30], hidden_layer_sizes=(8,), solver="sgd", cv=3, max_iter=9, random_state=0
    )
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, X[:, 0])
    assert any("3 of 6 networks diverged" in str(warning.message) for warning in caught)
    assert model.l2_ == 1e-3
    assert np.isfinite(model.scores_).all()


@pytest.mark.parametrize("kind", ["a file", "below a file", "read only"])
def test_memory_that_cannot_be_written_is_refused(kind, tmp_path, trained, monkeypatch):
    path = tmp_path / "memory"
    if kind == "read only":
        monkeypatch.setattr(os, "access", lambda *arguments: False)
    else:
        path.write_text("")
    folder = path / "below" if kind == "below a file" else path
    with pytest.raises(ValueError, match="memory: expected a folder that can be written"):
        quick_search(memory=str(folder)).fit(X, y)
    assert not trained
