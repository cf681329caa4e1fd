"""scikit-learn's own checks: all of them, nothing expected to fail, nothing skipped."""

import os

import pytest
from sklearn.base import is_classifier
from sklearn.utils.estimator_checks import check_estimator

from skreg import RegularizedMLPClassifier

CONFIGURATIONS = {
    "default": {},
    "no hidden layer": {"hidden_layer_sizes": (), "learning_rate_init": 0.05},
    "tanh with sgd": {"activation": "tanh", "solver": "sgd", "learning_rate_init": 0.05},
    "dropout and l2 by layer": {"dropout": (0.2, 0.4), "l2": (1e-4, 1e-3, 1e-2)},
    "balanced classes": {"class_weight": "balanced"},
    "logistic, cosine, input dropout, weight decay, not standardised": {
        "activation": "logistic",
        "learning_rate": "cosine",
        "learning_rate_init": 0.01,
        "input_dropout": 0.1,
        "weight_decay": 0.01,
        "standardize": False,
    },
}
ALWAYS = ("default",)


@pytest.mark.filterwarnings("ignore:.*:sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ALWAYS else pytest.mark.full)
        for name in CONFIGURATIONS
    ],
)
def test_every_check_of_scikit_learn_passes(name):
    assert os.environ["SCIPY_ARRAY_API"] == "1"
    results = check_estimator(RegularizedMLPClassifier(**CONFIGURATIONS[name]), on_fail=None)
    assert len(results) > 50
    not_passed = {
        result["check_name"]: (result["status"], repr(result["exception"]))
        for result in results
        if result["status"] != "passed"
    }
    assert not_passed == {}


def test_scikit_learn_takes_it_for_a_classifier():
    assert is_classifier(RegularizedMLPClassifier())
