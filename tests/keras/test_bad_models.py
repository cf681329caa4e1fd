"""Keras models that cannot be estimators: the error names the layer or the value."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

keras = pytest.importorskip("keras")
Dense, Dropout, Rescaling = keras.layers.Dense, keras.layers.Dropout, keras.layers.Rescaling
ReLU, Normalization = keras.layers.ReLU, keras.layers.Normalization


def chain(*layers):
    """A Sequential with four inputs."""
    return keras.Sequential([keras.Input((4,)), *layers])


class DoubledDense(Dense):
    """A Dense layer whose call computes something else."""

    def call(self, inputs):
        return 2 * super().call(inputs)


class DoubledCall(keras.Sequential):
    """A model whose call computes something else than its layers."""

    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs)


class DoubledModel(keras.Sequential):
    """A model whose __call__ computes something else than its layers."""

    def __call__(self, inputs, **options):
        return 2 * super().__call__(inputs, **options)


class NoDropout(Dropout):
    """A Dropout that drops nothing."""

    def call(self, inputs, training=False):
        return inputs


def branch():
    inputs = keras.Input((4,))
    hidden = keras.layers.Add(name="sum")([Dense(3, "relu")(inputs), Dense(3)(inputs)])
    return keras.Model(inputs, Dense(2, "softmax")(hidden))


def make_sorting_layer(name="quantiles_0.1_0.9"):
    inputs = keras.Input((2,))
    return keras.Model(inputs, keras.ops.sort(inputs, axis=-1), name=name)


def quantize():
    model = chain(Dense(3, name="int8"), Dense(2))
    model.layers[0].quantize("int8")
    return model


def set_weights_to_nan():
    model = chain(Dense(2, name="nan"))
    model.layers[0].set_weights([np.full((4, 2), np.nan), np.zeros(2)])
    return model


def return_inputs():
    inputs = keras.Input((4,))
    return keras.Model(inputs, inputs)


def return_two_outputs():
    inputs = keras.Input((4,))
    return keras.Model(inputs, [Dense(2)(inputs), Dense(2)(inputs)])


NOT_POSITIVE = "'scale'.*a scale that is not positive"
NOT_FINITE = "'wild'.*(positive and|an offset that is not) finite"
BAD_NORMALIZATION = "'wild'.*not finite, or below zero"

# A function that builds the model, and a part of the message.
BAD_MODELS = {
    # Layers
    "batch normalization": (
        lambda: chain(Dense(3), keras.layers.BatchNormalization(name="norm"), Dense(2)),
        "'norm'",
    ),
    "a branch": (branch, "does not follow|skreg cannot express"),
    "no hidden unit or output": (return_inputs, "a Dense layer; received none"),
    "dropout only": (lambda: chain(Dropout(0.5)), "a Dense layer; received none"),
    "two outputs": (return_two_outputs, "received 1 and 2"),
    "a Dense layer with another call": (
        lambda: chain(DoubledDense(3, name="own"), Dense(2)),
        r"'own' \(DoubledDense\)",
    ),
    "a Dropout with another call": (
        lambda: chain(Dense(3), NoDropout(0.5, name="own"), Dense(2)),
        r"'own' \(NoDropout\)",
    ),
    # Dense layers
    "an unknown activation": (
        lambda: chain(Dense(3, "mish", name="first"), Dense(2)),
        "'first'.*'mish'",
    ),
    "two activations": (
        lambda: chain(Dense(3, "relu"), Dense(3, "tanh", name="b"), Dense(2)),
        "'b'.*another activation",
    ),
    "an unknown penalty": (
        lambda: chain(
            Dense(3, kernel_regularizer=keras.regularizers.OrthogonalRegularizer(), name="a"),
            Dense(2),
        ),
        "'a'.*OrthogonalRegularizer",
    ),
    "no bias": (lambda: chain(Dense(3, use_bias=False, name="a"), Dense(2)), "'a'.*bias"),
    "a kernel of integers": (quantize, "'int8'.*a kernel of int8"),
    "weights of NaN": (set_weights_to_nan, "'nan'.*weights that are not finite"),
    # Dropout layers
    "dropout after the last layer": (
        lambda: chain(Dense(3), Dense(2), Dropout(0.5, name="late")),
        "'late'",
    ),
    "dropout of whole columns": (
        lambda: chain(Dense(3), Dropout(0.5, noise_shape=(1, 3), name="drop"), Dense(2)),
        r"'drop'.*noise_shape=\(1, 3\)",
    ),
    "dropout of all units": (
        lambda: chain(Dense(3), Dropout(1, name="all"), Dense(2)),
        "'all'.*rate of 1",
    ),
    # Layers of activations
    "leaky relu": (
        lambda: chain(Dense(3), ReLU(negative_slope=0.1, name="leaky"), Dense(2)),
        "'leaky'",
    ),
    "an activation after dropout": (
        lambda: chain(
            Dense(3), Dropout(0.5), keras.layers.Activation("relu", name="late"), Dense(2)
        ),
        "'late'",
    ),
    "an activation after an activation": (
        lambda: chain(Dense(3, "tanh"), ReLU(name="second"), Dense(2)),
        "'second'",
    ),
    # Rescaling and normalization
    "rescaling after dropout": (
        lambda: chain(Dropout(0.5), Rescaling(2.0, name="between"), Dense(2)),
        "'between'",
    ),
    "a negative scale of the inputs": (
        lambda: chain(Rescaling(-1.0, name="scale"), Dense(3), Dense(1)),
        NOT_POSITIVE,
    ),
    "a negative scale of the output": (
        lambda: chain(Dense(3), Dense(1), Rescaling(-1.0, name="scale")),
        NOT_POSITIVE,
    ),
    "an infinite scale": (
        lambda: chain(Rescaling(np.inf, 0.0, name="wild"), Dense(2)),
        NOT_FINITE,
    ),
    "an offset of NaN": (lambda: chain(Rescaling(1.0, np.nan, name="wild"), Dense(2)), NOT_FINITE),
    "a mean of NaN": (
        lambda: chain(Normalization(mean=np.nan, variance=1.0, name="wild"), Dense(2)),
        BAD_NORMALIZATION,
    ),
    "a negative variance": (
        lambda: chain(Normalization(mean=0.0, variance=-1.0, name="wild"), Dense(2)),
        BAD_NORMALIZATION,
    ),
    # Layers that sort
    "sorted outputs without levels": (
        lambda: chain(Dense(2), make_sorting_layer("sorted")),
        "levels of quantiles in its name.*'sorted'",
    ),
    "sorted outputs of other levels": (
        lambda: chain(Dense(2), make_sorting_layer("quantiles_0.1_0.5_0.9")),
        "levels of quantiles in its name, one for each output",
    ),
    "sorted exponentials": (
        lambda: chain(Dense(2, "exponential", name="exp"), make_sorting_layer()),
        "'exp'.*an activation before a layer that sorts",
    ),
    "sorted units": (lambda: chain(Dense(2), make_sorting_layer(), Dense(2)), "'quantiles_0.1_0.9"),
    # Models
    "inputs of integers": (
        lambda: keras.Sequential([keras.Input((4,), dtype="int32"), Dense(2)]),
        "in float32, to which .* in int32",
    ),
    "inputs with three axes": (
        lambda: keras.Sequential([keras.Input((4, 4)), Dense(3), Dense(2)]),
        r"inputs of shape \(None, 4, 4\)",
    ),
    "a model that is not built": (lambda: keras.Sequential([Dense(3)]), "a built Sequential"),
    "a model with another call": (
        lambda: DoubledCall([keras.Input((4,)), Dense(2)]),
        r"a built Sequential.*\(DoubledCall\)",
    ),
    "a model with another __call__": (
        lambda: DoubledModel([keras.Input((4,)), Dense(2)]),
        r"a built Sequential.*\(DoubledModel\)",
    ),
}


@pytest.mark.parametrize(("build", "message"), BAD_MODELS.values(), ids=BAD_MODELS.keys())
@pytest.mark.parametrize("estimator", [RegularizedMLPClassifier, RegularizedMLPRegressor])
def test_what_cannot_be_expressed_is_named(estimator, build, message):
    with pytest.raises(ValueError, match=message):
        estimator.from_keras(build())


def test_quantiles_have_one_scale():
    model = chain(Dense(2), make_sorting_layer(), Rescaling([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"one scale and one offset.*received \[1\. 2\.\]"):
        RegularizedMLPRegressor.from_keras(model)


def test_another_object_than_a_model_is_refused():
    with pytest.raises(
        TypeError, match=r"expected a keras\.Model or the path of a file; received list"
    ):
        RegularizedMLPClassifier.from_keras(["model.keras"])


@pytest.fixture(scope="module")
def of_digits():
    """A model with ten classes."""
    X, y = load_digits(return_X_y=True)
    return RegularizedMLPClassifier((12, 8), max_iter=5, random_state=0).fit(X, y).to_keras()


BAD_CLASSES = [
    ([0, 1], ValueError, "classes: expected 10 distinct labels"),
    ([0] * 10, ValueError, "classes: expected 10 distinct labels"),
    ("abc", ValueError, "classes: expected 10 distinct labels"),
    ([*"abcdefgh", 1, None], TypeError, r"classes: expected labels of one type.*None"),
    (["a", "b", *range(2, 10)], TypeError, r"classes: expected labels of one type.*'b', 2"),
    ([*"abcdefghi", b"z"], TypeError, r"classes: expected labels of one type.*b'z'"),
    ([np.nan, *range(9)], ValueError, r"classes: expected finite numbers; received"),
]


@pytest.mark.parametrize(("classes", "error", "message"), BAD_CLASSES)
def test_bad_classes_are_refused(of_digits, classes, error, message):
    with pytest.raises(error, match=message):
        RegularizedMLPClassifier.from_keras(of_digits, classes=classes)


def test_a_classifier_is_refused_as_a_regressor(of_digits):
    with pytest.raises(ValueError, match=r"expected numbers, .* received 'softmax'"):
        RegularizedMLPRegressor.from_keras(of_digits)


def test_a_regressor_is_refused_as_a_classifier():
    X, y = load_diabetes(return_X_y=True)
    model = RegularizedMLPRegressor((12, 8), max_iter=5, random_state=0).fit(X, y).to_keras()
    with pytest.raises(ValueError, match=r"expected probabilities, .* received 'linear'"):
        RegularizedMLPClassifier.from_keras(model)
