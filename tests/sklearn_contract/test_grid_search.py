"""Searches and cross-validation of scikit-learn: backends, numbers of jobs and folds."""

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


def make_model():
    model = RegularizedMLPClassifier(hidden_layer_sizes=(8,), max_iter=10, random_state=0)
    return make_pipeline(StandardScaler(), model)


SEARCHES = {
    "grid": lambda **options: GridSearchCV(make_model(), GRID, cv=3, **options),
    "randomized": lambda **options: RandomizedSearchCV(
        make_model(), GRID, n_iter=3, cv=3, random_state=0, **options
    ),
    "halving": lambda **options: HalvingGridSearchCV(
        make_model(), GRID, cv=3, random_state=0, **options
    ),
}


def compute_scores(name, backend, n_jobs):
    """Every score of every split, and the probabilities of the refitted network, by name."""
    X, y = load_iris(return_X_y=True)
    options = {"scoring": "neg_log_loss", "n_jobs": n_jobs, "error_score": "raise"}
    with parallel_config(backend=backend):
        if name == "cross_validate":
            results = cross_validate(make_model(), X, y, cv=3, return_train_score=True, **options)
            return {key: results[key] for key in ("test_score", "train_score")}
        search = SEARCHES[name](return_train_score=True, **options).fit(X, y)
    results = {key: array for key, array in search.cv_results_.items() if key.endswith("_score")}
    return {**results, "probabilities": search.predict_proba(X)}


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("backend", ["threading", "loky"])
@pytest.mark.parametrize("name", [*SEARCHES, "cross_validate"])
def test_two_jobs_give_exactly_the_scores_of_one(name, backend):
    alone = compute_scores(name, "threading", 1)
    test_scores = alone.get("split0_test_score", alone.get("test_score"))
    assert len(set(test_scores)) > 1  # otherwise equality would prove nothing
    together = compute_scores(name, backend, 2)
    assert together.keys() == alone.keys()
    for key, array in alone.items():
        np.testing.assert_array_equal(together[key], array, err_msg=key)


@pytest.fixture(scope="module")
def search():
    """A grid search on breast cancer with three folds."""
    X, y = load_breast_cancer(return_X_y=True)
    return GridSearchCV(make_model(), GRID, cv=3).fit(X, y)


def test_folds_of_an_integer_are_stratified(search):
    X, y = load_breast_cancer(return_X_y=True)
    stratified = GridSearchCV(make_model(), GRID, cv=StratifiedKFold(3)).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], stratified.cv_results_["mean_test_score"]
    )


def test_a_network_is_refitted_with_the_best_parameters(search):
    assert search.best_estimator_[-1].dropout == search.best_params_[next(iter(GRID))]
    assert search.score(*load_breast_cancer(return_X_y=True)) > 0.9


def test_sorted_labels_are_learned_only_in_stratified_folds():
    """Iris is sorted by class, so that each fold of KFold leaves a class out of training."""
    X, y = load_iris(return_X_y=True)
    model = RegularizedMLPClassifier(
        hidden_layer_sizes=(8,), dropout=0.0, learning_rate_init=0.05, random_state=0
    )
    assert cross_validate(model, X, y, cv=3)["test_score"].min() > 0.8
    assert cross_validate(model, X, y, cv=KFold(3))["test_score"].max() == 0.0
