"""The checks of scikit-learn for estimators: all of them pass, and none is skipped."""

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
    "no hidden layer": {"hidden_layer_sizes": ()},
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
    "piecewise encoding": {"numerical_encoding": "piecewise"},
    "periodic encoding": {"numerical_encoding": "periodic", "input_dropout": 0.1},
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
# Few epochs, since each check trains dozens of networks. They are enough for the scores it expects.
GRID = {"dropouts": [0.0, 0.3], "l2s": [1e-3, 1e-2], "cv": 3, "max_iter": 40}
SEARCHES = {
    "grid": GRID,
    "halving": {**GRID, "search": "halving"},
    "folds": {**GRID, "refit": "folds"},
    "ensemble of all kinds": {**GRID, "dropouts": [0.0], "l2s": [1e-3], "refit": "ensemble"},
    "periodic encoding": {**GRID, "numerical_encoding": "periodic"},
    "halving, folds, early stopping": {
        **GRID,
        "search": "halving",
        "refit": "folds",
        "early_stopping": True,
    },
}
DEFAULTS = [RegularizedMLPClassifier(), RegularizedMLPRegressor()]
SINGLE = [
    *(RegularizedMLPClassifier(**changes) for changes in CLASSIFIERS.values()),
    *(RegularizedMLPRegressor(**changes) for changes in REGRESSORS.values()),
]
SEARCHING = [
    *(RegularizedMLPClassifierCV(**changes) for changes in SEARCHES.values()),
    *(RegularizedMLPRegressorCV(**changes) for changes in SEARCHES.values()),
]
# A few only, since programs take memory until their process ends. A full run has them all.
QUICK = [
    RegularizedMLPClassifierCV(**GRID),
    RegularizedMLPRegressorCV(**GRID),
]

# The checks that a default run takes for other configurations: quick ones of weights, labels,
# predictions and repeated fits.
REPRESENTATIVES = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
    "check_fit_idempotent",
    "check_methods_subset_invariance",
    "check_classifiers_one_label",
)

# Several quantiles are several predictions for one column y. These checks expect one, or an R².
SEVERAL_QUANTILES = RegularizedMLPRegressor(loss="quantile", quantile=(0.1, 0.5, 0.9))
CHECKS_OF_ONE_PREDICTION = (
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_regressors_train",
)


def get_name(check):
    return check.func.__name__


def make_cases(models, names=None, excluded=()):
    """Each model with each of its checks, or with those of the names."""
    for model in models:
        for estimator, check in estimator_checks_generator(model):
            name = get_name(check)
            if (names is None or name in names) and name not in excluded:
                # A group a configuration: no process could hold the programs of all of them.
                group = pytest.mark.xdist_group(repr(model))
                yield pytest.param(
                    estimator, check, id=f"{type(estimator).__name__}-{name}", marks=group
                )


def assert_passes(check, estimator):
    try:
        check(estimator)
    except SkipTest as reason:  # pytest would count the test as skipped, not as failed
        pytest.fail(f"skipped: {reason}")


@pytest.fixture(scope="module")
def check_names():
    return [get_name(check) for _, check in estimator_checks_generator(RegularizedMLPClassifier())]


def test_there_are_many_checks_and_among_them_the_representative_ones(check_names):
    assert len(check_names) > 50
    assert set(REPRESENTATIVES) <= set(check_names)


def test_checks_of_the_array_api_are_among_them(check_names):
    assert os.environ["SCIPY_ARRAY_API"] == "1"
    if parse_version(sklearn.__version__) >= parse_version("1.8"):
        assert any("array_api" in name for name in check_names)


@pytest.mark.parametrize(("estimator", "check"), list(make_cases(DEFAULTS)))
def test_default_passes_every_check(estimator, check):
    assert_passes(check, estimator)


@pytest.mark.parametrize(("estimator", "check"), list(make_cases(QUICK, REPRESENTATIVES)))
def test_other_configuration_passes_representative_checks(estimator, check):
    assert_passes(check, estimator)


# Some checks have labels that are noise.
@pytest.mark.filterwarnings("ignore:Training led nowhere", "ignore:.* networks led nowhere")
@pytest.mark.filterwarnings("ignore:A constant predicts the validation rows")
@pytest.mark.filterwarnings("ignore:.* networks never predicted the rows of early stopping better")
@pytest.mark.full
@pytest.mark.parametrize(("estimator", "check"), list(make_cases([*SINGLE, *SEARCHING])))
def test_other_configuration_passes_every_check(estimator, check):
    assert_passes(check, estimator)


@pytest.mark.full
@pytest.mark.parametrize(
    ("estimator", "check"),
    list(make_cases([SEVERAL_QUANTILES], excluded=CHECKS_OF_ONE_PREDICTION)),
)
def test_several_quantiles_pass_the_checks_that_do_not_expect_one(estimator, check):
    assert_passes(check, estimator)


@pytest.mark.parametrize("estimator", [RegularizedMLPClassifier, RegularizedMLPClassifierCV])
def test_classifiers_are_recognised(estimator):
    assert is_classifier(estimator())


@pytest.mark.parametrize("estimator", [RegularizedMLPRegressor, RegularizedMLPRegressorCV])
def test_regressors_are_recognised(estimator):
    assert is_regressor(estimator())
