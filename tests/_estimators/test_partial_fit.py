"""Streams: partial_fit learns, continues with its state, and refuses other classes and columns."""

import pickle

import numpy as np
import pytest
from helpers import assert_same_network
from sklearn.datasets import load_iris, make_classification
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

X, y = load_iris(return_X_y=True)


def make_classifier(**changes):
    values = {"hidden_layer_sizes": (16, 8), "max_iter": 60, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


def make_regressor(**changes):
    values = {"hidden_layer_sizes": (16, 8), "dropout": 0.1, "max_iter": 60, "random_state": 0}
    return RegularizedMLPRegressor(**{**values, **changes})


# -- learning ----------------------------------------------------------------------------------


def fit_in_parts(model, X, y, n_parts, n_passes=1, **first):
    """Call partial_fit on each part of the shuffled rows; `first` goes to the first call."""
    for k in range(n_passes):
        for rows in np.array_split(np.random.default_rng(k).permutation(len(y)), n_parts):
            model.partial_fit(X[rows], y[rows], **(first if not hasattr(model, "coefs_") else {}))
    return model


@pytest.fixture(scope="module")
def whole_and_parts():
    """Two classifiers, fitted at once and in parts, and rows to score them on."""
    X, y = make_classification(24_000, 20, n_informative=10, flip_y=0.05, random_state=0)
    X, X_test, y, y_test = train_test_split(X, y, test_size=4000, random_state=0)
    common = {
        "hidden_layer_sizes": (64, 32),
        "dropout": 0.1,
        "l2": 1e-4,
        "learning_rate": "constant",
        "learning_rate_init": 1e-3,
        "batch_size": 64,
        "random_state": 0,
    }
    whole = RegularizedMLPClassifier(max_iter=5, **common).fit(X, y)
    parts = fit_in_parts(RegularizedMLPClassifier(**common), X, y, 20, 5, classes=[0, 1])
    return whole, parts, X_test, y_test


def test_a_classifier_learns_in_parts_as_well_as_in_one_fit(whole_and_parts):
    whole, parts, X_test, y_test = whole_and_parts
    # Two standard errors of the difference of two accuracies near 0.93 on 4,000 rows are 0.011.
    assert abs(whole.score(X_test, y_test) - parts.score(X_test, y_test)) < 0.011
    assert whole.score(X_test, y_test) > 0.9


def test_loss_curve_has_a_loss_a_call(whole_and_parts):
    _, parts, _, _ = whole_and_parts
    assert parts.n_iter_ == len(parts.loss_curve_) == 100


def test_mean_and_scale_of_all_parts_are_those_of_the_whole_table(whole_and_parts):
    whole, parts, _, _ = whole_and_parts
    np.testing.assert_allclose(parts.mean_, whole.mean_, atol=1e-10)
    np.testing.assert_allclose(parts.scale_, whole.scale_, rtol=1e-10)


def test_a_regressor_learns_in_parts_as_well_as_in_one_fit():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12_000, 8))
    y = 100 + 20 * np.sin(X[:, 0]) * X[:, 1] + 5 * X[:, 2] + rng.normal(size=12_000)
    common = {
        "hidden_layer_sizes": (64, 32),
        "dropout": 0.0,
        "l2": 0.0,
        "learning_rate": "constant",
        "learning_rate_init": 2e-3,
        "batch_size": 64,
        "random_state": 0,
    }
    whole = RegularizedMLPRegressor(max_iter=8, **common).fit(X[:10_000], y[:10_000])
    parts = fit_in_parts(RegularizedMLPRegressor(**common), X[:10_000], y[:10_000], 20, 8)
    scores = [r2_score(y[10_000:], model.predict(X[10_000:])) for model in (whole, parts)]
    assert min(scores) > 0.95
    assert abs(scores[0] - scores[1]) < 0.02


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_a_part_on_another_scale_does_not_change_the_function(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    X[:100, 3] = 0.5  # constant in the first batch
    y = 50 + 10 * X[:, 0]
    model = make_regressor(loss=loss)
    for _ in range(30):
        model.partial_fit(X[:100], y[:100])
    before = model.predict(X[:100])
    model.set_params(learning_rate_init=1e-30).partial_fit(100 * X[100:] - 3, 7 * y[100:])
    np.testing.assert_allclose(model.predict(X[:100]), before, rtol=2e-3)
    assert model.scale_[0] > 10


def test_balanced_class_weights_count_all_rows_so_far():
    first = np.r_[np.flatnonzero(y == 0)[:4], np.flatnonzero(y == 1)[:12]]
    second = np.r_[np.flatnonzero(y == 1)[12:30], np.flatnonzero(y == 2)[:6]]
    balanced = make_classifier(class_weight="balanced").partial_fit(
        X[first], y[first], classes=[0, 1, 2]
    )
    balanced.partial_fit(X[second], y[second])
    by_hand = make_classifier(class_weight={0: 16 / (2 * 4), 1: 16 / (2 * 12)})
    by_hand.partial_fit(X[first], y[first], classes=[0, 1, 2])
    by_hand.set_params(class_weight={0: 40 / (3 * 4), 1: 40 / (3 * 30), 2: 40 / (3 * 6)})
    by_hand.partial_fit(X[second], y[second])
    for kernel, expected in zip(balanced.coefs_, by_hand.coefs_, strict=True):
        np.testing.assert_array_equal(kernel, expected)


def test_weighted_parts_equal_repeated_parts():
    counts = np.random.default_rng(0).integers(1, 4, size=50)
    weighted, repeated = make_classifier(), make_classifier()
    for k in range(3):
        rows, labels = X[k::3], y[k::3]
        weighted.partial_fit(rows, labels, sample_weight=counts, classes=[0, 1, 2])
        copies = rows.repeat(counts, axis=0), labels.repeat(counts)
        repeated.partial_fit(*copies, classes=[0, 1, 2])
    assert_same_network(weighted, repeated)


# -- continuing --------------------------------------------------------------------------------


def test_a_pickled_estimator_continues_bit_for_bit():
    model = make_classifier()
    for k in range(3):
        model.partial_fit(X[k::4], y[k::4], classes=[0, 1, 2])
    loaded = pickle.loads(pickle.dumps(model)).partial_fit(X[3::4], y[3::4])
    assert_same_network(model.partial_fit(X[3::4], y[3::4]), loaded)


def test_partial_fit_continues_a_fit_with_early_stopping():
    model = make_classifier(early_stopping=True, max_iter=200, learning_rate_init=0.01).fit(X, y)
    score = model.score(X, y)
    model.partial_fit(X, y)
    assert model.n_iter_ == 1
    assert model.score(X, y) > score - 0.1


def test_partial_fit_continues_with_another_solver():
    model = make_classifier(hidden_layer_sizes=(5,)).partial_fit(X, y, classes=[0, 1, 2])
    model.set_params(solver="sgd").partial_fit(X, y)
    assert model.n_iter_ == 2


# -- bad calls ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (None, "classes must be passed on the first call"),
        ([0, 1], r"expected labels among the classes \[0 1\].*\[2\]"),
    ],
    ids=["no classes", "a class is missing"],
)
def test_the_first_call_needs_all_classes(classes, message):
    with pytest.raises(ValueError, match=message):
        make_classifier().partial_fit(X, y, classes=classes)


@pytest.fixture
def begun():
    """A classifier of three classes that has seen two of them."""
    return make_classifier().partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])


@pytest.mark.parametrize(
    ("table", "labels", "classes", "message"),
    [
        (X, y, [0, 1], "is not the same as on last call to partial_fit"),
        (X[:, :3], y, None, "X has 3 features, but"),
        (X, y + 1, None, "received also"),
    ],
    ids=["classes", "columns", "labels"],
)
def test_a_later_call_with_other_classes_columns_or_labels_is_refused(
    begun, table, labels, classes, message
):
    with pytest.raises(ValueError, match=message):
        begun.partial_fit(table, labels, classes=classes)
    assert begun.partial_fit(X, y).n_iter_ == 2
