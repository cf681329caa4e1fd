"""One fit: weights as frequencies, random states, tol, divergence and warm starts."""

import copy

import numpy as np
import pytest
from helpers import assert_same_network
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

X, y = load_iris(return_X_y=True)


def make_small(**changes):
    values = {"hidden_layer_sizes": (8, 4), "max_iter": 5, "numerical_encoding": None}
    return RegularizedMLPClassifier(**{**values, "random_state": 0, **changes})


@pytest.fixture(scope="module")
def unweighted():
    return make_small().fit(X, y)


# -- rows and weights --------------------------------------------------------------------------


def test_order_of_the_rows_changes_no_bit(unweighted):
    order = np.random.default_rng(0).permutation(150)
    assert_same_network(unweighted, make_small().fit(X[order], y[order]))


@pytest.fixture(scope="module")
def counted():
    """Weights from 0 to 3, and a classifier fitted with them."""
    counts = np.random.default_rng(0).integers(0, 4, size=150)
    assert {0, 1, 2, 3} == set(counts)
    return counts, make_small().fit(X, y, sample_weight=counts)


def test_a_row_of_weight_k_equals_k_copies(counted):
    counts, weighted = counted
    assert_same_network(weighted, make_small().fit(X.repeat(counts, axis=0), y.repeat(counts)))


def test_a_row_of_weight_zero_is_no_row(counted):
    counts, _ = counted
    subset = make_small().fit(X[counts > 0], y[counts > 0])
    assert_same_network(subset, make_small().fit(X, y, sample_weight=counts > 0))


def test_weights_change_the_network(counted, unweighted):
    counts, weighted = counted
    subset = make_small().fit(X, y, sample_weight=counts > 0)
    curves = subset.loss_curve_, weighted.loss_curve_, unweighted.loss_curve_
    assert len(set(map(tuple, curves))) == 3


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0.3, 1: 2.0}])
def test_weighted_rows_equal_repeated_rows_through_dropout_and_batches(class_weight):
    """Breast cancer and dropout, 40 epochs: bit for bit, in any order of the rows."""
    X, y = load_breast_cancer(return_X_y=True)
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 4, size=len(y))
    order = rng.permutation(weight.sum())
    model = RegularizedMLPClassifier(max_iter=40, class_weight=class_weight, random_state=0)
    weighted = model.fit(X, y, sample_weight=weight)
    repeated = RegularizedMLPClassifier(**model.get_params())
    repeated.fit(X.repeat(weight, axis=0)[order], y.repeat(weight)[order])
    assert_same_network(weighted, repeated)


def test_heavy_sparse_rows_equal_repeated_rows():
    """The heavy rows have many non-zeros, so the mean row of the repeated table has more."""
    rng = np.random.default_rng(0)
    share = np.where(np.arange(120) < 30, 0.2, 0.02)[:, None]
    table = np.where(rng.random((120, 200)) < share, rng.normal(size=(120, 200)), 0)
    labels, counts = np.arange(120) % 2, np.where(np.arange(120) < 30, 4, 1)
    weighted = make_small().fit(sparse.csr_array(table), labels, sample_weight=counts)
    copies = sparse.csr_array(table.repeat(counts, axis=0))
    assert_same_network(weighted, make_small().fit(copies, labels.repeat(counts)))


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 1.7}])
def test_class_weights_are_no_counts_of_rows(class_weight):
    rows = np.random.default_rng(0).normal(size=(500, 3))
    labels = np.arange(500) % 10 < 3  # 3 to 7, whose balanced weights are multiples of one number
    model = make_small(max_iter=1, class_weight=class_weight).fit(rows, labels)
    assert model.l2_ == make_small(max_iter=1).fit(rows, labels).l2_ == 6 / 500


def test_weights_below_one_times_two_give_the_same_network():
    """While every row has one visit, a common factor leaves every share of the loss as it is."""
    X, y = load_wine(return_X_y=True)
    weight = np.random.default_rng(0).uniform(0.1, 0.4, size=len(y))
    model = RegularizedMLPClassifier(max_iter=10, random_state=0)
    one = model.fit(X, y, sample_weight=weight)
    other = RegularizedMLPClassifier(**model.get_params()).fit(X, y, sample_weight=2 * weight)
    assert_same_network(one, other)


@pytest.fixture(scope="module")
def distinct():
    """The distinct rows of iris and their labels."""
    rows = np.unique(np.c_[X, y], axis=0)
    return rows[:, :4], rows[:, 4]


@pytest.mark.parametrize("factor", [1e3, 0.1, 3.0])
def test_weights_times_a_constant_give_the_same_network(distinct, factor):
    X, y = distinct
    weight = np.random.default_rng(0).uniform(0.2, 5, size=len(y))
    model, expected = (make_small().fit(X, y, sample_weight=w) for w in (factor * weight, weight))
    assert_same_network(expected, model)


# -- random states -----------------------------------------------------------------------------


def test_the_same_random_state_gives_the_same_network(unweighted):
    assert_same_network(unweighted, make_small().fit(X, y))


def test_a_second_fit_gives_the_same_network(unweighted):
    assert make_small().fit(X, y).fit(X, y).loss_curve_ == unweighted.loss_curve_


def test_another_random_state_gives_another_network(unweighted):
    assert make_small(random_state=1).fit(X, y).loss_curve_ != unweighted.loss_curve_


def test_a_random_state_object_moves_on_with_each_fit(unweighted):
    state = np.random.RandomState(0)
    assert make_small(random_state=state).fit(X, y).loss_curve_ == unweighted.loss_curve_
    assert make_small(random_state=state).fit(X, y).loss_curve_ != unweighted.loss_curve_


def test_random_state_none_draws_from_the_global_generator_of_numpy():
    before = np.random.get_state()
    try:
        np.random.seed(0)
        curve = make_small(random_state=None).fit(X, y).loss_curve_
        assert make_small(random_state=None).fit(X, y).loss_curve_ != curve
        np.random.seed(0)
        assert make_small(random_state=None).fit(X, y).loss_curve_ == curve
    finally:
        np.random.set_state(before)


# -- convergence -------------------------------------------------------------------------------


def test_max_iter_without_tol_does_not_warn():
    make_small(max_iter=2).fit(X, y)  # a warning would be an error here


def test_max_iter_before_tol_is_reached_warns():
    with pytest.warns(ConvergenceWarning, match="stopped improving by more than tol=0.0"):
        make_small(max_iter=2, tol=0.0).fit(X, y)


def test_tol_stops_the_fit():
    model = make_small(max_iter=1000, tol=1e-2, n_iter_no_change=3).fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) < 1000


def test_an_epsilon_that_float32_rounds_to_zero_keeps_losses_finite():
    assert np.isfinite(make_small(epsilon=1e-60).fit(X, y).loss_curve_).all()


@pytest.fixture(
    scope="module",
    params=[
        (activation, rate) for activation in ("relu", "tanh", "identity") for rate in (1e3, 1e10)
    ],
    ids=lambda param: f"{param[0]}-{param[1]:g}",
)
def diverged(request):
    """A classifier whose training diverged, and the warnings of its fit."""
    activation, rate = request.param
    model = make_small(solver="sgd", activation=activation, learning_rate_init=rate, max_iter=50)
    with pytest.warns(ConvergenceWarning, match=r"learning_rate_init \(now") as warned:
        model.fit(X, y)
    return model, warned


@pytest.mark.parametrize(
    "make", [RegularizedMLPClassifier, RegularizedMLPRegressor], ids=["classes", "numbers"]
)
def test_a_network_that_is_worse_than_a_constant_warns(make):
    # 75 steps, which are few.
    options = {"max_iter": 15, "numerical_encoding": None, "random_state": 0}
    model = make(learning_rate_init=50, **options)
    with pytest.warns(ConvergenceWarning, match="a constant predicts.*learning_rate_init"):
        model.fit(X, y)


@pytest.mark.parametrize("standardize_target", [True, False])
@pytest.mark.parametrize("loss", ["squared_error", "quantile", "poisson"])
def test_a_network_that_is_a_little_worse_than_a_constant_warns(loss, standardize_target):
    rng = np.random.default_rng(0)
    table, target = 2.5 * rng.normal(size=(200, 3)), rng.poisson(1.0, size=200).astype(float)
    options = {"loss": loss, "quantile": 0.5, "standardize_target": standardize_target}
    model = RegularizedMLPRegressor((8,), standardize=False, max_iter=20, random_state=0, **options)
    model.set_params(learning_rate_init=1e-30)  # it keeps its first weights
    with pytest.warns(ConvergenceWarning, match="a constant predicts the training rows"):
        model.fit(table, target)
    worst = -np.inf if loss == "poisson" else -8  # exp has no bound
    assert worst < model.score(table, target) < -0.5


def test_classes_that_a_constant_predicts_slightly_better_warn():
    """The units die. The loss ends less than one per cent above that of the shares of classes."""
    table, labels = load_breast_cancer(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="a constant .* a smaller l2") as caught:
        model = RegularizedMLPClassifier(learning_rate_init=5, random_state=0).fit(table, labels)
    shares = np.bincount(labels) / len(labels)
    constant = log_loss(labels, np.tile(shares, (len(labels), 1)))
    loss = log_loss(labels, model.predict_proba(table))
    assert constant < loss < 1.01 * constant
    expected = f"Its loss is {constant:.5g}, and the network's is {loss - constant:.2g} more."
    assert expected in str(caught[0].message)


NEARLY_CONSTANT = {
    "poisson": ({"loss": "poisson"}, lambda noise: np.round(1000 + 30 * noise), 5),
    "small": ({"standardize_target": False}, lambda noise: 0.01 * noise, 500),
}


@pytest.mark.parametrize(
    ("options", "make_target", "rate"), NEARLY_CONSTANT.values(), ids=NEARLY_CONSTANT
)
def test_targets_that_a_constant_predicts_nearly_well_are_judged_too(options, make_target, rate):
    """The loss of the constant is 0.0005 and 0.0001 above that of a perfect prediction."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(200, 3))
    target = make_target(table[:, 0] + rng.normal(size=200))
    model = RegularizedMLPRegressor((8,), dropout=0.0, random_state=0, **options)
    model.fit(table, target)
    model.set_params(learning_rate_init=rate, max_iter=50)
    with pytest.warns(ConvergenceWarning, match="a constant predicts the training rows"):
        model.fit(table, target)


def test_a_network_of_nearly_one_class_does_not_warn():
    """L2 keeps its logits below those of the constant."""
    rng = np.random.default_rng(0)
    weight = np.r_[np.ones(30), np.full(30, 1e-5)]
    labels = np.repeat([0, 1], 30)
    RegularizedMLPClassifier(random_state=0).fit(rng.normal(size=(60, 4)), labels, weight)


@pytest.mark.parametrize("make", [RegularizedMLPClassifier, RegularizedMLPRegressor])
def test_a_healthy_fit_of_noise_does_not_warn(make):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, size=60)
    for dropout in (0.15, 0.8):
        make(dropout=dropout, random_state=0).fit(rng.normal(size=(60, 4)), labels)


def test_a_network_without_weights_for_its_penalty_does_not_warn():
    """It predicts the constant, and the penalty of its first weights is large."""
    make_regressor(l2=1e3, max_iter=3).fit(X, y)


def test_a_warning_that_is_an_error_leaves_the_estimator_as_it_was():
    model = make_classifier(tol=1e-9, max_iter=2)
    with pytest.raises(ConvergenceWarning):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")


def test_divergence_stops_the_fit_with_a_warning_that_names_the_epoch(diverged):
    model, warned = diverged
    assert f"not finite in epoch {model.n_iter_}." in str(warned[0].message)
    assert model.n_iter_ == len(model.loss_curve_) < 50


def test_warning_of_divergence_points_to_the_caller_of_fit(diverged):
    _, warned = diverged
    assert warned[0].filename == __file__


def test_weights_and_predictions_are_finite_after_divergence(diverged):
    model, _ = diverged
    assert np.isfinite(model.predict_proba(X)).all()
    assert np.isfinite(model.predict_log_proba(X)).all()
    assert all(np.isfinite(array).all() for array in (*model.coefs_, *model.intercepts_))


# -- regularisation ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


def make_plain(**changes):
    """A network without regularisation."""
    values = {"dropout": 0.0, "l2": 0.0, "hidden_layer_sizes": (16,), "max_iter": 10}
    return RegularizedMLPClassifier(**{**values, "random_state": 0, **changes})


def test_zeros_by_layer_are_no_regularisation(wine):
    by_layer = make_plain(dropout=(0.0,), l2=(0.0, 0.0)).fit(*wine)
    assert_same_network(make_plain().fit(*wine), by_layer)


@pytest.mark.parametrize("name", ["dropout", "l2", "input_dropout", "weight_decay"])
def test_every_regularisation_changes_the_network(wine, name):
    assert make_plain(**{name: 0.1}).fit(*wine).loss_curve_ != make_plain().fit(*wine).loss_curve_


def test_l2_shrinks_the_kernels(wine):
    norms = []
    for l2 in (0.0, 1e-3, 1e-1):
        model = RegularizedMLPClassifier(l2=l2, random_state=0, max_iter=50).fit(*wine)
        norms.append(sum((kernel**2).sum() for kernel in model.coefs_))
    assert norms[0] > norms[1] > norms[2]


def test_dropout_is_off_in_predictions(wine):
    X, _ = wine
    model = RegularizedMLPClassifier(dropout=0.5, random_state=0, max_iter=5).fit(*wine)
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(model.set_params(dropout=0.0).predict_proba(X), expected)


# -- warm starts -------------------------------------------------------------------------------


def make_classifier(**changes):
    values = {"hidden_layer_sizes": (16, 8), "max_iter": 60, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


def make_regressor(**changes):
    values = {"hidden_layer_sizes": (16, 8), "dropout": 0.1, "max_iter": 60, "random_state": 0}
    return RegularizedMLPRegressor(**{**values, **changes})


@pytest.fixture(scope="module")
def warm_and_cold(cancer):
    """Two equal first fits, one of which another fit can continue, with the table."""
    X, _, y, _ = cancer
    cold = make_classifier(max_iter=30).fit(X, y)
    return make_classifier(max_iter=30, warm_start=True).fit(X, y), cold, X, y


def test_warm_start_does_not_change_the_first_fit(warm_and_cold):
    warm, cold, _, _ = warm_and_cold
    assert_same_network(cold, warm)


def test_warm_start_continues_from_the_weights(warm_and_cold):
    warm, cold, X, y = warm_and_cold
    continued = copy.deepcopy(warm).fit(X, y)
    assert continued.loss_curve_[0] < cold.loss_curve_[0] / 2
    assert continued.n_iter_ == 30


@pytest.mark.parametrize("estimator", [make_classifier, make_regressor])
def test_a_warm_start_on_another_scale_does_not_change_the_function(estimator):
    """At a learning rate near zero the second fit leaves the predictions as they are."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = 10 * X[:, 0] + rng.normal(size=200)
    target = (y > 0).astype(int) if estimator is make_classifier else y
    model = estimator(warm_start=True).fit(X[:100], target[:100])
    before = model.decision_function(X) if estimator is make_classifier else model.predict(X)
    model.set_params(learning_rate_init=1e-30).fit(
        3 * X[100:] + 1, 2 * target[100:] // 2 if estimator is make_classifier else 5 * y[100:]
    )
    after = model.decision_function(X) if estimator is make_classifier else model.predict(X)
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-3 * np.abs(before).max())


@pytest.mark.parametrize("estimator", [make_classifier, make_regressor])
def test_warm_fits_do_not_repeat_their_noise(estimator):
    """At a rate near zero only the masks decide on the loss of an epoch."""
    model = estimator(warm_start=True, max_iter=1, learning_rate_init=1e-30, dropout=0.5)
    losses = [model.fit(X, y).loss_curve_[0] for _ in range(3)]
    assert len(set(losses)) == 3
    again = model.set_params(warm_start=False).fit(X, y)
    assert again.loss_curve_[0] == losses[0]


def test_warm_fits_of_one_epoch_are_as_good_as_one_fit():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    y = np.sin(X[:, 0]) + 0.5 * X[:, 1] * X[:, 2]
    values = {"hidden_layer_sizes": (64,), "dropout": 0.5, "learning_rate": "constant"}
    one = make_regressor(**values, max_iter=60).fit(X, y)
    many = make_regressor(**values, max_iter=1, warm_start=True)
    for _ in range(60):
        many.fit(X, y)
    assert many.score(X, y) > one.score(X, y) - 0.06


def test_warm_fits_hold_out_the_same_rows():
    model = make_classifier(warm_start=True, early_stopping=True, max_iter=1)
    model.set_params(learning_rate_init=1e-30, random_state=np.random.RandomState(0))
    losses = [model.fit(X, y).validation_loss_curve_[0] for _ in range(2)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


def test_a_warm_start_learns_a_target_after_a_constant_one():
    x = np.linspace(-1, 1, 200)[:, None]
    model = make_regressor(warm_start=True).fit(x, np.full(200, 5.0))
    assert model.fit(x, 1e-6 * x[:, 0]).score(x, 1e-6 * x[:, 0]) > 0.9


@pytest.mark.parametrize("estimator", [make_classifier, make_regressor])
def test_a_warm_start_on_columns_of_another_magnitude_is_finite(estimator):
    model = estimator(warm_start=True).fit(X * 1e-40, y)
    assert model.fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("encoding", ["piecewise", "periodic"])
def test_a_warm_start_of_encodings_on_tiny_columns_is_finite(encoding):
    model = make_small(warm_start=True, numerical_encoding=encoding, max_iter=20)
    model.fit(X, y).fit(1e-40 * X, y)
    assert model.score(1e-40 * X, y) > 0.6


def test_a_warm_start_of_counts_in_another_unit_is_learned():
    rows = np.random.default_rng(0).normal(size=(300, 2))
    counts = np.exp(rows[:, 0])
    options = {"loss": "poisson", "warm_start": True, "max_iter": 30, "random_state": 0}
    model = RegularizedMLPRegressor((8,), **options).fit(rows, 1e60 * counts).fit(rows, counts)
    assert model.score(rows, counts) > 0.8


def test_a_warm_start_with_another_task_is_refused():
    model = make_classifier(warm_start=True, max_iter=2).fit(X, np.eye(3)[y].astype(int))
    with pytest.raises(ValueError, match=r"'logistic'.*'softmax'"):
        model.fit(X, y)


# -- constant columns --------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("estimator", [make_classifier, make_regressor])
def test_a_constant_column_contributes_nothing(estimator, convert):
    """Whatever its value in training and later."""
    constant = np.column_stack([X, np.full(len(X), 7.0)])
    other = np.column_stack([X, np.linspace(-1e6, 1e6, len(X))])
    model = estimator(max_iter=5).fit(convert(constant), y)
    np.testing.assert_array_equal(model.predict(convert(other)), model.predict(convert(constant)))


@pytest.mark.parametrize("encoding", ["piecewise", "periodic"])
def test_an_encoded_column_that_becomes_constant_contributes_nothing(encoding):
    model = make_small(warm_start=True, numerical_encoding=encoding).fit(X, y)
    constant, other = X.copy(), X.copy()
    constant[:, 1], other[:, 1] = 3.0, -5.0
    model.fit(constant, y)
    np.testing.assert_array_equal(model.predict_proba(constant), model.predict_proba(other))
    # It is learned again, with edges in its own units.
    model.set_params(max_iter=30).fit(X * [1, 1000, 1, 1], y)
    assert model.score(X * [1, 1000, 1, 1], y) > 0.7


@pytest.mark.parametrize("encoding", ["piecewise", "periodic"])
def test_a_warm_start_on_constant_columns_keeps_the_function_of_these_rows(encoding):
    model = make_small(warm_start=True, numerical_encoding=encoding).fit(X, y)
    constant = X.copy()
    constant[:, [0, 2]] = 6.5, 1.5
    expected = model.decision_function(constant)
    model.set_params(learning_rate_init=1e-30).fit(constant, y)
    np.testing.assert_allclose(model.decision_function(constant), expected, atol=1e-5)


def test_a_constant_target_is_predicted_exactly():
    for value in (0.1, -3e8, 1e-300):
        model = make_regressor(max_iter=2).fit(X, np.full(len(X), value))
        assert (model.predict(100 * X) == value).all()


# -- refusals ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def warm():
    return make_classifier(warm_start=True, max_iter=2).fit(X, y)


@pytest.mark.parametrize(
    ("changes", "table", "labels", "message"),
    [
        ({}, X, y + 1, r"same classes as in the previous call.*\[0 1 2\]"),
        ({}, X[:, :3], y, "X has 3 features, but"),
        (
            {"hidden_layer_sizes": (16, 9)},
            X,
            y,
            r"layers of the fitted network, \(4, 16, 8, 3\)",
        ),
    ],
    ids=["classes", "columns", "layers"],
)
def test_a_warm_start_with_another_network_is_refused(warm, changes, table, labels, message):
    model = copy.deepcopy(warm).set_params(**changes)
    with pytest.raises(ValueError, match=message):
        model.fit(table, labels)
    np.testing.assert_array_equal(model.predict_proba(X), warm.predict_proba(X))
