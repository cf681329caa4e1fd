"""The classifier's contracts: labels, tables, attributes, randomness, weights."""

import copy
import os
import pickle
import random
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_sample_weight

from skreg import RegularizedMLPClassifier


def small(**changes):
    values = {"hidden_layer_sizes": (8, 4), "max_iter": 5, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


def assert_same_network(left, right):
    assert left.loss_curve_ == right.loss_curve_
    for name in ("coefs_", "intercepts_"):
        for one, other in zip(getattr(left, name), getattr(right, name), strict=True):
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
    assert {array.dtype.name for array in (*model.coefs_, *model.intercepts_)} == {"float32"}
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
    assert model.classes_.dtype == labels.dtype


@pytest.mark.parametrize(
    "names", [np.array([0, 1000, 2000]), np.array([-3, -2, -1]), np.array(["a", "b", "c"])]
)
def test_names_of_the_labels_change_nothing_but_the_names(iris, names):
    X, y = iris
    assert_same_network(small().fit(X, y), small().fit(X, names[y]))


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
    np.testing.assert_array_equal(model.predict_log_proba(X), np.zeros((150, 1)))


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
    "other byte order": lambda X: X.astype(X.dtype.newbyteorder()),
    "objects": lambda X: X.astype(object),
    "lists": lambda X: X.tolist(),
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "pandas, nullable": lambda X: pd.DataFrame(X, columns=list("abcd")).astype("Float64"),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcd")),
}


@pytest.mark.parametrize("convert", TABLES.values(), ids=TABLES.keys())
def test_any_table_of_the_same_numbers_gives_the_same_bits(iris, convert):
    X, y = iris
    expected = small().fit(X, y)
    model = small().fit(convert(X), y)
    assert_same_network(expected, model)
    np.testing.assert_array_equal(expected.predict_proba(X), model.predict_proba(convert(X)))


def test_memory_mapped_and_narrower_tables_give_the_bits_of_their_values(iris, tmp_path):
    X, y = iris
    joblib.dump(X, tmp_path / "X")
    mapped = joblib.load(tmp_path / "X", mmap_mode="r")
    assert_same_network(small().fit(X, y), small().fit(mapped, y))
    whole = (10 * X).astype(np.int16)
    assert_same_network(small().fit(whole, y), small().fit(whole.astype(float), y))
    flags = X > X.mean(axis=0)
    assert_same_network(small().fit(flags, y), small().fit(flags.astype(float), y))
    single = X.astype(np.float32)
    assert_same_network(small().fit(single, y), small().fit(single.astype(float), y))


def test_frames_of_mixed_column_types_are_read_as_numbers(iris):
    X, y = iris
    values = np.c_[X[:, 0], (10 * X[:, 1]).astype(int), X[:, 2] > 3]
    columns = {"a": X[:, 0], "b": (10 * X[:, 1]).astype(int), "c": X[:, 2] > 3}
    for frame in (pd.DataFrame(columns), pl.DataFrame(columns)):
        assert_same_network(small().fit(frame, y), small().fit(values, y))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint64, np.float16])
def test_tables_of_small_types_are_fitted_without_standardising(iris, dtype):
    X, y = iris
    model = small(standardize=False).fit((X > 3).astype(dtype), y)
    assert np.isfinite(model.predict_proba((X > 3).astype(dtype))).all()


def test_order_of_the_rows_changes_no_bit(iris):
    X, y = iris
    order = np.random.default_rng(0).permutation(150)
    assert_same_network(small().fit(X, y), small().fit(X[order], y[order]))


def test_weight_k_is_k_copies_and_weight_zero_is_no_row(iris):
    X, y = iris
    counts = np.random.default_rng(0).integers(0, 4, size=150)
    assert {0, 1, 2, 3} == set(counts)
    weighted = small().fit(X, y, sample_weight=counts)
    assert_same_network(weighted, small().fit(X.repeat(counts, axis=0), y.repeat(counts)))
    kept = counts > 0
    subset = small().fit(X[kept], y[kept])
    assert_same_network(subset, small().fit(X, y, sample_weight=kept))
    assert subset.loss_curve_ != weighted.loss_curve_ != small().fit(X, y).loss_curve_


CLASS_WEIGHTS = {"dict": {0: 0.3, 1: 2.0, 2: 1.0}, "partial": {0: 0.5}, "balanced": "balanced"}


@pytest.mark.parametrize("class_weight", CLASS_WEIGHTS.values(), ids=CLASS_WEIGHTS.keys())
def test_class_weight_multiplies_the_weights_of_the_rows(iris, class_weight):
    X, y = (array[:120] for array in iris)  # 50, 50 and 20 rows, without copies
    if class_weight == CLASS_WEIGHTS["partial"]:
        factors = np.where(y == 0, 0.5, 1.0)
        class_weight = {0: 0.5, 1: 1.0, 2: 1.0}
    else:
        factors = compute_sample_weight(class_weight, y)
    model = small(class_weight=class_weight).fit(X, y)
    assert_same_network(model, small().fit(X, y, sample_weight=factors))
    assert model.loss_curve_ != small().fit(X, y).loss_curve_


@pytest.mark.parametrize("factor", [1e300, 1e-300, 1e-310])
def test_a_common_factor_of_all_weights_changes_no_visit(iris, factor):
    X, y = iris
    X, y = np.unique(np.c_[X, y], axis=0)[:, :4], np.unique(np.c_[X, y], axis=0)[:, 4]
    model = small().fit(X, y, sample_weight=np.full(len(y), factor))
    assert np.isfinite(model.loss_curve_).all()
    if factor < 1:  # one visit a row, as without weights
        np.testing.assert_allclose(model.loss_curve_, small().fit(X, y).loss_curve_, rtol=1e-4)


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


def global_generators():
    """The state of NumPy's and of Python's; the position too, which is all that a draw moves."""
    name, words, *position = np.random.get_state()
    return name, words.tolist(), position, random.getstate()


def test_fit_touches_no_global_seed_environment_or_parameter(iris):
    X, y = iris
    small().fit(X, y)  # TensorFlow is imported
    model = small(dropout=[0.1, 0.2], l2=np.array([0.1, 0.2, 0.3]), hidden_layer_sizes=[8, 4])
    before, contents = model.get_params(), repr(model.get_params())
    generators = global_generators()
    environment = dict(os.environ)
    model.fit(X, y)
    assert global_generators() == generators
    assert dict(os.environ) == environment
    assert all(model.get_params()[name] is value for name, value in before.items())
    assert repr(model.get_params()) == contents


def test_no_random_state_draws_from_numpys_generator_as_scikit_learn_does(iris):
    before = np.random.get_state()
    try:
        np.random.seed(0)
        curve = small(random_state=None).fit(*iris).loss_curve_
        assert small(random_state=None).fit(*iris).loss_curve_ != curve
        np.random.seed(0)
        assert small(random_state=None).fit(*iris).loss_curve_ == curve
    finally:
        np.random.set_state(before)


def test_clone_and_parameters_make_the_round(iris):
    X, y = iris
    model = small(dropout=(0.1, 0.3), l2=1e-2).fit(X, y)
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert not hasattr(twin, "coefs_")
    assert_same_network(model, twin.fit(X, y))
    assert_same_network(model, RegularizedMLPClassifier().set_params(**twin.get_params()).fit(X, y))
    assert twin.set_params(dropout=0.2).get_params()["dropout"] == 0.2


def test_pickle_predicts_alike_and_is_no_larger_than_its_weights(tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    model = RegularizedMLPClassifier(max_iter=2, random_state=0).fit(X, y)
    data = pickle.dumps(model)
    weights = sum(array.nbytes for array in (*model.coefs_, *model.intercepts_))
    assert len(data) < weights + 8192
    joblib.dump(model, tmp_path / "model")
    twins = [pickle.loads(data), joblib.load(tmp_path / "model"), copy.deepcopy(model)]
    for twin in (*twins, copy.copy(model)):
        np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


def test_a_pickle_predicts_in_a_process_that_never_imports_tensorflow(iris, tmp_path):
    X, y = iris
    model = small().fit(X, y)
    joblib.dump((model, X), tmp_path / "model")
    code = (
        "import sys, joblib\n"
        "model, X = joblib.load(sys.argv[1])\n"
        "joblib.dump([model.predict(X), model.predict_proba(X)], sys.argv[1])\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "model"], check=True, timeout=120)
    labels, probabilities = joblib.load(tmp_path / "model")
    np.testing.assert_array_equal(labels, model.predict(X))
    np.testing.assert_array_equal(probabilities, model.predict_proba(X))


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
    monkeypatch.setattr("skreg._data.scaling._BLOCK_VALUES", 64)
    np.testing.assert_allclose(model.predict_proba(X), whole, rtol=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_prediction_needs_no_second_copy_of_the_table(dtype, order):
    import tracemalloc

    model = small().fit(*make_classification(200, 100, random_state=0))
    X = np.random.default_rng(0).integers(-3, 3, size=(200_000, 100)).astype(dtype, order=order)
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
    curve = small().fit(*iris).loss_curve_
    assert lines == [f"Iteration {k}, loss = {loss:.8f}" for k, loss in enumerate(curve, 1)]
    assert capsys.readouterr().out == ""


def test_tol_stops_and_warns_only_where_it_was_asked_for(iris):
    small(max_iter=2).fit(*iris)  # a warning would be an error here
    with pytest.warns(ConvergenceWarning, match="stopped improving by more than tol=0.0"):
        small(max_iter=2, tol=0.0).fit(*iris)
    model = small(max_iter=1000, tol=1e-2, n_iter_no_change=3).fit(*iris)
    assert model.n_iter_ == len(model.loss_curve_) < 1000


@pytest.mark.parametrize("rate", [1e3, 1e10])
@pytest.mark.parametrize("activation", ["relu", "tanh", "identity"])
def test_divergence_is_a_warning_that_names_the_epoch_and_never_a_nan(iris, activation, rate):
    X, y = iris
    model = small(solver="sgd", activation=activation, learning_rate_init=rate, max_iter=50)
    with pytest.warns(ConvergenceWarning, match=r"learning_rate_init \(now") as warned:
        model.fit(X, y)
    assert f"not finite in epoch {model.n_iter_}." in str(warned[0].message)
    assert warned[0].filename == __file__  # it points to the caller of fit
    assert model.n_iter_ == len(model.loss_curve_) < 50
    assert np.isfinite(model.predict_proba(X)).all()
    assert np.isfinite(model.predict_log_proba(X)).all()
    assert all(np.isfinite(array).all() for array in (*model.coefs_, *model.intercepts_))


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_ends_of_the_range_of_floats_in_one_column_are_learned(dtype):
    signs = np.random.default_rng(0).choice([-1, 1], size=(100, 4))
    X = (signs * (0.95 * np.finfo(dtype).max)).astype(dtype)
    model = small(max_iter=150, dropout=0.1).fit(X, signs[:, 0])
    assert model.score(X, signs[:, 0]) > 0.95
    assert np.isfinite(model.predict_log_proba(X)).all()


def test_rows_that_differ_only_in_their_labels_have_the_shares_of_the_labels():
    X, y = np.full((100, 3), 7.5), np.array([0] * 25 + [1] * 75)
    model = small(max_iter=300, dropout=0.0, l2=0.0).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X[:1]), [[0.25, 0.75]], atol=0.02)


def test_one_row_a_class_and_one_row_in_all_are_fitted():
    X = np.eye(3)
    model = small(max_iter=300, dropout=0.0, learning_rate_init=1e-2).fit(X, ["a", "b", "c"])
    assert model.predict(X).tolist() == ["a", "b", "c"]
    assert small().fit(X[:1], [7]).predict(X).tolist() == [7, 7, 7]
    assert small().fit(X[:1, :1], [7]).predict(X[:, :1]).tolist() == [7, 7, 7]


def test_classes_that_appear_once_among_many_rows_are_fitted(iris):
    X, y = iris
    y = y.copy()
    y[[0, 60]] = [3, 4]
    assert small().fit(X, y).predict_proba(X).shape == (150, 5)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_far_away_have_finite_probabilities(iris, dtype, standardize):
    X, y = iris
    model = small(max_iter=30, standardize=standardize).fit(X, y)
    for sign in (1, -1):
        far = np.full((1, 4), sign * np.finfo(dtype).max, dtype=dtype)
        assert np.isfinite(model.predict_proba(far)).all()
        assert np.isfinite(model.predict_log_proba(far)).all()


def test_a_failed_refit_leaves_the_model_as_it_was(iris):
    X, y = iris
    model = small().fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="class_weight"):
        model.set_params(class_weight={0: -1}).fit(X[:, :2], np.array(["u", "v", "w"])[y])
    np.testing.assert_array_equal(model.predict_proba(X), before)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])


def test_smallest_numbers_of_all_are_a_column_like_any_other(iris):
    X, y = iris
    model = small().fit((X > 3) * 5e-324, y)
    assert np.isfinite(model.predict_proba((X > 3) * 5e-324)).all()


def test_representation_has_every_parameter_with_its_description(iris):
    html = small().fit(*iris)._repr_html_()
    assert "RegularizedMLPClassifier" in html
    for name in ("dropout", "l2", "early_stopping"):
        assert name in html


def test_representation_links_to_the_documentation_that_the_package_names(iris, monkeypatch):
    import email.message

    import skreg._estimators.base

    message = email.message.Message()
    message["Project-URL"] = "Documentation, https://example.org/skreg"
    monkeypatch.setattr(skreg._estimators.base, "metadata", lambda name: message)
    html = small().fit(*iris)._repr_html_()
    assert "https://example.org/skreg#RegularizedMLPClassifier" in html
