"""Several networks as one model of Keras, which averages their predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skreg._data.columns import TableEncoder
from skreg._nn.links import LINKS, log_shares
from skreg._nn.network import Network
from skreg.keras._export import (
    choose_precise_dtype,
    import_keras,
    make_keras_layers,
    preserve_python_random,
    set_weights,
)
from skreg.keras._inputs import find_free, make_named_inputs, merge_encoders

AVERAGE_NAME = "average_of_regularized_mlps"


def make_average_model(
    networks: Sequence[Network],
    encoders: Sequence[TableEncoder],
    weights: np.ndarray,
    names: Sequence[str],
):
    """Return a functional model of the weighted mean of what networks predict. Not compiled.

    Parameters
    ----------
    networks : sequence of Network
        At least two.
    encoders : sequence of TableEncoder
        Of each network. With categories or missing values in those of
        any network, the model has an input for each column.
    weights : ndarray of shape (n_networks,) or (n_networks, n_classes)
        Weights of the networks, of sum 1; or those of each class or label.
    names : sequence of str, length n_features
        Of all columns.
    """
    keras = import_keras()
    precise = choose_precise_dtype(keras)
    with preserve_python_random():
        members = [make_keras_layers(network) for network in networks]
        if merge_encoders(encoders).is_plain:
            inputs = keras.Input((networks[0].n_columns,), name="features")
            tables = [inputs] * len(networks)
        else:
            inputs, tables = make_named_inputs(keras, encoders, names, precise)
        link, n_outputs = LINKS[networks[0].link], members[0].output_shape[1]
        if weights.ndim == 2 and (link.sums_to_one or weights.shape[1] != n_outputs):
            average = _make_class_average(keras, n_outputs, weights, precise)
            for layers in members:
                layers.layers[-1].activation = keras.activations.linear
        else:
            average = _make_average(keras, n_outputs, weights, precise)
        average.name = find_free("average", names)
        outputs = []
        for k, (layers, table) in enumerate(zip(members, tables, strict=True), 1):
            layers.name = find_free(f"network_{k}", names)
            outputs.append(layers(table))
        model = keras.Model(inputs, average(outputs), name=AVERAGE_NAME)
    for layers, network in zip(members, networks, strict=True):
        set_weights(keras, layers, network)
    if not isinstance(inputs, dict):
        # Keras exports a model of one input to ONNX only if it was called.
        model(np.zeros((1, networks[0].n_columns), np.float32))
    return model


def _make_average(keras, n_outputs: int, weights: np.ndarray, dtype: str):
    """Return the model of the weighted mean of what networks predict."""
    inputs = [keras.Input((n_outputs,)) for _ in weights]
    scaled = [
        keras.layers.Rescaling(weight, name=f"share_{k}", dtype=dtype)(one)
        for k, (one, weight) in enumerate(zip(inputs, weights.tolist(), strict=True), 1)
    ]
    return keras.Model(inputs, keras.layers.Add(dtype=dtype)(scaled))


def _make_class_average(keras, n_outputs: int, weights: np.ndarray, dtype: str):
    """Return the model of the probabilities, given the logits of the networks.

    By logarithms, since the mean over the networks that know a class may be below float32.
    """
    ops = keras.ops
    inputs = [keras.Input((n_outputs,)) for _ in weights]
    logits = ops.cast(ops.stack(inputs), dtype)
    logs = log_shares(weights).astype(dtype)[:, None]

    def average(log_probabilities, log_weights):
        return ops.logsumexp(ops.add(log_probabilities, log_weights), axis=0)

    if n_outputs > 1:
        predictions = ops.softmax(average(ops.log_softmax(logits, axis=-1), logs), axis=-1)
    else:
        no, yes = np.split(logs, 2, axis=-1)
        odds = average(ops.log_sigmoid(logits), yes) - average(ops.log_sigmoid(-logits), no)
        predictions = ops.sigmoid(odds)
    return keras.Model(inputs, predictions)
