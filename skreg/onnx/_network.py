"""From the encoded table to the predictions of a network, as nodes.

Layers are in float32, scales and means of counts in float64.
"""

from __future__ import annotations

import numpy as np

from skreg._data.scaling import MAX_INPUT
from skreg._nn.activations import ACTIVATIONS
from skreg._nn.links import LINKS
from skreg._nn.network import Network, Scaling
from skreg.onnx._graph import Graph


def add_inputs(graph: Graph, network: Network, table: str) -> str:
    """Add what enters the first layer: scaled columns, and what an encoding makes of them.

    Columns are scaled in float64, as in NumPy, since they may be far from zero.
    """
    values = table
    if network.rounds_inputs and network.input_scaling is not None:
        values = graph.cast(graph.cast(values, np.float32), np.float64)
    if network.input_scaling is not None:
        center, scale = network.input_scaling
        values = graph.add("Div", graph.add("Sub", values, center), scale)
    limit = np.float64(MAX_INPUT)
    values = graph.add("Clip", values, -limit, limit)
    inputs = graph.cast(values, np.float32)
    if network.encoding is None or not network.encoding.n_outputs:
        return inputs
    return graph.concatenate([inputs, network.encoding.add_to_onnx(graph, values)])


def add_logits(graph: Graph, network: Network, inputs: str) -> str:
    """Add the layers."""
    values, n_layers = inputs, len(network.kernels)
    for layer, (kernel, bias) in enumerate(zip(network.kernels, network.biases, strict=True), 1):
        values = graph.add("Gemm", values, kernel, bias)
        if layer < n_layers:
            values = ACTIVATIONS[network.activation].add_to_onnx(graph, values)
    return values


def add_predictions(graph: Graph, network: Network, inputs: str) -> str:
    """Add the layers and the link. Of two classes there are the probabilities of both."""
    logits = add_logits(graph, network, inputs)
    return LINKS[network.link].add_to_onnx(graph, logits, len(network.biases[-1]))


def add_average(graph: Graph, predictions: list[str], weights: np.ndarray) -> str:
    """Add the weighted mean, in the type of the weights."""
    if len(predictions) == 1:
        return predictions[0]
    pairs = zip(predictions, weights, strict=True)
    return graph.add("Sum", *(graph.add("Mul", tensor, weight) for tensor, weight in pairs))


def add_output_scaling(graph: Graph, scaling: Scaling, predictions: str, dtype) -> str:
    """Add predictions in the units of the targets, in float64.

    As in `predict`, a value that is too large becomes the largest one of the type.
    """
    # Before the product, since an infinite mean times a scale of 0 would be NaN.
    values = clip_to_dtype(graph, graph.cast(predictions, np.float64), dtype)
    scaled = graph.add("Add", graph.add("Mul", values, scaling.scale), scaling.center)
    return clip_to_dtype(graph, scaled, dtype)


def clip_to_dtype(graph: Graph, values: str, dtype) -> str:
    """Add the values, in float64, within the largest numbers of another type."""
    largest = np.float64(np.finfo(dtype).max)
    return graph.add("Clip", values, -largest, largest)
