"""Keras models as estimators: layers, losses, optimisers and classes."""

import subprocess
import sys

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

keras = pytest.importorskip("keras")
layers = keras.layers
CANCER = load_breast_cancer(return_X_y=True)
DIGITS = load_digits(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


def fit_and_export(Estimator, X, y):
    """The Keras model of a fitted estimator."""
    return Estimator((12, 8), max_iter=5, random_state=0).fit(X, y).to_keras()


def build_model(*parts, n_features=4):
    return keras.Sequential([keras.Input((n_features,)), *parts])


@pytest.fixture(scope="module")
def tutorial():
    """A model as tutorials of Keras write it, trained on digits, and its estimator."""
    X, y = DIGITS
    model = build_model(
        layers.Normalization(mean=X.mean(), variance=X.var()),
        layers.Dense(16, "relu", kernel_regularizer=keras.regularizers.l2(0.001)),
        layers.Dropout(0.5),
        layers.Dense(8, "relu", kernel_regularizer="l2"),
        layers.Dense(10, "softmax"),
        n_features=64,
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, y, epochs=2, verbose=0)
    expected = model.predict(X, verbose=0)
    return RegularizedMLPClassifier.from_keras(model, classes=list("abcdefghij")), expected


def test_a_model_of_the_tutorials_predicts_the_same(tutorial):
    estimator, expected = tutorial
    np.testing.assert_allclose(estimator.predict_proba(DIGITS[0]), expected, atol=1e-5)
    assert set(estimator.predict(DIGITS[0])) <= set("abcdefghij")


def test_dropout_l2_and_the_optimizer_become_parameters(tutorial):
    estimator, _ = tutorial
    assert estimator.dropout == (0.5, 0.0)
    np.testing.assert_allclose(estimator.l2, (0.001, 0.01, 0.0))
    assert (estimator.solver, estimator.learning_rate_init) == ("adam", 0.001)


def test_an_imported_estimator_predicts_without_importing_tensorflow(tutorial, tmp_path):
    estimator, _ = tutorial
    joblib.dump((estimator, DIGITS[0][:5]), tmp_path / "model.joblib")
    script = (
        f"import joblib, sys; model, X = joblib.load({str(tmp_path / 'model.joblib')!r}); "
        "model.predict(X); assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_ten_classes_in_another_order_are_sorted():
    X, y = DIGITS
    model = fit_and_export(RegularizedMLPClassifier, X, y)
    labels = np.array(list("jihgfedcba"))
    estimator = RegularizedMLPClassifier.from_keras(model, classes=labels)
    np.testing.assert_array_equal(estimator.classes_, np.sort(labels))
    predicted = model.predict(X, verbose=0)
    np.testing.assert_allclose(estimator.predict_proba(X)[:, ::-1], predicted, atol=1e-5)


def test_two_classes_in_another_order_are_sorted():
    X, y = CANCER
    model = fit_and_export(RegularizedMLPClassifier, X, y)
    estimator = RegularizedMLPClassifier.from_keras(model, classes=["sick", "healthy"])
    np.testing.assert_array_equal(estimator.classes_, ["healthy", "sick"])
    predicted = model.predict(X, verbose=0)[:, 0]
    np.testing.assert_allclose(estimator.predict_proba(X)[:, 0], predicted, atol=1e-5)


def test_two_softmax_outputs_become_one_logit():
    X, _ = CANCER
    model = build_model(layers.Dense(2, "softmax"), n_features=30)
    estimator = RegularizedMLPClassifier.from_keras(model)
    assert estimator.n_outputs_ == 1
    X = X / X.max(axis=0)
    np.testing.assert_allclose(estimator.predict_proba(X), model.predict(X, verbose=0), atol=1e-5)


def test_a_functional_model_is_imported():
    inputs = keras.Input((30,))
    hidden = layers.Dense(8, "tanh")(inputs)
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    X = CANCER[0] / CANCER[0].max(axis=0)
    estimator = RegularizedMLPRegressor.from_keras(model)
    np.testing.assert_allclose(estimator.predict(X), model.predict(X, verbose=0)[:, 0], atol=1e-5)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1:UserWarning")
def test_frozen_layers_warn_and_a_flat_input_may_be_flattened():
    layers = keras.layers
    hidden = layers.Dense(4, "gelu", kernel_regularizer=keras.regularizers.L1L2(1e-4, 1e-3))
    model = keras.Sequential([keras.Input((3,)), layers.Flatten(), hidden, layers.Dense(1)])
    hidden.trainable = False
    with pytest.warns(UserWarning, match=r"the layers \['dense.*'\] are not trained in Keras"):
        loaded = RegularizedMLPRegressor.from_keras(model)
    rows = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(
        loaded.predict(rows), model.predict(rows, verbose=0)[:, 0], atol=1e-5
    )
    assert (loaded.activation, loaded.l1, loaded.l2) == ("gelu", (1e-4, 0.0), (1e-3, 0.0))


def test_one_softmax_output_is_one_class():
    X = CANCER[0][:, :4]
    estimator = RegularizedMLPClassifier.from_keras(build_model(layers.Dense(1, "softmax")))
    np.testing.assert_array_equal(estimator.predict_proba(X), np.ones((len(X), 1)))


def test_one_sigmoid_output_is_two_classes():
    X = CANCER[0][:, :4]
    estimator = RegularizedMLPClassifier.from_keras(build_model(layers.Dense(1, "sigmoid")))
    assert estimator.predict_proba(X).shape == (len(X), 2)


def test_layers_of_activations_and_several_rescalings_are_imported():
    model = build_model(
        layers.Rescaling(1.0, -14.0),
        layers.Rescaling(np.array([0.25, 0.2, 0.01, 0.001]), 0.1),
        layers.Dense(8),
        layers.Activation("relu"),
        layers.Dropout(0.3),
        layers.Dense(6),
        layers.ReLU(),
        layers.Dense(5, activation=layers.ReLU()),
        layers.Dense(3),
        layers.Softmax(),
    )
    X = CANCER[0][:, :4]
    estimator = RegularizedMLPClassifier.from_keras(model)
    assert (estimator.hidden_layer_sizes, estimator.activation) == ((8, 6, 5), "relu")
    assert estimator.dropout == (0.3, 0.0, 0.0)
    np.testing.assert_allclose(estimator.predict_proba(X), model.predict(X, verbose=0), atol=1e-5)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_linear_outputs_are_logits_if_the_loss_takes_logits(n_outputs):
    """As in tutorials of TensorFlow."""
    losses = keras.losses
    loss = losses.BinaryCrossentropy if n_outputs == 1 else losses.SparseCategoricalCrossentropy
    model = build_model(layers.Dense(n_outputs))
    model.compile("adam", loss(from_logits=True))
    X = CANCER[0][:, :4] / 100
    estimator = RegularizedMLPClassifier.from_keras(model)
    logits = model.predict(X, verbose=0)
    expected = logits[:, 0] if n_outputs == 1 else logits
    np.testing.assert_allclose(estimator.decision_function(X), expected, atol=1e-5)
    np.testing.assert_allclose(estimator.predict_proba(X).sum(axis=1), 1)


def test_a_loss_of_keras_that_takes_logits_is_known():
    model = build_model(layers.Dense(1))
    model.compile("adam", keras.losses.BinaryFocalCrossentropy(from_logits=True))
    assert RegularizedMLPClassifier.from_keras(model).out_activation_ == "logistic"


def test_linear_outputs_with_a_custom_loss_are_refused():
    class CustomLoss(keras.losses.BinaryCrossentropy):
        pass

    model = build_model(layers.Dense(1))
    model.compile("adam", CustomLoss(from_logits=True))
    with pytest.raises(ValueError, match=r"expected probabilities, .* received 'linear'"):
        RegularizedMLPClassifier.from_keras(model)


@pytest.fixture
def adapted():
    """A model with a Normalization that was adapted to constant columns, and their table.

    Keras divides constant columns by 1e-7, so that a rounding error of 1e-8 becomes 0.1.
    """
    X = np.c_[CANCER[0][:, :3], np.full(569, 0.1), np.full(569, 1e9 + 1)]
    normalization = layers.Normalization()
    normalization.adapt(X)
    return build_model(normalization, layers.Dense(4, "relu"), layers.Dense(1), n_features=5), X


@pytest.mark.parametrize(
    "convert",
    [np.asarray, lambda X: X.astype(np.float32), sparse.csr_array],
    ids=["float64", "float32", "sparse"],
)
def test_constant_columns_are_rounded_as_in_keras(adapted, convert):
    model, X = adapted
    table = convert(X)
    predicted = RegularizedMLPRegressor.from_keras(model).predict(table)
    np.testing.assert_allclose(predicted, model.predict(X, verbose=0)[:, 0], atol=1e-5)
    assert predicted.dtype == table.dtype


def test_an_imported_network_takes_values_of_float32_only(adapted):
    model, X = adapted
    with pytest.raises(ValueError, match=r"too large for dtype\('float32'\)"):
        RegularizedMLPRegressor.from_keras(model).predict(X * 1e40)


@pytest.mark.filterwarnings("ignore:Training led nowhere")
def test_an_imported_network_takes_values_of_float64_after_a_fit(adapted):
    model, X = adapted
    estimator = RegularizedMLPRegressor.from_keras(model)
    estimator.set_params(max_iter=1, random_state=0).fit(X, X[:, 0])
    assert np.isfinite(estimator.predict(X * 1e40)).all()


def test_the_smallest_divisor_of_a_normalization_is_epsilon_of_keras():
    epsilon = keras.config.epsilon()
    keras.config.set_epsilon(0.01)
    try:
        model = build_model(layers.Normalization(mean=0.5, variance=1e-8), layers.Dense(1))
        X = np.linspace(0, 1, 40).reshape(10, 4)
        estimator = RegularizedMLPRegressor.from_keras(model)
        np.testing.assert_allclose(
            estimator.predict(X), model.predict(X, verbose=0)[:, 0], rtol=1e-5
        )
    finally:
        keras.config.set_epsilon(epsilon)


def test_layers_that_two_functional_models_share_are_imported():
    other, inputs = keras.Input((4,)), keras.Input((4,))
    hidden, output = layers.Dense(3, "relu"), layers.Dense(1)
    keras.Model(other, layers.Dense(2)(hidden(other)))
    model = keras.Model(inputs, output(hidden(inputs)))
    X = CANCER[0][:, :4] / 100
    estimator = RegularizedMLPRegressor.from_keras(model)
    np.testing.assert_allclose(estimator.predict(X), model.predict(X, verbose=0)[:, 0], atol=1e-5)


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "categorical_crossentropy"])
def test_sigmoids_with_a_loss_of_one_class_a_row_are_refused(loss):
    model = build_model(layers.Dense(3, "sigmoid"))
    model.compile("adam", loss)
    with pytest.raises(ValueError, match=f"'sigmoid' and '{loss}'"):
        RegularizedMLPClassifier.from_keras(model)


def test_sigmoids_with_binary_crossentropy_are_several_labels():
    model = build_model(layers.Dense(3, "sigmoid"))
    model.compile("adam", "binary_crossentropy")
    assert RegularizedMLPClassifier.from_keras(model).out_activation_ == "logistic"


def test_low_rank_adaptation_is_added_to_the_kernel():
    model = build_model(layers.Dense(8, "relu"), layers.Dense(1))
    model.layers[0].enable_lora(2)
    lora = model.layers[0].lora_kernel_b
    lora.assign(np.ones(lora.shape))
    X = CANCER[0][:, :4] / 100
    estimator = RegularizedMLPRegressor.from_keras(model)
    np.testing.assert_allclose(estimator.predict(X), model.predict(X, verbose=0)[:, 0], atol=1e-5)


ADAM = {"solver": "adam", "learning_rate": "constant", "learning_rate_init": 0.01}
DEFAULT = {"solver": "adam", "learning_rate": "cosine", "learning_rate_init": "auto", "beta_1": 0.9}


@pytest.mark.parametrize(
    ("make_optimizer", "expected"),
    [
        (lambda of: of.Adam(0.01, beta_1=0.8), {**ADAM, "beta_1": 0.8, "weight_decay": 0.0}),
        (lambda of: of.AdamW(0.01, weight_decay=0.1), {**ADAM, "weight_decay": 0.1}),
        (
            lambda of: of.SGD(0.01, momentum=0.5, nesterov=True),
            {**ADAM, "solver": "sgd", "momentum": 0.5, "nesterovs_momentum": True},
        ),
        (lambda of: of.LossScaleOptimizer(of.Adam(0.01)), ADAM),
        # The rate of a schedule is not known.
        (lambda of: of.SGD(of.schedules.CosineDecay(0.1, 5)), {**DEFAULT, "solver": "sgd"}),
        (lambda of: of.Adam(0.0, beta_1=0.8), {**DEFAULT, "beta_1": 0.8}),
        # Options that skreg lacks.
        (lambda of: of.Adam(0.01, beta_1=0.8, clipnorm=1.0), DEFAULT),
        (lambda of: of.SGD(0.01, use_ema=True), DEFAULT),
        (lambda of: of.Adam(0.01, amsgrad=True), DEFAULT),
        (lambda of: of.Lion(0.01), DEFAULT),
        # Values that skreg does not take.
        (lambda of: of.Adam(0.01, epsilon=0.0), DEFAULT),
        (lambda of: of.Adam(0.01, beta_2=1.0), DEFAULT),
    ],
)
def test_an_imported_optimizer_sets_parameters(make_optimizer, expected):
    model = build_model(layers.Dense(1))
    model.compile(make_optimizer(keras.optimizers), "mse")
    estimator = RegularizedMLPRegressor.from_keras(model)
    assert {name: getattr(estimator, name) for name in expected} == pytest.approx(expected)
    X, y = DIABETES
    estimator.set_params(max_iter=1, random_state=0, warm_start=True).fit(X[:, :4], y)


@pytest.mark.parametrize(
    ("keras_loss", "loss"),
    [
        ("mse", "squared_error"),
        ("mae", "absolute_error"),
        (keras.losses.MeanAbsoluteError(), "absolute_error"),
        (keras.losses.Huber(3.0), "huber"),
        (["mae"], "absolute_error"),
        ({"out": keras.losses.Huber()}, "huber"),
        ([], "squared_error"),
        ("huber", "huber"),
        (keras.losses.LogCosh(), "log_cosh"),
        (keras.losses.MeanSquaredLogarithmicError(), "squared_error"),
        (None, "squared_error"),
    ],
)
@pytest.mark.parametrize(
    "make_optimizer",
    [keras.optimizers.Adam, lambda: keras.optimizers.Adam(epsilon=0.0)],
    ids=["adam", "adam that skreg lacks"],
)
def test_an_imported_loss_is_a_parameter(keras_loss, loss, make_optimizer):
    model = build_model(layers.Dense(1, name="out"))
    model.compile(make_optimizer(), keras_loss)
    assert RegularizedMLPRegressor.from_keras(model).loss == loss


# -- streams -----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Training led nowhere")
@pytest.mark.parametrize(
    ("make", "encoding", "standardize"),
    [
        pytest.param(RegularizedMLPClassifier, None, True, marks=pytest.mark.full),
        (RegularizedMLPClassifier, "piecewise", True),
        pytest.param(RegularizedMLPRegressor, "periodic", True, marks=pytest.mark.full),
        (RegularizedMLPRegressor, None, False),
    ],
)
def test_a_stream_of_single_rows_keeps_the_imported_function(make, encoding, standardize):
    X = CANCER[0][:, :3] / [1, 1, 10]
    y = CANCER[1] if make is RegularizedMLPClassifier else 3 + 2 * X[:, 0]
    options = {"numerical_encoding": encoding, "standardize": standardize, "max_iter": 3}
    model = make((8,), random_state=0, **options).fit(X, y)
    # What it is without standardising leaves room for rounding.
    imported = make.from_keras(model.to_keras()).set_params(learning_rate_init=1e-30)
    function = getattr(imported, "decision_function", imported.predict)
    expected = function(X)
    for row in range(3):
        imported.partial_fit(X[[row]], y[[row]])
        tolerance = 1e-4 * np.abs(expected).max()
        np.testing.assert_allclose(function(X), expected, atol=tolerance)
    imported.partial_fit(X[:100], y[:100])
    np.testing.assert_allclose(function(X), expected, atol=1e-3 * np.abs(expected).max())
