"""scikit-learn's own checks: all of them, nothing expected to fail, nothing skipped."""

import os
from unittest import SkipTest

import pytest
from sklearn.base import is_classifier
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from skreg import RegularizedMLPClassifier

OTHERS = {
    "no hidden layer": {"hidden_layer_sizes": (), "learning_rate_init": 0.05},
    "tanh with sgd": {"activation": "tanh", "solver": "sgd", "learning_rate_init": 0.05},
    "dropout and l2 by layer": {"dropout": (0.2, 0.4), "l2": (1e-4, 1e-3, 1e-2)},
    "balanced classes": {"class_weight": "balanced"},
    "logistic, constant rate, input dropout, weight decay, not standardised": {
        "activation": "logistic",
        "learning_rate": "constant",
        "learning_rate_init": 0.01,
        "input_dropout": 0.1,
        "weight_decay": 0.01,
        "standardize": False,
    },
}
OTHER_MODELS = [RegularizedMLPClassifier(**changes) for changes in OTHERS.values()]

# Of the other configurations, what the default run takes: quick checks of the weights, of the
# labels, of prediction and of repetition.
REPRESENTATIVES = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_fit_idempotent",
    "check_methods_subset_invariance",
    "check_classifiers_one_label",
)


def assert_passes(check, estimator):
    try:
        check(estimator)
    except SkipTest as reason:  # pytest would report it, and the run would still be green
        pytest.fail(f"skipped: {reason}")


def named(check):
    return check.func.__name__


def test_scikit_learn_offers_its_array_api_checks():
    assert os.environ["SCIPY_ARRAY_API"] == "1"
    offered = [named(check) for _, check in estimator_checks_generator(RegularizedMLPClassifier())]
    assert len(offered) > 50
    assert set(REPRESENTATIVES) <= set(offered)
    assert any("array_api" in name for name in offered)


@parametrize_with_checks([RegularizedMLPClassifier()])
def test_default_passes_and_skips_nothing(estimator, check):
    assert_passes(check, estimator)


@pytest.mark.parametrize("check_name", REPRESENTATIVES)
@pytest.mark.parametrize("name", OTHERS)
def test_other_configuration_passes_representative_checks(name, check_name):
    model = RegularizedMLPClassifier(**OTHERS[name])
    checks = [c for _, c in estimator_checks_generator(model) if named(c) == check_name]
    assert checks
    for check in checks:
        assert_passes(check, model)


@pytest.mark.full
@parametrize_with_checks(OTHER_MODELS)
def test_other_configuration_passes_and_skips_nothing(estimator, check):
    assert_passes(check, estimator)


def test_scikit_learn_takes_it_for_a_classifier():
    assert is_classifier(RegularizedMLPClassifier())
