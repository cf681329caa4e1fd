"""The candidates of a grid, and how bad values are refused."""

import numpy as np
import pandas as pd
import pytest
from helpers import CANCER, in_full, quick_search
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris

from skreg import RegularizedMLPClassifier
from skreg._model_selection.candidates import Candidate, make_candidates

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER


def make(dropouts, l2s, hidden_layer_sizes=(8, 4)):
    base = RegularizedMLPClassifier(hidden_layer_sizes)
    return make_candidates(dropouts, l2s, base, lambda *_: [0.01])


def test_l2_varies_fastest():
    candidates, shape = make([0.0, 0.5], [1e-3, 1e-2, 1e-1])
    assert shape == (2, 3)
    pairs = [candidate[:2] for candidate in candidates]
    assert pairs[:4] == [(0.0, 1e-3), (0.0, 1e-2), (0.0, 1e-1), (0.5, 1e-3)]


def test_a_search_without_hidden_layers_has_no_dropout():
    candidates, shape = make([0.0, 0.5], [1e-3, 1e-2], hidden_layer_sizes=())
    assert [candidate[:2] for candidate in candidates] == [(0.0, 1e-3), (0.0, 1e-2)]
    assert shape == (1, 2)


def test_integer_is_the_number_of_values():
    candidates, shape = make(10, 10)
    assert shape == (10, 10)
    assert candidates[0][:2] == (0.0, pytest.approx(1e-5))
    assert candidates[11][:2] == (pytest.approx(0.8 / 9), pytest.approx(1e-5 * 10 ** (4 / 9)))
    assert candidates[-1][:2] == (pytest.approx(0.8), pytest.approx(1e-1))


def test_value_may_be_a_sequence_of_one_number_per_layer():
    candidates, _ = make([(0.5, 0.0)], [[0.0, 1e-3, 1e-2]])
    assert candidates == [Candidate((0.5, 0.0), (0.0, 1e-3, 1e-2))]


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
    "no value": ({"dropouts": [None]}, "dropouts: .*received None"),
    "no sequence": ({"l2s": np.array(0.1)}, r"l2s: expected a sequence.*received array\(0\.1\)"),
    "a number as text": ({"dropouts": ["0.5"]}, "dropouts: .*a sequence of numbers; rec.* '0.5'"),
    "a rate of 5 and no layer": (
        {"dropouts": [5.0], "hidden_layer_sizes": ()},
        r"dropouts: expected finite numbers in \[0, 1\); received 5\.0",
    ),
    "a trillion values": ({"dropouts": 10**12}, "dropouts: expected a number of .* at most 10000"),
    "more values than a float": ({"l2s": 10**400}, "l2s: expected a number of .* at most 10000"),
    "a strength that is no float": ({"l2s": [10**400]}, "l2s: expected at most"),
    "another hyperparameter": ({"learning_rate_init": -1.0}, "learning_rate_init"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_value_is_named_before_training(name, trained):
    changes, message = BAD[name]
    with pytest.raises((ValueError, TypeError), match=message):
        quick_search(**changes).fit(X, y)
    assert not trained


def test_automatic_strengths_of_a_search_depend_on_the_rows():
    X, y = CANCER
    model = quick_search(dropouts=[0.0], l2s="auto", refit=False, max_iter=1).fit(X, y)
    strengths = 6 / len(y) * np.array([0.1, 1 / 3, 1, 3, 10])
    assert_allclose([p["l2"] for p in model.cv_results_["params"]], strengths)
    few = np.where(np.arange(len(y)) < 100, 0, 1)
    model.fit(X, y, sample_weight=few)
    assert_allclose(model.cv_results_["params"][2]["l2"], 6 / few.sum())


def test_automatic_strengths_of_more_classes_are_smaller():
    X, y = load_iris(return_X_y=True)
    options = {"dropouts": [0.0], "l2s": "auto", "refit": False, "max_iter": 1}
    model = quick_search(**options).fit(X, y)
    strengths = 2 / len(y) * np.array([1 / 30, 0.1, 1 / 3, 1, 3])
    assert_allclose([p["l2"] for p in model.cv_results_["params"]], strengths)


def test_automatic_strengths_are_those_of_the_kind():
    kinds = [{"activation": ["relu", "logistic"]}, {"hidden_layer_sizes": [()]}]
    options = {"dropouts": [0.0], "refit": False, "max_iter": 1, "activation": "logistic"}
    model = quick_search(**options, l2s="auto", candidates=kinds, cv=2).fit(X, y)
    assert_allclose(
        model.cv_results_["param_l2"][2::5].astype(float), np.array([6, 6 / 16, 6]) / len(y)
    )


@pytest.mark.parametrize(
    "case", in_full(["weights", "duplicates", "a category"], "duplicates", "a category")
)
def test_automatic_strengths_count_the_rows_as_one_network_does(case):
    table, labels = pd.DataFrame(X[:300, :2], columns=["a", "b"]), y[:300]
    weight = np.arange(300) % 3 / 4
    if case != "weights":
        table, labels = (part.take(np.r_[:300, :40]) for part in (table, pd.Series(labels)))
        weight = np.r_[weight, np.full(40, 0.5)]
    if case == "a category":
        table["c"] = np.where(table["a"] > 14, "yes", "no")
    labels = np.asarray(labels)
    options = {"l2s": "auto", "dropouts": [0.0], "refit": False, "max_iter": 1, "cv": 2}
    model = quick_search(**options).fit(table, labels, weight)
    network = RegularizedMLPClassifier((8,), max_iter=1).fit(table, labels, weight)
    assert model.cv_results_["param_l2"][2] == network.l2_


def test_an_error_names_the_kind():
    options = {"candidates": "auto", "refit": "ensemble", "numerical_encoding": "auto"}
    for changes in ({"l2s": [(0.1, 0.1)]}, {"l1": (0.1, 0.1)}):
        with pytest.raises(ValueError, match=r"the kind of network {'hidden_layer_sizes': \(\)}"):
            quick_search(**options, **changes).fit(X, y)


def test_another_word_is_no_strength():
    with pytest.raises(ValueError, match="l2s"):
        quick_search(dropouts=[0.0], l2s="scale").fit(*CANCER)
