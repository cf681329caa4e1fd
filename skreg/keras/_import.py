"""From Keras: layers and loss of a model as a network and parameters of skreg."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from skreg._nn.activations import ACTIVATIONS
from skreg._nn.links import LINKS, ClassLink
from skreg._nn.losses import (
    CLASS_LOSSES,
    DEFAULT_LOSSES,
    REGRESSION_LOSSES,
    choose_class_loss,
    find_class_loss,
)
from skreg._nn.network import Network, Scaling
from skreg._nn.penalties import PENALTIES, from_keras_regularizer
from skreg.keras._average import AVERAGE_NAME
from skreg.keras._encodings import find_encoding_model, read_encoding
from skreg.keras._export import import_keras
from skreg.keras._quantiles import read_levels, sorts_rows


def read_network(model: Any) -> Network:
    """Return the network of a model's layers.

    Raises
    ------
    TypeError
        If it is not a Keras model.
    ValueError
        If skreg cannot express a layer. The first such layer is named.
    """
    keras = import_keras()
    chain = _attach_activations(keras, _read_chain(keras, model))
    indices = [k for k, (layer, _) in enumerate(chain) if type(layer) is keras.layers.Dense]
    if not indices:
        raise ValueError("from_keras: expected a model with a Dense layer; received none.")
    first, last = indices[0], indices[-1]
    inputs, outputs, encoding = None, None, None
    levels: tuple[float, ...] = ()
    encoding_model = find_encoding_model(keras, [layer for layer, _ in chain[:first]])
    rates: dict[int, float] = {}  # by the Dense layers before
    for k, (layer, activation) in enumerate(chain):
        layer_type, n_dense = type(layer), sum(index < k for index in indices)
        if k in indices:
            _check_dense(layer)
            _check_activation(keras, layer, activation, hidden=k < last)
        elif layer is encoding_model and not rates:
            encoding, rates[0] = read_encoding(keras, layer)
        elif layer_type is keras.layers.Flatten and n_dense == 0:
            continue  # of rows of numbers, which are flat already
        elif layer_type is keras.layers.Dropout and k < last and n_dense not in rates:
            rates[n_dense] = _read_rate(layer)
        elif layer_type is keras.layers.Normalization and k == 0 < first:
            inputs = _read_normalization(layer)
        elif layer_type is keras.layers.Rescaling and n_dense == 0 and not rates and k < first:
            inputs = _apply_rescaling(inputs, layer)
        elif sorts_rows(keras, layer) and k == last + 1:
            levels = read_levels(layer)
        elif layer_type is keras.layers.Rescaling and k == last + 1 + bool(levels):
            outputs = np.asarray(layer.offset, float), _read_scale(layer, allows_zero=True)
        else:
            raise _make_error(layer, "its place among the others")
    dense = [chain[k] for k in indices]
    frozen = [layer.name for layer, _ in dense if not layer.trainable]
    if frozen:
        warnings.warn(
            f"from_keras: the layers {frozen} are not trained in Keras. Here a warm start and "
            "partial_fit train all layers.",
            stacklevel=3,
        )
    kernels, biases = (
        [keras.ops.convert_to_numpy(getattr(layer, part)).astype(np.float32) for layer, _ in dense]
        for part in ("kernel", "bias")
    )
    n_columns = len(kernels[0]) - (0 if encoding is None else encoding.n_outputs)
    return Network(
        kernels=kernels,
        biases=biases,
        activation=_read_activation(keras, dense[:-1]),
        link=_find_link(keras, dense[-1], sorts=bool(levels)),
        input_scaling=_broadcast(inputs, n_columns),
        encoding=encoding,
        output_scaling=_broadcast(outputs, len(biases[-1])),
        input_dropout=rates.get(0, 0.0),
        dropout=tuple(rates.get(k, 0.0) for k in range(1, len(dense))),
        penalties=_read_strengths(keras, [layer for layer, _ in dense]),
        levels=levels,
        rounds_inputs=True,
    )


def _make_error(layer, what: str) -> ValueError:
    return ValueError(
        "from_keras: expected Dense layers with Dropout between them, and Rescaling or "
        f"Normalization layers before them; received a layer {layer.name!r} "
        f"({type(layer).__name__}), of which skreg cannot express {what}."
    )


def _read_chain(keras, model) -> list:
    """Return the layers of a model in their order, if each follows the one before."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            "from_keras: expected a keras.Model or the path of a file; received "
            f"{type(model).__name__}."
        )
    calls = type(model).call, type(model).__call__
    own_call = not all(call.__module__.startswith("keras.") for call in calls)
    if own_call or not getattr(model, "inputs", None):
        raise ValueError(
            "from_keras: expected a built Sequential or functional model, whose layers are known; "
            f"received {model.name!r} ({type(model).__name__})."
        )
    encoding_model = find_encoding_model(keras, model.layers)
    inner = [
        layer.name
        for layer in model.layers
        if isinstance(layer, keras.Model)
        and layer is not encoding_model
        and not sorts_rows(keras, layer)
    ]
    if inner and model.name == AVERAGE_NAME:
        n_networks = sum(isinstance(layer, keras.Sequential) for layer in model.layers)
        raise ValueError(
            f"from_keras: expected one network; received {model.name!r}, which averages "
            f"{n_networks} of them. Keep a pickle of the estimator beside the model."
        )
    if inner:
        raise ValueError(
            "from_keras: expected a model of a table of numbers, whose layers follow one another; "
            f"received {model.name!r}, which contains the models {inner}. to_keras makes such a "
            "model for a table with categories or missing values; pass its layer 'network', which "
            "takes encoded columns."
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"from_keras: expected one input and one output; received {len(model.inputs)} and "
            f"{len(model.outputs)}."
        )
    inputs = model.inputs[0]
    if len(inputs.shape) != 2 or inputs.dtype not in ("float32", "float64"):
        raise ValueError(
            "from_keras: expected inputs of shape (None, n_features) in float32, to which Keras "
            f"converts a table; received inputs of shape {inputs.shape} in {inputs.dtype}."
        )
    # A Sequential model is a chain. One that was loaded has its own tensors for every layer.
    if isinstance(model, keras.Sequential):
        return list(model.layers)
    return _follow_layers(model.outputs[0], inputs)


def _follow_layers(tensor, inputs) -> list:
    """Return the layers between both tensors. Other models may call them on other tensors."""
    layers: list = []
    while tensor is not inputs:
        history = tensor._keras_history
        layers.insert(0, history.operation)
        received = history.operation._inbound_nodes[history.node_index].input_tensors
        if len(received) != 1:
            raise _make_error(layers[0], "that it does not follow one layer before")
        tensor = received[0]
    return layers


def _attach_activations(keras, layers) -> list[tuple]:
    """Return each layer with its activation, which may be a layer after a linear Dense layer."""
    linear = keras.activations.linear
    chain: list[tuple] = []
    for layer in layers:
        before, so_far = chain[-1] if chain else (None, None)
        activation = _find_function(keras, layer)
        if activation and type(before) is keras.layers.Dense and so_far is linear:
            chain[-1] = before, activation
        else:
            own = getattr(layer, "activation", None)  # a function, or a layer here, too
            chain.append((layer, _find_function(keras, own) or own))
    return chain


def _find_function(keras, layer):
    """Return the function of a layer that is an activation, or None."""
    layers = keras.layers
    if type(layer) is layers.Activation:
        return layer.activation
    if type(layer) is layers.ReLU and not (
        layer.max_value is not None or layer.negative_slope or layer.threshold
    ):
        return keras.activations.relu
    if type(layer) is layers.Softmax and layer.axis in (-1, 1):
        return keras.activations.softmax
    return None


def _map_functions(keras, known: dict) -> dict:
    """Return our name of each function of Keras; `known` are `ACTIVATIONS` or `LINKS`."""
    return {keras.activations.get(ours.keras_name): name for name, ours in known.items()}


def _find_link(keras, output, sorts: bool) -> str:
    """Return the link of the last Dense layer and its activation, before a layer that sorts."""
    layer, activation = output
    links = {name: link for name, link in LINKS.items() if link.sorts == sorts}
    link = _map_functions(keras, links).get(activation)
    if link is None:
        raise _make_error(layer, "an activation before a layer that sorts")
    return link


def _check_activation(keras, layer, activation, hidden: bool) -> None:
    if activation not in _map_functions(keras, ACTIVATIONS if hidden else LINKS):
        name = getattr(activation, "__name__", type(activation).__name__)
        raise _make_error(layer, f"the activation {name!r}")


def _check_dense(layer) -> None:
    for name in ("bias_regularizer", "activity_regularizer", "kernel_constraint"):
        if getattr(layer, name) is not None:
            raise _make_error(layer, f"the {name}")
    if layer.bias_constraint is not None or not layer.use_bias:
        raise _make_error(layer, "a bias that is constrained or missing")
    if layer.quantization_mode is not None:
        raise _make_error(layer, f"a kernel of {layer.quantization_mode}")
    weights = (np.asarray(weight, float) for weight in layer.get_weights())
    if not all((np.abs(weight) <= np.finfo(np.float32).max).all() for weight in weights):
        raise _make_error(layer, "weights that are not finite in float32")
    if from_keras_regularizer(import_keras().regularizers, layer.kernel_regularizer) is None:
        raise _make_error(layer, f"the regularizer {type(layer.kernel_regularizer).__name__}")


def _read_rate(layer) -> float:
    if layer.noise_shape is not None:
        raise _make_error(layer, f"noise_shape={layer.noise_shape}")
    if layer.rate == 1:
        raise _make_error(layer, "a rate of 1")
    return float(layer.rate)


def _read_strengths(keras, layers) -> dict[str, tuple[float, ...]]:
    """Return the strength of each penalty for each kernel."""
    found = [
        from_keras_regularizer(keras.regularizers, layer.kernel_regularizer) or {}
        for layer in layers
    ]
    return {name: tuple(layer_strengths[name] for layer_strengths in found) for name in PENALTIES}


def _read_activation(keras, hidden: list[tuple]) -> str:
    """Return the one activation of all hidden layers."""
    for layer, activation in hidden:
        if activation is not hidden[0][1]:
            raise _make_error(layer, "another activation than that of the first hidden layer")
    return _map_functions(keras, ACTIVATIONS)[hidden[0][1]] if hidden else "relu"


def _read_normalization(layer) -> tuple[np.ndarray, np.ndarray]:
    if layer.invert or layer.mean is None:
        raise _make_error(layer, "a Normalization that is inverted or not adapted")
    mean, variance = (np.asarray(part, float).ravel() for part in (layer.mean, layer.variance))
    if not np.isfinite(mean).all() or not (np.isfinite(variance) & (variance >= 0)).all():
        raise _make_error(layer, "means or variances that are not finite, or below zero")
    # Keras divides by the deviation, or by epsilon if it is smaller.
    return mean, np.maximum(np.sqrt(variance), import_keras().config.epsilon())


def _apply_rescaling(inputs, layer) -> tuple[np.ndarray, np.ndarray]:
    """Return the scaling of inputs after one more Rescaling: ((x - c) / s) scale + offset."""
    center, divisor = inputs or (np.zeros(1), np.ones(1))
    scale, offset = _read_scale(layer), np.asarray(layer.offset, float)
    return center - divisor * offset / scale, divisor / scale


def _read_scale(layer, allows_zero: bool = False) -> np.ndarray:
    """Return the scale, which is zero where a target was constant."""
    scale = np.asarray(layer.scale, float)
    is_valid = (scale > 0) | (allows_zero & (scale == 0))
    if not np.all(is_valid & np.isfinite(scale)):
        raise _make_error(layer, "a scale that is not positive and finite")
    if not np.isfinite(layer.offset).all():
        raise _make_error(layer, "an offset that is not finite")
    return scale


def _broadcast(center_and_scale, n_columns: int):
    """Return center and scale with one number for each column."""
    if center_and_scale is None:
        return None
    return Scaling(*(np.broadcast_to(part, n_columns).copy() for part in center_and_scale))


def read_class_network(network: Network, model: Any, classes) -> tuple[Network, dict]:
    """Return a classifier's network with its classes sorted, and its attributes.

    Two softmax outputs become one logit, their difference. A loss of logits decides on the link.
    """
    losses, loss = import_keras().losses, _find_loss(model)
    if network.link == "identity" and getattr(loss, "from_logits", False):
        links = [ours.link.name for ours in CLASS_LOSSES.values() if ours.is_keras(losses, loss)]
        network = replace(network, link=links[0]) if links else network
    kernel, bias = network.kernels[-1], network.biases[-1]
    link = LINKS[network.link]
    if not isinstance(link, ClassLink) or network.output_scaling is not None:
        raise ValueError(
            "from_keras: expected probabilities, a last activation that is softmax or sigmoid and "
            f"no layer after it; received {link.keras_name!r}."
        )
    several_labels = not link.sums_to_one and len(bias) > 1
    if several_labels and find_class_loss("softmax").is_keras(losses, loss):
        raise ValueError(
            "from_keras: expected softmax for a loss of one class per row; received 'sigmoid' and "
            f"{getattr(loss, '__name__', type(loss).__name__)!r}."
        )
    n_classes = len(bias) if link.sums_to_one or several_labels else 2
    labels = np.arange(n_classes) if classes is None else _check_labels(classes)
    distinct = np.unique(labels)
    if labels.shape != (n_classes,) or len(distinct) != n_classes:
        raise ValueError(
            f"classes: expected {n_classes} distinct labels, one for each output; received "
            f"{classes!r}."
        )
    if several_labels:
        if classes is not None and not np.array_equal(labels, np.arange(n_classes)):
            raise ValueError(
                "classes: expected None for several labels per row, which are columns; received "
                f"{classes!r}."
            )
        return network, {"classes_": labels, "out_activation_": link.name}
    order = np.argsort(labels)
    if not link.sums_to_one:
        sign = np.float32(1 if order[0] == 0 else -1)
        kernel, bias = sign * kernel, sign * bias
    else:
        kernel, bias = kernel[:, order], bias[order]
        if n_classes == 2:
            kernel, bias = kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]
    ordered = replace(
        network,
        kernels=[*network.kernels[:-1], kernel],
        biases=[*network.biases[:-1], bias],
    )
    loss = choose_class_loss(n_classes, is_multilabel=False)
    return ordered, {"classes_": labels[order], "out_activation_": loss.link.name}


def _check_labels(classes) -> np.ndarray:
    """Return the labels of the outputs, if they have one type that can be sorted."""
    labels = np.asarray(classes)
    given = np.ravel(np.asarray(classes, object))
    types = {isinstance(label, str) - isinstance(label, bytes) for label in given}
    try:
        if len(types) > 1:
            raise TypeError("text and others")  # NumPy would convert all to text
        np.unique(labels)
    except TypeError as error:
        raise TypeError(
            f"classes: expected labels of one type that can be sorted; received {classes!r}."
        ) from error
    if not all(np.isfinite(label) for label in given if isinstance(label, (float, np.floating))):
        raise ValueError(f"classes: expected finite numbers; received {classes!r}.")
    return labels


def read_regression_network(network: Network, model: Any) -> tuple[str, dict]:
    """Return the loss of a regressor's network and its attributes.

    A loss that is not known here becomes the default of the link.
    """
    losses, theirs = import_keras().losses, _find_loss(model)
    if network.link not in DEFAULT_LOSSES:
        raise ValueError(
            "from_keras: expected numbers, a last activation that is linear or exponential; "
            f"received {LINKS[network.link].keras_name!r}."
        )
    loss = REGRESSION_LOSSES[DEFAULT_LOSSES[network.link]]
    for known in REGRESSION_LOSSES.values():
        if known.link.name == network.link and known.is_keras(losses, theirs):
            loss = known
    n_outputs = len(network.biases[-1])
    center, scale = network.output_scaling or (np.zeros(n_outputs), np.ones(n_outputs))
    n_columns = 1 if network.levels else n_outputs  # of y
    if network.levels and not ((center == center[0]) & (scale == scale[0])).all():
        raise ValueError(
            "from_keras: expected one scale and one offset after a layer that sorts; received "
            f"{scale[:5]} and {center[:5]}."
        )
    attributes = {
        "target_center_": center,
        "target_scale_": scale,
        "out_activation_": network.link,
        "_target_statistics": loss.recover_statistics(center[:n_columns], scale[:n_columns]),
    }
    return loss.name, attributes


def _find_loss(model: Any):
    """Return the loss of a compiled model, an object or a function of Keras, or None."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, dict):
        loss = list(loss.values())
    if isinstance(loss, (list, tuple)):  # of one output
        loss = loss[0] if loss else None
    return import_keras().losses.get(loss) if isinstance(loss, str) else loss
