"""Networks as Keras models: layers, predictions, training, and the way back."""

import copy

import numpy as np
import pytest
from helpers import in_full
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.exceptions import NotFittedError

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._estimators.automatic import get_learning_rate

keras = pytest.importorskip("keras")

CANCER = load_breast_cancer(return_X_y=True)
DIGITS = load_digits(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


def make_classifier(**changes):
    values = {"hidden_layer_sizes": (12, 8), "max_iter": 5, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


def make_regressor(**changes):
    values = {"hidden_layer_sizes": (12, 8), "max_iter": 5, "random_state": 0}
    return RegularizedMLPRegressor(**{**values, **changes})


def predict_proba_in_keras(model, X):
    """A probability for each class, also of one sigmoid."""
    predicted = model.predict(X, verbose=0)
    return np.hstack([1 - predicted, predicted]) if predicted.shape[1] == 1 else predicted


CLASSIFIERS = {
    "two classes": (CANCER, {}),
    "ten classes": (DIGITS, {"activation": "tanh", "input_dropout": 0.1}),
    "no hidden layer": (CANCER, {"hidden_layer_sizes": ()}),
    "gelu, l1": (CANCER, {"activation": "gelu", "l1": 1e-3, "l2": 0.0}),
    "silu, l1 and l2": (DIGITS, {"activation": "silu", "l1": (1e-3, 0.0, 1e-2)}),
    "by layer": (DIGITS, {"dropout": (0.2, 0.0), "l2": (0.0, 1e-3, 1e-2)}),
    "not standardised, sgd": (
        (DIGITS[0] / 16, DIGITS[1]),
        {
            "standardize": False,
            "solver": "sgd",
            "activation": "logistic",
            "dropout": 0.0,
            "learning_rate_init": 0.5,
            "max_iter": 60,
        },
    ),
    "several labels": ((CANCER[0], np.c_[CANCER[1], CANCER[0][:, 0] > 14].astype(int)), {}),
}


@pytest.fixture(
    scope="module", params=in_full(CLASSIFIERS, "two classes", "gelu, l1", "silu, l1 and l2")
)
def exported_classifier(request):
    """A classifier, its Keras model and its table."""
    (X, y), changes = CLASSIFIERS[request.param]
    model = make_classifier(**changes).fit(X, y)
    return model, model.to_keras(), X, y


def test_keras_predicts_the_probabilities_of_a_classifier(exported_classifier):
    model, exported, X, _ = exported_classifier
    np.testing.assert_allclose(
        predict_proba_in_keras(exported, X), model.predict_proba(X), atol=1e-5
    )


def test_a_classifier_comes_back_with_its_weights_and_predictions(exported_classifier):
    model, exported, X, _ = exported_classifier
    loaded = RegularizedMLPClassifier.from_keras(exported)
    np.testing.assert_allclose(loaded.predict_proba(X), model.predict_proba(X), atol=1e-5)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    for kernel, expected in zip(loaded.coefs_, model.coefs_, strict=True):
        np.testing.assert_array_equal(kernel, expected)


def test_a_classifier_comes_back_with_its_parameters(exported_classifier):
    model, exported, _, _ = exported_classifier
    loaded = RegularizedMLPClassifier.from_keras(exported)
    for name in ("activation", "input_dropout", "solver", "standardize"):
        assert getattr(loaded, name) == getattr(model, name)
    assert loaded.learning_rate_init == pytest.approx(get_learning_rate(model))
    assert loaded.l1 == pytest.approx(model.l1)
    assert loaded.l2 == pytest.approx(model.l2_)


def test_a_classifier_that_came_back_can_be_trained(exported_classifier):
    model, exported, X, y = exported_classifier
    loaded = RegularizedMLPClassifier.from_keras(exported).set_params(random_state=0)
    assert loaded.partial_fit(X, y).score(X, y) > model.score(X, y) - 0.05 > 0.5


LOSSES = ["squared_error", "absolute_error", "huber", "poisson"]


@pytest.fixture(scope="module", params=in_full(LOSSES, "huber"))
def exported_regressor(request):
    """A regressor, its Keras model, and the largest target."""
    X, y = DIABETES
    model = make_regressor(loss=request.param, max_iter=20).fit(X, y)
    return model, model.to_keras(), np.abs(y).max()


def test_keras_predicts_the_numbers_of_a_regressor(exported_regressor):
    model, exported, scale = exported_regressor
    X, _ = DIABETES
    predicted = exported.predict(X, verbose=0)[:, 0]
    np.testing.assert_allclose(predicted / scale, model.predict(X) / scale, atol=1e-5)


def test_a_regressor_comes_back_with_its_loss_and_predictions(exported_regressor):
    model, exported, scale = exported_regressor
    X, _ = DIABETES
    loaded = RegularizedMLPRegressor.from_keras(exported)
    np.testing.assert_allclose(loaded.predict(X) / scale, model.predict(X) / scale, atol=1e-5)
    assert loaded.loss == model.loss


def test_a_regressor_that_came_back_can_be_trained(exported_regressor):
    model, exported, _ = exported_regressor
    X, y = DIABETES
    loaded = RegularizedMLPRegressor.from_keras(exported).set_params(random_state=0)
    assert loaded.partial_fit(X, y).score(X, y) > model.score(X, y) - 0.05 > 0.4


# -- losses and training -----------------------------------------------------------------------


def test_log_cosh_is_not_compiled_if_targets_are_standardised():
    model = make_regressor(loss="log_cosh").fit(*DIABETES)
    assert not model.to_keras().compiled


def test_log_cosh_is_compiled_if_targets_are_not_standardised():
    X, y = DIABETES
    exported = make_regressor(loss="log_cosh", standardize_target=False).fit(X, y / 100).to_keras()
    assert isinstance(exported.loss, keras.losses.LogCosh)
    assert RegularizedMLPRegressor.from_keras(exported).loss == "log_cosh"


@pytest.mark.parametrize("loss", LOSSES)
def test_keras_trains_by_the_same_loss(loss):
    """In the unit of the target, its gradient with respect to the scaled output is the same."""
    X, y = DIABETES
    values = {"loss": loss, "dropout": 0.0, "l2": (1e-3, 1e-2, 0.0), "solver": "sgd"}
    values |= {"learning_rate": "constant", "learning_rate_init": 0.02, "momentum": 0.0}
    model = make_regressor(**values, batch_size=len(y)).fit(X, y)
    exported = model.to_keras()
    exported.train_on_batch(X.astype(np.float32), y.astype(np.float32)[:, None])
    model.set_params(warm_start=True, max_iter=1).fit(X, y)
    for kernel, expected in zip(model.coefs_, exported.get_weights()[::2], strict=True):
        np.testing.assert_allclose(kernel, expected, rtol=2e-4, atol=2e-6)


@pytest.fixture(scope="module")
def exported():
    """The Keras model of a classifier of digits with the layers of the tutorials."""
    layers = {"hidden_layer_sizes": (128, 64), "dropout": 0.5, "l2": 1e-3}
    layers["numerical_encoding"] = None
    return make_classifier(**layers).fit(*DIGITS).to_keras()


def test_layers_are_those_of_the_tutorials(exported):
    names = [type(layer).__name__ for layer in exported.layers]
    assert names == ["Rescaling", "Rescaling", "Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert exported.count_params() == 64 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10


def test_layers_have_dropout_and_l2(exported):
    assert [layer.rate for layer in exported.layers[3::2]] == [0.5, 0.5]
    for layer in exported.layers[2::2]:
        assert layer.kernel_regularizer.l2 == pytest.approx(1e-3)


def test_optimizer_is_adam(exported):
    assert isinstance(exported.optimizer, keras.optimizers.Adam)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_training_continues_in_keras_as_in_skreg(solver):
    """The optimiser and the objective are the same: without dropout, steps of the table agree."""
    X, y = DIGITS
    values = {"dropout": 0.0, "l2": 1e-3, "weight_decay": 0.05, "learning_rate": "constant"}
    model = make_classifier(solver=solver, batch_size=len(y), max_iter=3, **values).fit(X, y)
    exported = model.to_keras()
    for _ in range(5):
        exported.train_on_batch(X.astype(np.float32), y)
    model.set_params(warm_start=True, max_iter=5).fit(X, y)
    for kernel, expected in zip(model.coefs_, exported.get_weights()[::2], strict=True):
        np.testing.assert_allclose(kernel, expected, rtol=2e-3, atol=2e-5)


def test_a_network_of_sparse_rows_is_exported():
    X, y = DIGITS
    rows = sparse.csr_array(np.where(np.arange(64) % 9 == 0, X, 0))
    model = make_classifier().fit(rows, y)
    predicted = model.to_keras().predict(rows.toarray(), verbose=0)
    np.testing.assert_allclose(predicted, model.predict_proba(rows), atol=1e-5)


# -- precision -------------------------------------------------------------------------------


def make_integers_far_from_zero(n_rows=300):
    """Columns that float32 holds exactly, with a mean of up to a million deviations."""
    generator = np.random.default_rng(0)
    X = np.round(generator.normal([2e6, 1e5, 2026.0, 0.0], [2.0, 3.0, 5.0, 9.0], (n_rows, 4)))
    return X, (X[:, 0] + X[:, 2] > 2e6 + 2026).astype(int)


def add_rounded_columns(X):
    """Add constant columns that float32 rounds."""
    return np.c_[X, np.tile([1e9 + 0.1, 20200101.0, 1e15 + 1], (len(X), 1))]


@pytest.fixture(
    scope="module",
    params=[np.asarray, add_rounded_columns],
    ids=["integers", "with rounded constants"],
)
def far_from_zero(request):
    """A classifier of columns far from zero, and the table."""
    X, y = make_integers_far_from_zero()
    X = request.param(X)
    return make_classifier(max_iter=30).fit(X, y), X


def test_columns_far_from_zero_are_predicted_in_keras(far_from_zero):
    model, X = far_from_zero
    predicted = predict_proba_in_keras(model.to_keras(), X)
    np.testing.assert_allclose(predicted, model.predict_proba(X), atol=1e-5)


def test_columns_far_from_zero_are_predicted_by_a_model_that_came_back(far_from_zero):
    model, X = far_from_zero
    loaded = RegularizedMLPClassifier.from_keras(model.to_keras())
    np.testing.assert_allclose(loaded.predict_proba(X), model.predict_proba(X), atol=1e-5)


def test_means_far_from_zero_come_back():
    X, y = make_integers_far_from_zero()
    model = make_classifier(max_iter=30).fit(X, y)
    loaded = RegularizedMLPClassifier.from_keras(model.to_keras())
    np.testing.assert_allclose(loaded.center_, model.center_, rtol=1e-12)


@pytest.fixture
def mixed_precision():
    """A classifier, its table and labels, and its Keras model in mixed precision.

    float16 ends at 65,504, so that columns and probabilities stay in float32.
    """
    X, y = make_integers_far_from_zero()
    model = make_classifier(max_iter=30, dropout=0.1).fit(X, y)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        yield model, X, y, model.to_keras()
    finally:
        keras.config.set_dtype_policy(policy)


def test_mixed_precision_predicts_the_same(mixed_precision):
    model, X, _, exported = mixed_precision
    assert exported.get_layer("hidden_1").compute_dtype == "float16"
    predicted = predict_proba_in_keras(exported, X)
    np.testing.assert_allclose(predicted, model.predict_proba(X), atol=1e-2)


def test_a_model_trained_in_mixed_precision_comes_back(mixed_precision):
    _, X, y, exported = mixed_precision
    exported.fit(X, y, epochs=2, verbose=0)
    loaded = RegularizedMLPClassifier.from_keras(exported)
    expected = predict_proba_in_keras(exported, X)
    np.testing.assert_allclose(loaded.predict_proba(X), expected, atol=1e-2)
    assert (loaded.solver, loaded.learning_rate_init) == ("adam", 0.005)
    assert loaded.score(X, y) > 0.9


# -- one class, several outputs, quantiles -----------------------------------------------------


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1:UserWarning")
def test_a_single_class_comes_back():
    X = CANCER[0]
    model = make_classifier().fit(X, np.repeat("only", len(X)))
    exported = model.to_keras()
    np.testing.assert_array_equal(exported.predict(X, verbose=0), np.ones((len(X), 1)))
    loaded = RegularizedMLPClassifier.from_keras(exported, classes=["only"])
    np.testing.assert_array_equal(loaded.predict_proba(X), np.ones((len(X), 1)))
    assert set(loaded.predict(X)) == {"only"}


@pytest.mark.parametrize("scales", [(1.0, 1.0), (1.0, 50.0)])
def test_several_outputs_come_back(scales):
    """A Keras model with outputs of different scales is not compiled: its loss has one scale."""
    X, y = DIABETES
    standardised = (y - y.mean()) / y.std()
    Y = np.c_[standardised, standardised[::-1]] * scales
    model = make_regressor(max_iter=20).fit(X, Y)
    exported = model.to_keras()
    np.testing.assert_allclose(exported.predict(X, verbose=0), model.predict(X), atol=1e-4)
    assert exported.compiled == (scales[0] == scales[1])
    loaded = RegularizedMLPRegressor.from_keras(exported)
    np.testing.assert_allclose(loaded.predict(X), model.predict(X), atol=1e-4)


def test_a_quantile_is_predicted_in_keras_and_not_compiled():
    X, y = DIABETES
    model = make_regressor(loss="quantile", quantile=0.9, max_iter=20).fit(X, y)
    exported = model.to_keras()
    np.testing.assert_allclose(exported.predict(X, verbose=0)[:, 0], model.predict(X), rtol=1e-5)
    assert not exported.compiled


@pytest.fixture(scope="module")
def several_quantiles():
    """A model of three quantiles whose outputs cross, its Keras model and its table."""
    X, y = DIABETES
    levels = (0.4, 0.5, 0.6)
    model = make_regressor(loss="quantile", quantile=levels, l2=0.0, max_iter=20).fit(X, y)
    return model, model.to_keras(), X, y


def test_several_quantiles_are_sorted_in_keras(several_quantiles):
    model, exported, X, _ = several_quantiles
    far = 10 * X
    assert (np.diff(model._compute_logits(far)) < 0).any()
    predicted = exported.predict(far, verbose=0)
    np.testing.assert_allclose(predicted, model.predict(far), rtol=1e-4, atol=1e-2)
    assert (np.diff(predicted) >= 0).all()
    assert not exported.compiled
    assert [layer.name for layer in exported.layers][-2:] == [
        "quantiles_0.4_0.5_0.6",
        "target_scale",
    ]


def test_several_quantiles_come_back_and_continue(several_quantiles):
    model, exported, X, y = several_quantiles
    loaded = RegularizedMLPRegressor.from_keras(exported)
    assert (loaded.loss, loaded.quantile) == ("quantile", (0.4, 0.5, 0.6))
    np.testing.assert_allclose(loaded.predict(10 * X), model.predict(10 * X), rtol=1e-4, atol=1e-3)
    assert loaded.score(X, y) == pytest.approx(model.score(X, y), abs=1e-4)
    again = RegularizedMLPRegressor.from_keras(loaded.to_keras())
    np.testing.assert_allclose(again.predict(X), model.predict(X), rtol=1e-4)
    loaded.set_params(learning_rate_init=1e-12).partial_fit(X, y)
    np.testing.assert_allclose(loaded.predict(X), model.predict(X), rtol=1e-3)


def test_several_quantiles_of_an_unscaled_target_come_back():
    X, y = DIABETES
    changes = {"standardize_target": False, "quantile": [0.2, 1 - 1e-5]}
    model = make_regressor(loss="quantile", **changes).fit(X, y)
    loaded = RegularizedMLPRegressor.from_keras(model.to_keras())
    assert loaded.quantile == (0.2, 1 - 1e-5)
    np.testing.assert_allclose(loaded.predict(X), model.predict(X), rtol=1e-4)


# -- refused -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted_regressor():
    return make_regressor().fit(*DIABETES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "poisson"}, r"loss: expected .* link.*received 'poisson'"),
        (
            {"loss": "huber", "solver": "lbfgs"},
            "'solver' parameter of RegularizedMLPRegressor must be",
        ),
        (
            {"loss": "huber", "solver": "sgd", "dropout": (0.1, 0.2, 0.3)},
            "dropout: expected one number or a sequence of 2",
        ),
    ],
    ids=["loss", "solver", "dropout"],
)
def test_a_bad_parameter_that_was_set_after_the_fit_is_refused(fitted_regressor, changes, message):
    with pytest.raises(ValueError, match=message):
        copy.copy(fitted_regressor).set_params(**changes).to_keras()


def test_an_estimator_that_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        make_classifier().to_keras()


@pytest.mark.parametrize(
    ("factor", "shift", "factor_of_y", "message"),
    [
        (1, 1e300, 1, "received 1e.300 for a column's mean"),
        (1e-300, 0, 1, r"received .* for 1 / a column's deviation"),
        (1, 0, 1e300, r"received .* for the target"),
    ],
    ids=["mean", "scale", "target"],
)
def test_scales_that_float32_cannot_hold_are_refused(factor, shift, factor_of_y, message):
    X, y = DIABETES
    model = make_regressor(max_iter=1).fit(factor * X + shift, factor_of_y * y)
    with pytest.raises(ValueError, match=message):
        model.to_keras()
