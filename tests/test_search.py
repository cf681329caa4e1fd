"""Searches and cross-validation: any backend and number of jobs, exactly the same scores."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
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
    X, y = load_iris(return_X_y=True)
    with parallel_config(backend=backend):
        if name == "cross_validate":
            return cross_validate(
                pipeline(), X, y, cv=3, scoring="neg_log_loss", n_jobs=n_jobs, error_score="raise"
            )["test_score"]
        search = SEARCHES[name](scoring="neg_log_loss", n_jobs=n_jobs, error_score="raise")
        return search.fit(X, y).cv_results_["mean_test_score"]


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("backend", ["threading", "loky"])
@pytest.mark.parametrize("name", [*SEARCHES, "cross_validate"])
def test_two_jobs_give_exactly_the_scores_of_one(name, backend):
    alone = scores(name, "threading", 1)
    assert len(set(alone)) > 1
    np.testing.assert_array_equal(scores(name, backend, 2), alone)


def test_an_integer_cv_is_stratified_and_best_parameters_are_refitted():
    X, y = load_breast_cancer(return_X_y=True)
    search = GridSearchCV(pipeline(), GRID, cv=3).fit(X, y)
    given = GridSearchCV(pipeline(), GRID, cv=StratifiedKFold(3)).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], given.cv_results_["mean_test_score"]
    )
    assert search.best_estimator_[-1].dropout == search.best_params_[next(iter(GRID))]
    assert search.score(X, y) > 0.9
