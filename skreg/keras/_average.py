"""Several networks as one model of Keras, which averages their predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skreg._data.columns import TableEncoder
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
        Weights of the networks, of sum 1; or those of each class.
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
        outputs = []
        for k, (layers, table) in enumerate(zip(members, tables, strict=True), 1):
            layers.name = find_free(f"network_{k}", names)
            outputs.append(layers(table))

        def add_mean(factors: np.ndarray, offsets: np.ndarray, words: Sequence[str]):
            terms = []
            for k, output in enumerate(outputs):
                scales = factors[k].tolist(), offsets[k].tolist()
                name = find_free(f"{words[0]}_{k + 1}", names)
                terms.append(keras.layers.Rescaling(*scales, name=name, dtype=precise)(output))
            return keras.layers.Add(name=find_free(words[1], names), dtype=precise)(terms)

        if weights.ndim == 1:
            average = add_mean(weights, 0 * weights, ("share", "average"))
        elif outputs[0].shape[1] == 1:  # the probability of the second class
            no, yes = weights.T
            mean = add_mean(yes, 0 * yes, ("share", "mean"))
            average = mean / (mean + add_mean(-no, no, ("other_share", "other_mean")))
        else:
            mean = add_mean(weights, 0 * weights, ("share", "mean"))
            average = mean / keras.ops.sum(mean, axis=-1, keepdims=True)
        model = keras.Model(inputs, average, name=AVERAGE_NAME)
    for layers, network in zip(members, networks, strict=True):
        set_weights(keras, layers, network)
    if not isinstance(inputs, dict):
        # Keras exports a model of one input to ONNX only if it was called.
        model(np.zeros((1, networks[0].n_columns), np.float32))
    return model
