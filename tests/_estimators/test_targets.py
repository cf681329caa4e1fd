"""Targets: labels, class weights, several labels a row, and numbers on their own scale."""

import numpy as np
import pytest
from helpers import assert_same_network, in_full
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, make_multilabel_classification
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._estimators.fit import prepare_fit, read_settings
from skreg._nn.losses import REGRESSION_LOSSES

LOSSES = in_full(
    ["squared_error", "absolute_error", "huber", "quantile", "poisson"], "huber", "quantile"
)


def make_classifier(**changes):
    values = {"hidden_layer_sizes": (8, 4), "max_iter": 5, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


def make_multilabel_classifier(**changes):
    values = {"hidden_layer_sizes": (16,), "dropout": 0.1, "l2": 1e-3, "max_iter": 3}
    return RegularizedMLPClassifier(**{**values, "random_state": 0, **changes})


def make_regressor(**changes):
    values = {"hidden_layer_sizes": (16, 8), "dropout": 0.1, "max_iter": 100, "random_state": 0}
    return RegularizedMLPRegressor(**{**values, **changes})


# -- labels ------------------------------------------------------------------------------------

LABELS = {
    "strings": np.array(["no", "yes"]),
    "objects": np.array(["b", "a"], dtype=object),
    "booleans": np.array([False, True]),
    "minus one and one": np.array([-1, 1]),
    "floats": np.array([0.5, 2.0]).round(),
    "unsigned integers": np.array([3, 250], dtype=np.uint8),
    "large integers": np.array([-(2**40), 2**40]),
}


@pytest.fixture(scope="module", params=LABELS.values(), ids=LABELS.keys())
def labelled(request):
    """Two labels, the table, its labels, and a classifier that was fitted on them."""
    X, y = load_breast_cancer(return_X_y=True)
    labels = request.param
    return labels, X, labels[y], make_classifier(max_iter=20).fit(X, labels[y])


def test_predictions_are_labels_of_the_same_type(labelled):
    labels, X, _, model = labelled
    predicted = model.predict(X)
    assert predicted.dtype == labels.dtype
    assert set(predicted) == set(labels)


def test_labels_of_any_type_are_learned(labelled):
    _, X, y, model = labelled
    assert model.score(X, y) > 0.9


def test_classes_are_the_sorted_labels(labelled):
    labels, _, _, model = labelled
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    assert model.classes_.dtype == labels.dtype


@pytest.mark.parametrize(
    "names", [np.array([0, 1000, 2000]), np.array([-3, -2, -1]), np.array(["a", "b", "c"])]
)
def test_other_labels_do_not_change_the_network(iris, names):
    X, y = iris
    assert_same_network(make_classifier().fit(X, y), make_classifier().fit(X, names[y]))


def test_a_label_of_zero_has_no_sign():
    X, signs = np.array([[0.0], [1], [2], [3]]), np.array([-0.0, 1, 0.0, 1])
    for order in ([0, 1, 2, 3], [2, 1, 0, 3]):
        model = make_classifier().fit(X[order], signs[order])
        assert not np.signbit(model.classes_).any()


def test_150_classes_are_learned():
    centres = np.random.default_rng(0).normal(size=(150, 20)) * 3
    y = np.arange(150).repeat(6)
    X = centres[y] + np.random.default_rng(1).normal(size=(900, 20))
    model = RegularizedMLPClassifier(
        dropout=0.1, l2=0, max_iter=60, learning_rate_init=5e-3, random_state=0
    )
    assert model.fit(X, y).score(X, y) > 0.9
    assert model.predict_proba(X).shape == (900, 150)


def test_a_single_class_is_predicted_with_probability_one(iris):
    X, _ = iris
    model = make_classifier().fit(X, ["only"] * 150)
    assert set(model.predict(X)) == {"only"}
    np.testing.assert_array_equal(model.predict_proba(X), np.ones((150, 1)))
    np.testing.assert_array_equal(model.predict_log_proba(X), np.zeros((150, 1)))


def test_a_class_of_weight_zero_is_listed_and_hardly_predicted(iris):
    X, y = iris
    model = make_classifier(max_iter=100, dropout=0.0)
    model.fit(X, y, sample_weight=(y != 1).astype(float))
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    assert model.predict_proba(X).shape == (150, 3)
    assert (model.predict(X) == 1).mean() < 0.05


def test_classes_of_one_row_among_many_rows_are_fitted(iris):
    X, y = iris
    y = y.copy()
    y[[0, 60]] = [3, 4]
    assert make_classifier().fit(X, y).predict_proba(X).shape == (150, 5)


def test_classes_of_one_row_each_are_learned():
    model = make_classifier(max_iter=300, dropout=0.0, learning_rate_init=1e-2)
    model.fit(np.eye(3), ["a", "b", "c"])
    assert model.predict(np.eye(3)).tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("n_columns", [3, 1])
def test_the_label_of_a_single_row_is_predicted(n_columns):
    X = np.eye(3)[:, :n_columns]
    assert make_classifier().fit(X[:1], [7]).predict(X).tolist() == [7, 7, 7]


def test_equal_rows_with_different_labels_have_the_shares_of_the_labels():
    X, y = np.full((100, 3), 7.5), np.array([0] * 25 + [1] * 75)
    # Two distinct rows are one step an epoch.
    model = make_classifier(max_iter=1000, dropout=0.0, l2=0.0).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X[:1]), [[0.25, 0.75]], atol=0.02)


# -- class weights -----------------------------------------------------------------------------

CLASS_WEIGHTS = {
    "dict": ({0: 0.3, 1: 2.0, 2: 1.0}, {0: 0.3, 1: 2.0, 2: 1.0}),
    "partial dict": ({0: 0.5}, {0: 0.5, 1: 1.0, 2: 1.0}),
    "balanced": ("balanced", "balanced"),
}


@pytest.mark.parametrize(
    ("class_weight", "complete"), CLASS_WEIGHTS.values(), ids=CLASS_WEIGHTS.keys()
)
def test_class_weight_multiplies_the_weights_of_the_rows(iris, class_weight, complete):
    X, y = (array[:120] for array in iris)  # 50, 50 and 20 rows, all different
    # Weights of rows may be counts, which l2="auto" divides by; class weights are none.
    model = make_classifier(class_weight=class_weight, l2=1e-3).fit(X, y)
    factors = compute_sample_weight(complete, y)
    assert_same_network(model, make_classifier(l2=1e-3).fit(X, y, sample_weight=factors))
    assert model.loss_curve_ != make_classifier(l2=1e-3).fit(X, y).loss_curve_


# -- several labels a row ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def multilabel():
    X, Y = make_multilabel_classification(600, 10, n_classes=4, random_state=0)
    return X[:400], Y[:400], X[400:], Y[400:]


@pytest.fixture(scope="module")
def multilabel_model(multilabel):
    X, Y, *_ = multilabel
    return make_multilabel_classifier(max_iter=60).fit(X, Y)


def test_several_labels_a_row_are_learned(multilabel, multilabel_model):
    _, _, X, Y = multilabel
    assert (multilabel_model.predict(X) == Y).mean() > 0.8


def test_predictions_of_several_labels_agree(multilabel, multilabel_model):
    _, _, X, Y = multilabel
    model = multilabel_model
    probabilities = model.predict_proba(X)
    assert probabilities.shape == Y.shape == model.decision_function(X).shape
    np.testing.assert_array_equal(model.predict(X), (probabilities > 0.5).astype(int))
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(probabilities))


def test_attributes_of_several_labels_are_those_of_mlp_classifier(multilabel_model):
    assert (multilabel_model.n_outputs_, multilabel_model.out_activation_) == (4, "logistic")
    np.testing.assert_array_equal(multilabel_model.classes_, np.arange(4))


INDICATORS = {
    "booleans": lambda Y: Y.astype(bool),
    "floats": lambda Y: Y.astype(float),
    "sparse": sparse.csr_array,
    "lists": lambda Y: Y.tolist(),
}


@pytest.mark.parametrize("convert", INDICATORS.values(), ids=INDICATORS.keys())
def test_indicators_of_any_type_give_the_same_network(multilabel, convert):
    X, Y, *_ = multilabel
    expected = make_multilabel_classifier().fit(X, Y)
    assert_same_network(expected, make_multilabel_classifier().fit(X, convert(Y)))


@pytest.fixture(scope="module")
def weighted_multilabel_model(multilabel):
    """The counts of the rows, and a network with these weights and a weight for each label."""
    X, Y, *_ = multilabel
    counts = np.random.default_rng(0).integers(0, 4, size=len(Y))
    class_weight = [{0: 1.0, 1: 2.0}, {}, {1: 0.5}, {0: 3.0}]
    model = make_multilabel_classifier(class_weight=class_weight)
    return counts, model.fit(X, Y, sample_weight=counts)


def test_weighted_rows_of_several_labels_equal_repeated_rows(multilabel, weighted_multilabel_model):
    X, Y, *_ = multilabel
    counts, weighted = weighted_multilabel_model
    repeated = make_multilabel_classifier(class_weight=weighted.class_weight)
    repeated.fit(X.repeat(counts, axis=0), Y.repeat(counts, axis=0))
    assert_same_network(weighted, repeated)


def test_class_weights_of_several_labels_multiply(multilabel, weighted_multilabel_model):
    X, Y, *_ = multilabel
    counts, weighted = weighted_multilabel_model
    complete = [{0: 1.0, 1: 2.0}, {0: 1.0, 1: 1.0}, {0: 1.0, 1: 0.5}, {0: 3.0, 1: 1.0}]
    factors = counts * compute_sample_weight(complete, Y)
    by_row = make_multilabel_classifier().fit(X, Y, sample_weight=factors)
    assert_same_network(weighted, by_row)


def test_balanced_weights_of_several_labels_are_those_of_scikit_learn(multilabel):
    X, Y, *_ = multilabel
    balanced = make_multilabel_classifier(class_weight="balanced").fit(X, Y)
    factors = compute_sample_weight("balanced", Y)
    by_row = make_multilabel_classifier().fit(X, Y, sample_weight=factors)
    np.testing.assert_allclose(balanced.loss_curve_, by_row.loss_curve_, rtol=1e-5)


@pytest.mark.parametrize("class_weight", [{0: 1.0}, [{0: 1.0}]])
def test_class_weights_of_another_shape_than_the_labels_are_refused(multilabel, class_weight):
    X, Y, *_ = multilabel
    with pytest.raises(ValueError, match=r"class_weight: expected 'balanced' or a list of 4 dicts"):
        make_multilabel_classifier(class_weight=class_weight).fit(X, Y)


# -- numbers -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def numbers():
    X, y = load_diabetes(return_X_y=True)
    return X[:300], y[:300], X[300:], y[300:]


@pytest.mark.parametrize("loss", LOSSES)
def test_targets_in_another_unit_are_learned_as_well(numbers, loss):
    """Only their scale is another one, and with it the order of the rows."""
    X, y, X_test, y_test = numbers
    one, other = (make_regressor(loss=loss, l2=1e-2).fit(X, unit * y) for unit in (1.0, 2.0**20))
    np.testing.assert_allclose(other.target_scale_, 2.0**20 * one.target_scale_, rtol=1e-12)
    np.testing.assert_allclose(one.loss_, other.loss_, rtol=0.05)
    assert abs(one.score(X_test, y_test) - other.score(X_test, 2.0**20 * y_test)) < 0.05


@pytest.mark.parametrize(
    ("factor", "shift"),
    [(1e300, 0), (1e-300, 0), (1.0, 1e9)],
    ids=["huge", "tiny", "far from zero"],
)
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_huge_tiny_and_far_targets_are_learned(numbers, loss, factor, shift):
    X, y, X_test, y_test = numbers
    model = make_regressor(loss=loss, l2=1e-2).fit(X, factor * y + shift)
    predicted = (model.predict(X_test) - shift) / factor
    assert 1 - ((predicted - y_test) ** 2).mean() / y_test.var() > 0.4


@pytest.mark.parametrize("loss", LOSSES)
def test_several_outputs_are_learned_each_on_its_own_scale(numbers, loss):
    X, y, X_test, y_test = numbers
    Y, Y_test = (np.c_[values, 1e6 * values, 400 - values] for values in (y, y_test))
    model = make_regressor(loss=loss, l2=1e-3).fit(X, Y)
    assert model.predict(X_test).shape == Y_test.shape
    assert model.n_outputs_ == 3
    assert model.score(X_test, Y_test) > 0.3


@pytest.mark.parametrize("loss", LOSSES)
def test_every_output_has_the_scale_that_it_has_alone(numbers, loss):
    X, y, _, _ = numbers
    one = make_regressor(loss=loss, max_iter=5).fit(X, y)
    twice = make_regressor(loss=loss, max_iter=5, dropout=0.0).fit(X, np.c_[y, y])
    assert len(one.target_scale_) == 1
    np.testing.assert_allclose(twice.target_scale_, one.target_scale_.repeat(2), rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, 3.25, 1e9])
@pytest.mark.parametrize("loss", LOSSES)
def test_constant_targets_are_predicted(numbers, loss, value):
    X, y, X_test, _ = numbers
    model = make_regressor(loss=loss, l2=1e-2, max_iter=200).fit(X, np.full(len(y), value))
    np.testing.assert_allclose(model.predict(X_test), value, atol=max(0.15, 0.1 * value))


def test_a_column_of_targets_is_a_vector_with_the_warning_of_scikit_learn(numbers):
    X, y, X_test, _ = numbers
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        model = make_regressor(max_iter=3).fit(X, y[:, None])
    of_vector = make_regressor(max_iter=3).fit(X, y)
    np.testing.assert_array_equal(model.predict(X_test), of_vector.predict(X_test))


def test_negative_targets_are_refused_for_poisson(numbers):
    X, y, _, _ = numbers
    with pytest.raises(ValueError, match=r"y: expected numbers >= 0 with loss='poisson'.*-1"):
        make_regressor(loss="poisson").fit(X, np.where(y > 100, y, -1.0))


@pytest.mark.parametrize(
    ("target", "message"),
    [(np.array(["a"] * 300), "could not convert string"), (np.full(300, np.nan), "y contains NaN")],
    ids=["strings", "NaN"],
)
def test_targets_that_are_no_numbers_are_refused(numbers, target, message):
    X, *_ = numbers
    with pytest.raises(ValueError, match=message) as caught:
        make_regressor().fit(X, target)
    assert "in X" not in str(caught.value)


def test_the_share_of_a_class_without_rows_may_be_below_float64():
    model = RegularizedMLPClassifier(random_state=0)
    model.partial_fit([[1.0]], [1], sample_weight=[1e300], classes=[0, 1])
    assert np.isfinite(model.predict_proba([[1.0]])).all()


def test_a_loss_times_a_huge_weight_does_not_overflow():
    X, y = load_diabetes(return_X_y=True)
    y = np.where(np.arange(len(y)) == 0, 1e30, y)
    weight = np.where(y > 150, 1e300, 1e299)
    model = make_regressor(max_iter=1).fit(X, y, weight)
    assert_same_network(model, make_regressor(max_iter=1).fit(X, y, weight / 1e299))


# -- best constants ----------------------------------------------------------------------------


def find_constant(model, y, weight):
    """The targets, the merged rows, the parameters of the loss, and the logits of the constant."""
    X = np.arange(len(y))[:, None]
    fit = prepare_fit(model, model._make_request(X, y, weight), read_settings(model))
    parameters = fit.settings.hyper.loss_parameters
    return fit.targets, fit.rows, parameters, fit.targets.find_constant(fit.rows, parameters)


DUMMIES = {
    "squared_error": {"strategy": "mean"},
    "poisson": {"strategy": "mean"},
    "absolute_error": {"strategy": "median"},
    "quantile": {"strategy": "quantile", "quantile": 0.2},
}


@pytest.mark.parametrize("standardize_target", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_best_constant_of_numbers(loss, weighted, standardize_target):
    rng = np.random.default_rng(0)
    y = rng.lognormal(2, 1, size=301)
    weight = rng.uniform(0.1, 3, size=301) if weighted else None
    model = RegularizedMLPRegressor(loss=loss, quantile=0.2, standardize_target=standardize_target)
    targets, rows, parameters, constant = find_constant(model, y, weight)

    def measure(logit):
        return targets.compute_loss(np.full((len(rows.indices), 1), logit), rows, parameters)

    assert constant.shape == (1, 1)
    # The loss of a quantile is flat between two targets.
    nearby = min(measure(constant[0, 0] + shift) for shift in (-0.02, 0.02))
    assert measure(constant[0, 0]) <= nearby + 1e-9
    if loss in DUMMIES:
        dummy = DummyRegressor(**DUMMIES[loss]).fit(y[:, None], y, weight)
        attributes = targets.attributes
        scaled = targets.loss.link.predict(constant)
        predicted = attributes["target_center_"] + attributes["target_scale_"] * scaled
        np.testing.assert_allclose(predicted[0], dummy.constant_[0], rtol=0.02)


def test_best_constants_of_several_columns_and_quantiles():
    y = np.random.default_rng(0).lognormal(size=(300, 2))
    levels, options = (0.1, 0.5), {"standardize_target": False}
    *_, constant = find_constant(RegularizedMLPRegressor(**options), y, None)
    np.testing.assert_allclose(constant[0], y.mean(axis=0), rtol=1e-6)
    model = RegularizedMLPRegressor(loss="quantile", quantile=levels, **options)
    *_, constant = find_constant(model, y[:, 0], None)
    np.testing.assert_allclose(constant[0], np.quantile(y[:, 0], levels), rtol=0.02)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_best_constant_of_classes(n_classes):
    rng = np.random.default_rng(0)
    y, weight = rng.integers(0, n_classes, size=200) ** 2, rng.uniform(0.1, 3, size=200)
    targets, rows, parameters, constant = find_constant(RegularizedMLPClassifier(), y, weight)
    dummy = DummyClassifier(strategy="prior").fit(y[:, None], y, weight)
    logits = constant.repeat(len(rows.indices), axis=0)
    expected = log_loss(y, dummy.predict_proba(y[:, None]), sample_weight=weight)
    np.testing.assert_allclose(targets.compute_loss(logits, rows, parameters), expected, rtol=1e-6)
