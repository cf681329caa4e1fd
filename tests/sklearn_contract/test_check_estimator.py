"""scikit-learn's own checks: all of them, nothing expected to fail, nothing skipped."""

import os
from unittest import SkipTest

import pytest
import sklearn
from sklearn.base import is_classifier, is_regressor
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.fixes import parse_version

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)

SHARED = {
    "no hidden layer": {"hidden_layer_sizes": (), "learning_rate_init": 0.05},
    "tanh with sgd": {"activation": "tanh", "solver": "sgd", "learning_rate_init": 0.01},
    "dropout and l2 by layer": {"dropout": (0.2, 0.4), "l2": (1e-4, 1e-3, 1e-2)},
    "early stopping": {"early_stopping": True, "max_iter": 100},
    "logistic, constant rate, input dropout, weight decay, not standardised": {
        "activation": "logistic",
        "learning_rate": "constant",
        "learning_rate_init": 0.01,
        "input_dropout": 0.1,
        "weight_decay": 0.01,
        "standardize": False,
    },
}
CLASSIFIERS = {
    **SHARED,
    "balanced classes": {"class_weight": "balanced"},
    "early stopping by a score": {"early_stopping": True, "validation_scoring": "accuracy"},
}
REGRESSORS = {
    **SHARED,
    "absolute error": {"loss": "absolute_error"},
    "huber": {"loss": "huber"},
    "quantile": {"loss": "quantile", "quantile": 0.6},
    "poisson": {"loss": "poisson"},
    "early stopping by a score": {
        "early_stopping": True,
        "validation_scoring": "r2",
        "validation_fraction": 0.5,  # at least two rows of four, which r2 needs
    },
}
GRID = {"dropouts": [0.0, 0.3], "l2s": [1e-3, 1e-2], "cv": 3}
SEARCHES = {
    "grid": GRID,
    "halving": {**GRID, "search": "halving"},
    "folds": {**GRID, "refit": "folds"},
    "halving, folds, early stopping": {
        **GRID,
        "search": "halving",
        "refit": "folds",
        "early_stopping": True,
    },
}
DEFAULTS = [RegularizedMLPClassifier(), RegularizedMLPRegressor()]
PLAIN = [
    *(RegularizedMLPClassifier(**changes) for changes in CLASSIFIERS.values()),
    *(RegularizedMLPRegressor(**changes) for changes in REGRESSORS.values()),
]
SEARCHING = [
    *(RegularizedMLPClassifierCV(**changes) for changes in SEARCHES.values()),
    *(RegularizedMLPRegressorCV(**changes) for changes in SEARCHES.values()),
]
# A few only: each program takes memory until its process ends, and the full matrix has them all.
QUICK = [
    RegularizedMLPClassifier(**CLASSIFIERS["early stopping"]),
    RegularizedMLPRegressor(**REGRESSORS["poisson"]),
    RegularizedMLPClassifierCV(**GRID),
    RegularizedMLPRegressorCV(**GRID),
]

# Of the other configurations, what the default run takes: quick checks of the weights, of the
# labels, of prediction and of repetition.
REPRESENTATIVES = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
    "check_fit_idempotent",
    "check_methods_subset_invariance",
    "check_classifiers_one_label",
)


def named(check):
    return check.func.__name__


def cases(models, names=None):
    """Each model with each of its checks, or those of the names."""
    for model in models:
        for estimator, check in estimator_checks_generator(model):
            if names is None or named(check) in names:
                name = f"{type(estimator).__name__}-{named(check)}"
                # By configuration: no process could hold the programs of all of them.
                group = pytest.mark.xdist_group(repr(model))
                yield pytest.param(estimator, check, id=name, marks=group)


def assert_passes(check, estimator):
    try:
        check(estimator)
    except SkipTest as reason:  # pytest would report it, and the run would still be green
        pytest.fail(f"skipped: {reason}")


def test_scikit_learn_offers_its_array_api_checks():
    assert os.environ["SCIPY_ARRAY_API"] == "1"
    offered = [named(check) for _, check in estimator_checks_generator(RegularizedMLPClassifier())]
    assert len(offered) > 50
    assert set(REPRESENTATIVES) <= set(offered)
    if parse_version(sklearn.__version__) >= parse_version("1.8"):
        assert any("array_api" in name for name in offered)


@pytest.mark.parametrize(("estimator", "check"), list(cases(DEFAULTS)))
def test_default_passes_and_skips_nothing(estimator, check):
    assert_passes(check, estimator)


@pytest.mark.parametrize(("estimator", "check"), list(cases(QUICK, REPRESENTATIVES)))
def test_other_configuration_passes_representative_checks(estimator, check):
    assert_passes(check, estimator)


@pytest.mark.full
@pytest.mark.parametrize(("estimator", "check"), list(cases([*PLAIN, *SEARCHING])))
def test_other_configuration_passes_and_skips_nothing(estimator, check):
    assert_passes(check, estimator)


def test_scikit_learn_takes_them_for_what_they_are():
    assert is_classifier(RegularizedMLPClassifier())
    assert is_regressor(RegularizedMLPRegressor())
    assert is_classifier(RegularizedMLPClassifierCV())
    assert is_regressor(RegularizedMLPRegressorCV())
