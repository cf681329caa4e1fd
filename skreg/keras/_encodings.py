"""An encoding of numeric columns in Keras: a model of standard layers inside the network's layers.

It takes the scaled columns, and returns them with the encoded inputs. Its dropout drops columns: a
column together with its encoded inputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skreg._nn.encoding import Encoding
from skreg._nn.encodings import ENCODINGS

_NAME, _DROPOUT = "numerical_encoding", "input_dropout"
_N_PROBES = 64


def make_encoding_model(keras: Any, encoding: Encoding, n_columns: int, rate: float, dtype: str):
    """Return the functional model of an encoding, with weights as Keras draws them.

    Parameters
    ----------
    keras : module
    encoding : Encoding
    n_columns : int
    rate : float
        Dropout of the inputs.
    dtype : str
        Of all layers.
    """
    ops = keras.ops
    columns = keras.Input((n_columns,), dtype=dtype, name="columns")
    outputs = columns
    if encoding.n_outputs:
        encoded = encoding.apply_in_keras(keras, ops.take(columns, encoding.columns, axis=1), dtype)
        outputs = ops.concatenate([columns, encoded], axis=1)
    if rate:
        factor = keras.layers.Dropout(rate, dtype=dtype, name=_DROPOUT)(ops.ones_like(columns))
        sources = np.concatenate([np.arange(n_columns), encoding.sources])
        outputs = outputs * ops.take(factor, sources.astype(np.int32), axis=1)
    return keras.Model(columns, outputs, name=_NAME)


def find_encoding_model(keras: Any, layers):
    """Return the model of an encoding among the layers, or None."""
    for layer in layers:
        if isinstance(layer, keras.Model) and layer.name == _NAME:
            return layer
    return None


def set_encoding_weights(model: Any, encoding: Encoding | None) -> None:
    """Set the weights of the model of an encoding."""
    if encoding is not None and encoding.n_outputs:
        for name, weights in encoding.get_keras_weights().items():
            model.get_layer(name).set_weights(weights)


def read_encoding(keras: Any, model: Any) -> tuple[Encoding | None, float]:
    """Return the encoding that a model computes, and the dropout of the inputs.

    Raises
    ------
    ValueError
        If it computes something else.
    """
    try:
        encoding, rate = _read_layers(model)
        rng = np.random.default_rng(0)
        probes = 2 * rng.standard_normal((_N_PROBES, model.inputs[0].shape[1]))
        expected = probes if encoding is None else encoding.extend(probes)
        found = keras.ops.convert_to_numpy(model(probes.astype(np.float32), training=False))
        is_same = np.allclose(found, expected, rtol=1e-3, atol=1e-3)
    except Exception as error:  # of layers with these names that are others, whatever they raise
        raise _make_error() from error
    if not is_same:
        raise _make_error()
    return encoding, rate


def _make_error() -> ValueError:
    return ValueError(
        f"from_keras: expected in {_NAME!r} the model that to_keras makes of an encoding; received "
        "one that computes something else."
    )


def _read_layers(model: Any) -> tuple[Encoding | None, float]:
    """Return the encoding of the layers with the names that `ENCODINGS` give them, and the rate."""
    layers = {layer.name: layer for layer in model.layers}
    rate = float(layers[_DROPOUT].rate) if _DROPOUT in layers else 0.0
    for encoding in ENCODINGS.values():
        if all(name in layers for name in encoding.keras_layers):
            return encoding.from_keras(_read_columns(model), layers), rate
    return None, rate


def _read_columns(model: Any) -> np.ndarray:
    """Return the indices of the columns that are encoded."""
    for operation in model.operations:
        for node in operation._inbound_nodes:
            is_of_inputs = len(node.input_tensors) and node.input_tensors[0] is model.inputs[0]
            if type(operation).__name__ == "Take" and is_of_inputs:
                arguments = node.arguments
                indices = [*arguments.args[1:], arguments.kwargs.get("indices")][0]
                return np.asarray(indices, dtype=np.int32)
    return np.empty(0, np.int32)
