"""The classifier's contracts: labels, tables, attributes, randomness, weights."""

import os
import pickle
import random

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning

from skreg import RegularizedMLPClassifier


def small(**changes):
    values = {"hidden_layer_sizes": (8, 4), "max_iter": 5, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


def assert_same_network(left, right):
    assert left.loss_curve_ == right.loss_curve_
    for one, other in zip(left.coefs_, right.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.mark.parametrize(
    ("n_classes", "n_outputs", "link"), [(2, 1, "logistic"), (3, 3, "softmax")]
)
def test_attributes_have_the_names_and_shapes_of_mlp_classifier(iris, n_classes, n_outputs, link):
    X, y = iris
    X, y = X[y < n_classes], y[y < n_classes]
    model = small().fit(X, y)
    assert [kernel.shape for kernel in model.coefs_] == [(4, 8), (8, 4), (4, n_outputs)]
    assert [bias.shape for bias in model.intercepts_] == [(8,), (4,), (n_outputs,)]
    assert (model.n_layers_, model.n_outputs_, model.out_activation_) == (4, n_outputs, link)
    assert model.n_iter_ == len(model.loss_curve_) == 5
    assert model.loss_ == model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.mean_.shape == model.scale_.shape == (4,)
    np.testing.assert_array_equal(model.classes_, np.arange(n_classes))


LABELS = {
    "strings": np.array(["no", "yes"]),
    "objects": np.array(["b", "a"], dtype=object),
    "booleans": np.array([False, True]),
    "minus one and one": np.array([-1, 1]),
    "floats": np.array([0.5, 2.0]).round(),
    "unsigned": np.array([3, 250], dtype=np.uint8),
    "far apart": np.array([-(2**40), 2**40]),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
def test_labels_of_any_kind_come_back_as_they_went_in(labels):
    X, y = load_breast_cancer(return_X_y=True)
    model = small(max_iter=20).fit(X, labels[y])
    predicted = model.predict(X)
    assert predicted.dtype == labels.dtype
    assert set(predicted) == set(labels)
    assert model.score(X, labels[y]) > 0.9
    np.testing.assert_array_equal(model.classes_, np.unique(labels))


def test_150_classes_are_learned():
    centres = np.random.default_rng(0).normal(size=(150, 20)) * 3
    y = np.arange(150).repeat(6)
    X = centres[y] + np.random.default_rng(1).normal(size=(900, 20))
    model = RegularizedMLPClassifier(
        dropout=0.1, l2=0, max_iter=60, learning_rate_init=5e-3, random_state=0
    )
    assert model.fit(X, y).score(X, y) > 0.9
    assert model.predict_proba(X).shape == (900, 150)


def test_one_class_only_is_predicted(iris):
    X, _ = iris
    model = small().fit(X, ["only"] * 150)
    assert set(model.predict(X)) == {"only"}
    np.testing.assert_array_equal(model.predict_proba(X), np.ones((150, 1)))


def test_class_of_zero_weight_is_listed_and_hardly_predicted(iris):
    X, y = iris
    model = small(max_iter=100, dropout=0.0).fit(X, y, sample_weight=(y != 1).astype(float))
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    assert model.predict_proba(X).shape == (150, 3)
    assert (model.predict(X) == 1).mean() < 0.05


def test_probabilities_logits_and_labels_agree(iris):
    X, y = iris
    for kept in (y >= 0, y > 0):
        model = small(max_iter=30).fit(X[kept], y[kept])
        probabilities = model.predict_proba(X)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        np.testing.assert_allclose(np.log(probabilities), model.predict_log_proba(X))
        best = model.classes_[probabilities.argmax(axis=1)]
        np.testing.assert_array_equal(model.predict(X), best)
        logits = model.decision_function(X)
        if logits.ndim == 1:
            logits = np.stack([np.zeros_like(logits), logits], axis=1)
        ratios = np.log(probabilities[:, 1:] / probabilities[:, :1])
        np.testing.assert_allclose(logits[:, 1:] - logits[:, :1], ratios, atol=1e-9)


TABLES = {
    "read-only": lambda X: np.frombuffer(X.tobytes()).reshape(X.shape),
    "by columns": np.asfortranarray,
    "strided": lambda X: X.repeat(2, axis=0)[::2],
    "lists": lambda X: X.tolist(),
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcd")),
}


@pytest.mark.parametrize("convert", TABLES.values(), ids=TABLES.keys())
def test_any_table_of_the_same_numbers_gives_the_same_bits(iris, convert):
    X, y = iris
    expected = small().fit(X, y)
    model = small().fit(convert(X), y)
    assert_same_network(expected, model)
    np.testing.assert_array_equal(expected.predict_proba(X), model.predict_proba(convert(X)))


def test_memory_mapped_tables_and_integers_are_read_in_place(iris, tmp_path):
    X, y = iris
    joblib.dump(X, tmp_path / "X")
    mapped = joblib.load(tmp_path / "X", mmap_mode="r")
    assert_same_network(small().fit(X, y), small().fit(mapped, y))
    whole = (10 * X).astype(np.int16)
    assert_same_network(small().fit(whole, y), small().fit(whole.astype(float), y))
    flags = X > X.mean(axis=0)
    assert_same_network(small().fit(flags, y), small().fit(flags.astype(float), y))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint64, np.float16])
def test_tables_of_small_types_are_fitted_without_standardising(iris, dtype):
    X, y = iris
    model = small(standardize=False).fit((X > 3).astype(dtype), y)
    assert np.isfinite(model.predict_proba((X > 3).astype(dtype))).all()


def test_epsilon_below_float32_does_no_harm(iris):
    model = small(epsilon=1e-60).fit(*iris)
    assert np.isfinite(model.loss_curve_).all()


def test_names_of_columns_are_kept_and_checked(iris):
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = small().fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[list("dcba")])


def test_float32_tables_give_float32_probabilities(iris):
    X, y = iris
    model = small().fit(X.astype(np.float32), y)
    single = model.predict_proba(X.astype(np.float32))
    assert single.dtype == np.float32
    assert model.predict_proba(X).dtype == np.float64
    np.testing.assert_allclose(single, model.predict_proba(X), atol=1e-5)


def test_same_random_state_same_bits_other_random_state_other_network(iris):
    X, y = iris
    assert_same_network(small().fit(X, y), small().fit(X, y))
    twice = small()
    curve = twice.fit(X, y).loss_curve_
    assert twice.fit(X, y).loss_curve_ == curve
    assert small(random_state=1).fit(X, y).loss_curve_ != curve
    state = np.random.RandomState(0)
    first = small(random_state=state).fit(X, y).loss_curve_
    assert first == curve
    assert small(random_state=state).fit(X, y).loss_curve_ != curve


def test_fit_touches_no_global_seed_environment_or_parameter(iris):
    X, y = iris
    small().fit(X, y)  # TensorFlow is imported
    model = small(dropout=[0.1, 0.2], l2=np.array([0.1, 0.2, 0.3]), hidden_layer_sizes=[8, 4])
    before = model.get_params()
    generators = np.random.get_state()[1].copy(), random.getstate()
    environment = dict(os.environ)
    model.fit(X, y)
    np.testing.assert_array_equal(np.random.get_state()[1], generators[0])
    assert random.getstate() == generators[1]
    assert dict(os.environ) == environment
    assert all(model.get_params()[name] is value for name, value in before.items())


def test_clone_and_parameters_make_the_round(iris):
    X, y = iris
    model = small(dropout=(0.1, 0.3), l2=1e-2).fit(X, y)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "coefs_")
    assert_same_network(model, copy.fit(X, y))
    assert copy.set_params(dropout=0.2).get_params()["dropout"] == 0.2


def test_pickle_predicts_alike_and_is_no_larger_than_its_weights(tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    model = RegularizedMLPClassifier(max_iter=2, random_state=0).fit(X, y)
    data = pickle.dumps(model)
    weights = sum(array.nbytes for array in (*model.coefs_, *model.intercepts_))
    assert len(data) < weights + 8192
    joblib.dump(model, tmp_path / "model")
    for copy in (pickle.loads(data), joblib.load(tmp_path / "model")):
        np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))


def test_later_set_params_do_not_change_a_fitted_network(iris):
    X, y = iris
    model = small().fit(X, y)
    expected = model.predict_proba(X)
    model.set_params(activation="tanh", standardize=False, hidden_layer_sizes=(3,))
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_prediction_in_blocks_is_that_row_by_row(monkeypatch):
    X, y = make_classification(400, 6, random_state=0)
    model = small().fit(X, y)
    whole = model.predict_proba(X)
    rows = np.vstack([model.predict_proba(row[None]) for row in X])
    np.testing.assert_allclose(whole, rows, rtol=1e-12)
    monkeypatch.setattr("skreg._rows._BLOCK_VALUES", 64)
    np.testing.assert_allclose(model.predict_proba(X), whole, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_prediction_needs_no_second_copy_of_the_table(dtype):
    import tracemalloc

    model = small().fit(*make_classification(200, 100, random_state=0))
    X = np.random.default_rng(0).integers(-3, 3, size=(200_000, 100)).astype(dtype)
    tracemalloc.start()
    try:
        model.predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * X.nbytes


def test_verbose_prints_a_line_an_epoch(iris, capsys):
    small(verbose=1).fit(*iris)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("Iteration 1, loss = ")
    small().fit(*iris)
    assert capsys.readouterr().out == ""


def test_tol_stops_and_warns_only_where_it_was_asked_for(iris):
    small(max_iter=2).fit(*iris)  # a warning would be an error here
    with pytest.warns(ConvergenceWarning, match="still improving by more than tol=0.0 when max_"):
        small(max_iter=2, tol=0.0).fit(*iris)
    model = small(max_iter=1000, tol=1e-2, n_iter_no_change=3).fit(*iris)
    assert model.n_iter_ < 1000


def test_divergence_is_a_warning_that_names_the_epoch_and_never_a_nan(iris):
    X, y = iris
    model = small(solver="sgd", learning_rate_init=1e10, max_iter=50)
    with pytest.warns(ConvergenceWarning, match=r"not finite in epoch \d+.*learning_rate_init"):
        model.fit(X, y)
    assert model.n_iter_ < 50
    assert np.isfinite(model.predict_proba(X)).all()
    assert all(np.isfinite(kernel).all() for kernel in model.coefs_)


UNUSUAL = {
    "values of 1e300": lambda X: X * 1e300,
    "values at the end of float64": lambda X: X / np.abs(X).max() * 1.7e308,
    "values of 1e-300": lambda X: X * 1e-300,
    "far from zero": lambda X: X + 1e9,
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
    model = small(max_iter=150, dropout=0.1, learning_rate_init=5e-3).fit(X, y)
    assert model.score(X, y) > 0.85
    assert np.isfinite(model.predict_log_proba(X)).all()


def test_one_row_a_class_and_one_row_in_all_are_fitted():
    X = np.eye(3)
    model = small(max_iter=300, dropout=0.0, learning_rate_init=1e-2).fit(X, ["a", "b", "c"])
    assert model.predict(X).tolist() == ["a", "b", "c"]
    assert small().fit(X[:1], [7]).predict(X).tolist() == [7, 7, 7]


def test_classes_that_appear_once_among_many_rows_are_fitted(iris):
    X, y = iris
    y = y.copy()
    y[[0, 60]] = [3, 4]
    assert small().fit(X, y).predict_proba(X).shape == (150, 5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_far_away_have_finite_probabilities(iris, dtype):
    X, y = iris
    model = small(max_iter=30).fit(X, y)
    for sign in (1, -1):
        far = np.full((1, 4), sign * np.finfo(dtype).max, dtype=dtype)
        assert np.isfinite(model.predict_proba(far)).all()
        assert np.isfinite(model.predict_log_proba(far)).all()
