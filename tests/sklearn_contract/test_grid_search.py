"""Searches and cross-validation: any backend and number of jobs, exactly the same scores."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier

GRID = {
    "regularizedmlpclassifier__dropout": [0.0, 0.5],
    "regularizedmlpclassifier__l2": [0.0, 1e-2],
}


def pipeline():
    model = RegularizedMLPClassifier(hidden_layer_sizes=(8,), max_iter=10, random_state=0)
    return make_pipeline(StandardScaler(), model)


SEARCHES = {
    "grid": lambda **options: GridSearchCV(pipeline(), GRID, cv=3, **options),
    "randomized": lambda **options: RandomizedSearchCV(
        pipeline(), GRID, n_iter=3, cv=3, random_state=0, **options
    ),
    "halving": lambda **options: HalvingGridSearchCV(
        pipeline(), GRID, cv=3, random_state=0, **options
    ),
}


def scores(name, backend, n_jobs):
    """Every score of every split, and what the refitted winner predicts, as arrays by name."""
    X, y = load_iris(return_X_y=True)
    options = {"scoring": "neg_log_loss", "n_jobs": n_jobs, "error_score": "raise"}
    with parallel_config(backend=backend):
        if name == "cross_validate":
            results = cross_validate(pipeline(), X, y, cv=3, return_train_score=True, **options)
            return {key: results[key] for key in ("test_score", "train_score")}
        search = SEARCHES[name](return_train_score=True, **options).fit(X, y)
    results = {key: array for key, array in search.cv_results_.items() if key.endswith("_score")}
    return {**results, "probabilities": search.predict_proba(X)}


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("backend", ["threading", "loky"])
@pytest.mark.parametrize("name", [*SEARCHES, "cross_validate"])
def test_two_jobs_give_exactly_the_scores_of_one(name, backend):
    alone = scores(name, "threading", 1)
    some = alone.get("split0_test_score", alone.get("test_score"))
    assert len(set(some)) > 1  # else equality would say nothing
    together = scores(name, backend, 2)
    assert together.keys() == alone.keys()
    for key, array in alone.items():
        np.testing.assert_array_equal(together[key], array, err_msg=key)


def test_an_integer_cv_is_stratified_and_best_parameters_are_refitted():
    X, y = load_breast_cancer(return_X_y=True)
    search = GridSearchCV(pipeline(), GRID, cv=3).fit(X, y)
    given = GridSearchCV(pipeline(), GRID, cv=StratifiedKFold(3)).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], given.cv_results_["mean_test_score"]
    )
    assert search.best_estimator_[-1].dropout == search.best_params_[next(iter(GRID))]
    assert search.score(X, y) > 0.9


def test_sorted_labels_are_learned_only_in_stratified_folds():
    """Iris is sorted by class: folds of the plain kind leave a whole class out of training."""
    X, y = load_iris(return_X_y=True)
    model = RegularizedMLPClassifier(
        hidden_layer_sizes=(8,), dropout=0.0, learning_rate_init=0.05, random_state=0
    )
    assert cross_validate(model, X, y, cv=3)["test_score"].min() > 0.8
    assert cross_validate(model, X, y, cv=KFold(3))["test_score"].max() == 0.0
