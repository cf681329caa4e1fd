"""To Keras: a trained network as a built and compiled `keras.Model`.

Owns which layers say what a network of ours says, in which order, and the optimiser and loss that
train them as we do. Does not own the way back (`_from_keras`), labels, nor an estimator's
parameters and attributes (`_base`, the estimators). Keras is imported here, when something is
exported or read, and only then.
"""

from __future__ import annotations

import contextlib
import random

import numpy as np

from skreg._engine.hyperparameters import Hyperparameters
from skreg._nn.network import Network
from skreg._tensorflow import tensorflow

# What we call them, and what Keras does.
ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid", "identity": "linear"}


LINKS = {"logistic": "sigmoid", "softmax": "softmax", "identity": "linear", "exp": "exponential"}


def keras_module():
    """Return the keras module, imported behind TensorFlow's door."""
    tensorflow()
    import keras

    return keras


@contextlib.contextmanager
def python_random_as_it_was():
    """Keras draws its layers' seeds from Python's global generator, which is the user's."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def keras_model(network: Network, solver: str, hyper: Hyperparameters, loss: str):
    """Return the network as a built `keras.Sequential`, compiled if Keras has its loss.

    Parameters
    ----------
    network : Network
    solver : {"adam", "sgd"}
    hyper : Hyperparameters
        Of which the solver's numbers are taken.
    loss : str
        "cross_entropy", or a key of `_heads.REGRESSION_HEADS`. Keras has none of a quantile, and
        none that weighs one output otherwise than the next, as targets of several scales need.
    """
    keras = keras_module()
    with python_random_as_it_was():
        model = keras_layers(network)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    for layer, kernel, bias in zip(dense, network.kernels, network.biases, strict=True):
        layer.set_weights([kernel, bias])
    # Keras exports a model to ONNX only if it was called.
    model(np.zeros((1, len(network.kernels[0])), np.float32))
    scales = np.ones(1) if network.outputs is None else network.outputs[1]
    if loss != "quantile" and np.allclose(scales, scales[0], rtol=1e-6, atol=0):
        objective, weight = _objective(keras, network.link, loss, float(scales[0]))
        model.compile(
            optimizer=_optimizer(keras, solver, hyper),
            loss=objective,
            loss_weights=[weight],
            metrics=["accuracy"] if loss == "cross_entropy" else None,
        )
        # Keras builds it when it loads a saved model, and then misses what was not built here.
        model.optimizer.build(model.trainable_variables)
    return model


def keras_layers(network: Network):
    """Return the layers as a built `keras.Sequential`, with weights as Keras draws them.

    Of the network's kernels and biases only the shapes are taken.
    """
    keras = keras_module()
    return keras.Sequential(list(_layers(keras, network)), name="regularized_mlp")


def _layers(keras, network: Network):
    layers = keras.layers
    # Also where a policy computes in float16: columns and targets may be beyond its range, and
    # probabilities beyond its precision.
    precise = keras.backend.result_type(keras.config.dtype_policy().variable_dtype, "float32")
    yield keras.Input((len(network.kernels[0]),), name="features")
    if network.inputs is not None:
        yield from _standardizing(layers, network.inputs, precise)
    if network.input_dropout:
        yield layers.Dropout(network.input_dropout, name="input_dropout")
    for k, (kernel, l2) in enumerate(zip(network.kernels, network.l2, strict=True), 1):
        hidden = k < len(network.kernels)
        yield layers.Dense(
            kernel.shape[1],
            activation=ACTIVATIONS[network.activation] if hidden else LINKS[network.link],
            kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
            name=f"hidden_{k}" if hidden else "output",
            dtype=None if hidden else precise,
        )
        if hidden and network.dropout[k - 1]:
            yield layers.Dropout(network.dropout[k - 1], name=f"dropout_{k}")
    if network.outputs is not None:
        center, scale = (_in_float32("the target", part) for part in network.outputs)
        yield layers.Rescaling(scale, center, name="target_scale", dtype=precise)


def _standardizing(layers, inputs, precise: str):
    """Layers of (x - center) / scale; not Normalization, which Keras 3.15 exports to broken ONNX.

    As x / scale - center / scale the rounding of a large center would remain. The difference to the
    center's next float32 is exact near it, and what that one lacks is added behind the division.
    """
    center, scale = inputs
    nearest = _in_float32("a column's mean", center)
    if center.any():
        yield layers.Rescaling(1.0, -nearest, name="center", dtype=precise)
    with np.errstate(over="ignore"):
        factor, rest = 1 / scale, (nearest - center) / scale
    factor = _in_float32("1 / a column's deviation", factor)
    rest = _in_float32("a column's mean over its deviation", rest)
    yield layers.Rescaling(factor, rest, name="scale", dtype=precise)


def _in_float32(what: str, numbers: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        converted = numbers.astype(np.float32)
    if not np.isfinite(converted).all():
        raise ValueError(
            f"to_keras: expected numbers that float32 can hold, in which Keras computes; received "
            f"{numbers[~np.isfinite(converted)][0]:.3g} for {what}."
        )
    return converted


def _optimizer(keras, solver: str, hyper: Hyperparameters):
    decay = {"weight_decay": hyper.weight_decay} if hyper.weight_decay else {}
    if solver == "adam":
        optimizer = keras.optimizers.Adam(
            hyper.learning_rate_init, hyper.beta_1, hyper.beta_2, hyper.epsilon, **decay
        )
    else:
        optimizer = keras.optimizers.SGD(
            hyper.learning_rate_init, hyper.momentum, hyper.nesterovs_momentum, **decay
        )
    if decay:
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def _objective(keras, link: str, loss: str, scale: float):
    """Keras' loss in the units of the targets, and the factor to that of the scaled ones."""
    losses = keras.losses
    if loss == "cross_entropy":
        softmax = link == "softmax"
        kind = losses.SparseCategoricalCrossentropy if softmax else losses.BinaryCrossentropy
        return kind(), 1.0
    return {
        "squared_error": (losses.MeanSquaredError(), 1 / scale**2),
        "absolute_error": (losses.MeanAbsoluteError(), 1 / scale),
        "huber": (losses.Huber(delta=scale), 1 / scale**2),
        "poisson": (losses.Poisson(), 1 / scale),
    }[loss]
