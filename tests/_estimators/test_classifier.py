"""The classifier: fitted attributes, probabilities, and tables that are hard to learn."""

import numpy as np
import pytest
from sklearn.datasets import load_iris

from skreg import RegularizedMLPClassifier


def make_small(**changes):
    values = {"hidden_layer_sizes": (8, 4), "max_iter": 5, "numerical_encoding": None}
    return RegularizedMLPClassifier(**{**values, "random_state": 0, **changes})


# -- fitted attributes -------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[2, 3], ids=["two classes", "three classes"])
def fitted(request):
    """The number of classes, and a classifier of iris with so many."""
    X, y = load_iris(return_X_y=True)
    n_classes = request.param
    return n_classes, make_small().fit(X[y < n_classes], y[y < n_classes])


def test_weights_have_the_shapes_of_mlp_classifier_and_are_float32(fitted):
    n_classes, model = fitted
    n_outputs = {2: 1, 3: 3}[n_classes]
    assert [kernel.shape for kernel in model.coefs_] == [(4, 8), (8, 4), (4, n_outputs)]
    assert [bias.shape for bias in model.intercepts_] == [(8,), (4,), (n_outputs,)]
    assert {array.dtype.name for array in (*model.coefs_, *model.intercepts_)} == {"float32"}


def test_layers_and_outputs_are_those_of_mlp_classifier(fitted):
    n_classes, model = fitted
    expected = {2: (4, 1, "logistic"), 3: (4, 3, "softmax")}[n_classes]
    assert (model.n_layers_, model.n_outputs_, model.out_activation_) == expected
    np.testing.assert_array_equal(model.classes_, np.arange(n_classes))


def test_loss_curve_has_a_loss_an_epoch(fitted):
    _, model = fitted
    assert model.n_iter_ == len(model.loss_curve_) == 5
    assert model.loss_ == model.loss_curve_[-1] < model.loss_curve_[0]


def test_mean_and_scale_have_a_value_a_column(fitted):
    _, model = fitted
    assert model.center_.shape == model.scale_.shape == (4,)


# -- probabilities -----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[3, 2], ids=["three classes", "two classes"])
def probable(request):
    """A classifier, the table of iris and its probabilities."""
    X, y = load_iris(return_X_y=True)
    rows = y >= 3 - request.param
    model = make_small(max_iter=30).fit(X[rows], y[rows])
    return model, X, model.predict_proba(X)


def test_probabilities_sum_to_one(probable):
    _, _, probabilities = probable
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_log_probabilities_are_logarithms_of_the_probabilities(probable):
    model, X, probabilities = probable
    np.testing.assert_allclose(np.log(probabilities), model.predict_log_proba(X))


def test_the_most_probable_class_is_predicted(probable):
    model, X, probabilities = probable
    best = model.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(model.predict(X), best)


def test_differences_of_logits_are_logarithms_of_ratios(probable):
    model, X, probabilities = probable
    logits = model.decision_function(X)
    if logits.ndim == 1:
        logits = np.stack([np.zeros_like(logits), logits], axis=1)
    ratios = np.log(probabilities[:, 1:] / probabilities[:, :1])
    np.testing.assert_allclose(logits[:, 1:] - logits[:, :1], ratios, atol=1e-9)


def test_float32_tables_give_float32_probabilities(iris):
    X, y = iris
    model = make_small().fit(X.astype(np.float32), y)
    single = model.predict_proba(X.astype(np.float32))
    assert single.dtype == np.float32
    assert model.predict_proba(X).dtype == np.float64
    np.testing.assert_allclose(single, model.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_far_away_have_finite_probabilities(iris, dtype, standardize):
    X, y = iris
    model = make_small(max_iter=30, standardize=standardize).fit(X, y)
    for sign in (1, -1):
        far = np.full((1, 4), sign * np.finfo(dtype).max, dtype=dtype)
        assert np.isfinite(model.predict_proba(far)).all()
        assert np.isfinite(model.predict_log_proba(far)).all()


# -- tables that are hard to learn -------------------------------------------------------------


UNUSUAL = {
    "values of 1e300": lambda X: X * 1e300,
    "values at the end of float64": lambda X: X / np.abs(X).max() * 1.7e308,
    "values of 1e-300": lambda X: X * 1e-300,
    "values far from zero": lambda X: X + 1e9,
    "constant columns": lambda X: np.hstack([X, np.ones((len(X), 3)) * [0, 0.1, 1e300]]),
    "one column": lambda X: X[:, [2]],
    "5,000 columns": lambda X: np.hstack([X, np.zeros((len(X), 4996))]),
    "all rows twice": lambda X: X,
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_but_finite_tables_are_learned(iris, name):
    X, y = iris
    X = UNUSUAL[name](X)
    if name == "all rows twice":
        X, y = X.repeat(2, axis=0), y.repeat(2)
    model = make_small(max_iter=150, dropout=0.1, learning_rate_init=5e-3).fit(X, y)
    assert model.score(X, y) > 0.85
    assert np.isfinite(model.predict_log_proba(X)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_column_with_both_ends_of_the_range_of_floats_is_learned(dtype):
    signs = np.random.default_rng(0).choice([-1, 1], size=(100, 4))
    X = (signs * (0.95 * np.finfo(dtype).max)).astype(dtype)
    model = make_small(max_iter=150, dropout=0.1, l2=1e-3).fit(X, signs[:, 0])
    assert model.score(X, signs[:, 0]) > 0.95
    assert np.isfinite(model.predict_log_proba(X)).all()


def test_a_column_of_the_smallest_numbers_is_fitted(iris):
    X, y = iris
    model = make_small().fit((X > 3) * 5e-324, y)
    assert np.isfinite(model.predict_proba((X > 3) * 5e-324)).all()
