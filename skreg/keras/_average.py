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
    weights : ndarray of shape (n_networks,)
        Weights of the networks, of sum 1.
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
            layers.name, name = (find_free(f"{word}_{k}", names) for word in ("network", "share"))
            weight = float(weights[k - 1])
            outputs.append(keras.layers.Rescaling(weight, name=name, dtype=precise)(layers(table)))
        average = keras.layers.Add(name=find_free("average", names), dtype=precise)(outputs)
        model = keras.Model(inputs, average, name=AVERAGE_NAME)
    for layers, network in zip(members, networks, strict=True):
        set_weights(keras, layers, network)
    if not isinstance(inputs, dict):
        # Keras exports a model of one input to ONNX only if it was called.
        model(np.zeros((1, networks[0].n_columns), np.float32))
    return model
