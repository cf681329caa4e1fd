"""Quantiles in Keras: the layer that sorts them, and the levels in its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skreg._nn.losses import LOSSES

_NAME = "quantiles"  # begins the name of the layer; the levels follow


def make_sorting_layer(keras: Any, levels: Sequence[float], dtype: str):
    """Return a layer that sorts each row, and has the levels in its name.

    It is a model of one operation, since Keras has no layer that sorts and refuses to load an
    Activation of another function than its own.
    """
    inputs = keras.Input((len(levels),), dtype=dtype)
    name = "_".join([_NAME, *(repr(level) for level in levels)])
    return keras.Model(inputs, keras.ops.sort(inputs, axis=-1), name=name)


def sorts_rows(keras: Any, layer: Any) -> bool:
    """Whether a layer is a model that sorts each row, as `to_keras` makes of quantiles."""
    if not isinstance(layer, keras.Model):
        return False
    operations = getattr(layer, "operations", [])
    example = keras.ops.sort(keras.KerasTensor((None, 2)))._keras_history.operation
    kinds = [keras.layers.InputLayer, type(example)]
    return [type(operation) for operation in operations] == kinds and operations[1].axis in (-1, 1)


def read_levels(layer: Any) -> tuple[float, ...]:
    """Return the levels of quantiles, which the name of the layer that sorts them has."""
    try:
        begin, *numbers = layer.name.split("_")
        levels = tuple(float(number) for number in numbers)
        LOSSES["quantiles"].check_parameters({"quantile": levels})
        is_valid = begin == _NAME and 1 < len(levels) == layer.output_shape[-1]
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError(
            "from_keras: expected a layer that sorts to have the levels of quantiles in its name, "
            f"one for each output, such as '{_NAME}_0.1_0.5_0.9'; received {layer.name!r}."
        )
    return levels
