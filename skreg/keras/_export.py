"""To Keras: a trained network as a built and compiled `keras.Model`."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence

import numpy as np

from skreg._data.columns import TableEncoder
from skreg._engine.hyperparameters import Hyperparameters
from skreg._nn.activations import ACTIVATIONS
from skreg._nn.links import LINKS
from skreg._nn.losses import Loss
from skreg._nn.network import Network, Scaling
from skreg._nn.penalties import to_keras_regularizer
from skreg._nn.solvers import SOLVERS
from skreg._tensorflow import tensorflow
from skreg.keras._encodings import (
    find_encoding_model,
    make_encoding_model,
    set_encoding_weights,
)
from skreg.keras._inputs import make_named_model, round_to_float32
from skreg.keras._quantiles import make_sorting_layer


def import_keras():
    """Return the keras module, imported after TensorFlow was imported quietly."""
    tensorflow()
    import keras

    return keras


@contextlib.contextmanager
def preserve_python_random():
    """Put back Python's global generator, from which Keras draws the seeds of its layers."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def make_keras_model(
    network: Network,
    solver: str,
    hyper: Hyperparameters,
    loss: Loss,
    encoder: TableEncoder | None = None,
    names: Sequence[str] = (),
):
    """Return the network as a built model of Keras, compiled if Keras has its loss.

    It stays uncompiled for targets of several scales, since no Keras loss weights the outputs
    differently.

    Parameters
    ----------
    network : Network
    solver : str
    hyper : Hyperparameters
    loss : Loss
    encoder : TableEncoder, default=None
        With categories or missing values the model has an input for each column. Otherwise it is a
        `keras.Sequential`.
    names : sequence of str, default=()
        Of all columns.
    """
    keras = import_keras()
    with preserve_python_random():
        model = layers = make_keras_layers(network)
        if encoder is not None and not encoder.is_plain:
            precise = choose_precise_dtype(keras)
            model = make_named_model(keras, layers, encoder, names, precise)
    encoding_model = set_weights(keras, layers, network)
    if model is layers:
        # Keras exports a Sequential to ONNX only if it was called.
        model(np.zeros((1, network.n_columns), np.float32))
    scales = np.ones(1) if network.output_scaling is None else network.output_scaling.scale
    has_one_scale = np.allclose(scales, scales[0], rtol=1e-6, atol=0)
    # A constant target has the scale 0, and any loss.
    objective = loss.to_keras(keras.losses, float(scales[0]) or 1.0) if has_one_scale else None
    if objective is not None:
        function, weight = objective
        model.compile(
            optimizer=_make_optimizer(keras, solver, hyper, encoding_model),
            loss=function,
            loss_weights=[weight],
            metrics=["accuracy"] if loss.predicts_classes else None,
        )
        # Keras builds it when it loads a saved model, and then misses what was not built here.
        model.optimizer.build(model.trainable_variables)
    return model


def make_keras_layers(network: Network):
    """Return the layers as a built `keras.Sequential`, with weights as Keras draws them.

    Only the shapes of the network's kernels and biases are used.
    """
    keras = import_keras()
    return keras.Sequential(list(_iterate_layers(keras, network)), name="regularized_mlp")


def set_weights(keras, layers, network: Network):
    """Set the weights of layers made of a network. Return the model of the encoding, or None."""
    encoding_model = find_encoding_model(keras, layers.layers)
    if encoding_model is not None:
        set_encoding_weights(encoding_model, network.encoding)
    dense = [layer for layer in layers.layers if isinstance(layer, keras.layers.Dense)]
    for layer, kernel, bias in zip(dense, network.kernels, network.biases, strict=True):
        layer.set_weights([kernel, bias])
    return encoding_model


def round_constant_columns(inputs: Scaling, constant: np.ndarray) -> Scaling:
    """Return the scaling with the centers of constant columns rounded to float32.

    A constant column then leaves zeros in float32, too.
    """
    with np.errstate(over="ignore"):
        rounded = inputs.center.astype(np.float32)
    rounds = constant & np.isfinite(rounded)
    return Scaling(np.where(rounds, rounded, inputs.center), inputs.scale)


def choose_precise_dtype(keras) -> str:
    """Return the type of columns, targets and probabilities, also where a policy is float16.

    Columns and targets may be beyond its range, and probabilities beyond its precision.
    """
    return keras.backend.result_type(keras.config.dtype_policy().variable_dtype, "float32")


def _iterate_layers(keras, network: Network):
    layers = keras.layers
    precise = choose_precise_dtype(keras)
    n_columns, rate = network.n_columns, network.input_dropout
    yield keras.Input((n_columns,), name="features")
    if network.input_scaling is not None:
        yield from _iterate_rescalings(layers, network.input_scaling, precise)
    if network.encoding is not None:
        yield make_encoding_model(keras, network.encoding, n_columns, rate, precise)
    elif rate:
        yield layers.Dropout(rate, name="input_dropout")
    activation, link = ACTIVATIONS[network.activation], LINKS[network.link]
    for k, kernel in enumerate(network.kernels, 1):
        hidden = k < len(network.kernels)
        strengths = {
            name: kernel_strengths[k - 1] for name, kernel_strengths in network.penalties.items()
        }
        yield layers.Dense(
            kernel.shape[1],
            activation=(activation if hidden else link).keras_name,
            kernel_regularizer=to_keras_regularizer(keras.regularizers, strengths),
            name=f"hidden_{k}" if hidden else "output",
            dtype=None if hidden else precise,
        )
        if hidden and network.dropout[k - 1]:
            yield layers.Dropout(network.dropout[k - 1], name=f"dropout_{k}")
    if link.sorts:
        yield make_sorting_layer(keras, network.levels, precise)
    if network.output_scaling is not None:
        center, scale = (round_to_float32("the target", part) for part in network.output_scaling)
        yield layers.Rescaling(scale, center, name="target_scale", dtype=precise)


def _iterate_rescalings(layers, inputs: Scaling, precise: str):
    """Yield layers of (x - center) / scale.

    Not Normalization, which Keras 3.15 exports to broken ONNX. As x / scale - center / scale the
    rounding of a large center would remain. The difference to the center's nearest float32 is
    exact near it, and what the rounding lost is added after the division.
    """
    center, scale = inputs
    nearest = round_to_float32("a column's mean", center)
    if center.any():
        yield layers.Rescaling(1.0, -nearest, name="center", dtype=precise)
    with np.errstate(over="ignore"):
        factor, rest = 1 / scale, (nearest - center) / scale
    factor = round_to_float32("1 / a column's deviation", factor)
    rest = round_to_float32("a column's mean over its deviation", rest)
    yield layers.Rescaling(factor, rest, name="scale", dtype=precise)


def _make_optimizer(keras, solver: str, hyper: Hyperparameters, encoding_model):
    """Return the optimiser. Biases and the model of an encoding, if there is one, do not decay."""
    optimizer = SOLVERS[solver].to_keras(
        keras.optimizers, hyper.learning_rate_init, hyper.solver_parameters, hyper.weight_decay
    )
    if hyper.weight_decay:
        excluded = [] if encoding_model is None else encoding_model.trainable_variables
        optimizer.exclude_from_weight_decay(var_list=excluded, var_names=["bias"])
    return optimizer
