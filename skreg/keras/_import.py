"""From Keras: what the layers, the optimiser and the loss of a model say in our words.

Owns what of them is understood, and the error that names the first layer that is not. Does not own
files (`_model_files`), nor what an estimator makes of it (`_base`, the estimators).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from skreg._data.scaling import Statistics
from skreg._nn.network import Network
from skreg.keras._export import ACTIVATIONS, LINKS, keras_module

# What an optimiser of Keras may do that ours do not.
_OTHER_OPTIONS = (
    "amsgrad",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "use_ema",
    "gradient_accumulation_steps",
)


def read_keras(model: Any) -> Network:
    """Return what the layers of a model say.

    Raises
    ------
    TypeError
        If it is no Keras model.
    ValueError
        If a network of ours cannot say it; the first layer that it cannot is named.
    """
    keras = keras_module()
    chain = _with_activations(keras, _chain(keras, model))
    places = [k for k, (layer, _) in enumerate(chain) if type(layer) is keras.layers.Dense]
    if not places:
        raise ValueError("from_keras: expected a model with a Dense layer; received none.")
    first, last = places[0], places[-1]
    inputs, outputs = None, None
    rates: dict[int, float] = {}  # by the Dense layers before
    for k, (layer, activation) in enumerate(chain):
        kind, n_dense = type(layer), sum(place < k for place in places)
        if k in places:
            _check_dense(layer)
            _check_activation(keras, layer, activation, hidden=k < last)
        elif kind is keras.layers.Dropout and k < last and n_dense not in rates:
            rates[n_dense] = _rate(layer)
        elif kind is keras.layers.Normalization and k == 0 < first:
            inputs = _normalization(layer)
        elif kind is keras.layers.Rescaling and n_dense == 0 and not rates and k < first:
            inputs = _rescaled(inputs, layer)
        elif kind is keras.layers.Rescaling and k == last + 1:
            outputs = np.asarray(layer.offset, float), _positive_scale(layer)
        else:
            raise _inexpressible(layer, "what stands where it does")
    dense = [chain[k] for k in places]
    kernels, biases = (
        [keras.ops.convert_to_numpy(getattr(layer, part)).astype(np.float32) for layer, _ in dense]
        for part in ("kernel", "bias")
    )
    return Network(
        kernels,
        biases,
        _activation_of(keras, dense[:-1]),
        _names(keras, LINKS)[dense[-1][1]],
        tuple(rates.get(k, 0.0) for k in range(1, len(dense))),
        tuple(_strength(layer) for layer, _ in dense),
        rates.get(0, 0.0),
        _columns(inputs, len(kernels[0])),
        _columns(outputs, len(biases[-1])),
    )


def _inexpressible(layer, what: str) -> ValueError:
    return ValueError(
        "from_keras: expected Dense layers with Dropout between them, behind Rescalings or a "
        f"Normalization if any; received a layer {layer.name!r} ({type(layer).__name__}) of which "
        f"skreg cannot express {what}."
    )


def _chain(keras, model) -> list:
    """The layers of a model in their order, if each follows the one before."""
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
    # A Sequential is a chain; one that was loaded has tensors of its own for every layer added.
    if isinstance(model, keras.Sequential):
        return list(model.layers)
    return _followed(model.outputs[0], inputs)


def _followed(tensor, inputs) -> list:
    """The layers between both, from the inputs on; other models may call them on other tensors."""
    layers: list = []
    while tensor is not inputs:
        history = tensor._keras_history
        layers.insert(0, history.operation)
        received = history.operation._inbound_nodes[history.node_index].input_tensors
        if len(received) != 1:
            raise _inexpressible(layers[0], "that it does not follow one layer before")
        tensor = received[0]
    return layers


def _with_activations(keras, layers) -> list[tuple]:
    """Each layer with its activation, which may be a layer of its own behind a linear Dense."""
    linear = keras.activations.linear
    chain: list[tuple] = []
    for layer in layers:
        before, so_far = chain[-1] if chain else (None, None)
        activation = _function_of(keras, layer)
        if activation and type(before) is keras.layers.Dense and so_far is linear:
            chain[-1] = before, activation
        else:
            own = getattr(layer, "activation", None)  # a function, or a layer here, too
            chain.append((layer, _function_of(keras, own) or own))
    return chain


def _function_of(keras, layer):
    """The function of a layer that is an activation, or None."""
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


def _names(keras, names: dict[str, str]) -> dict:
    """Keras' functions, each with what we call it."""
    return {keras.activations.get(theirs): ours for ours, theirs in names.items()}


def _check_activation(keras, layer, activation, hidden: bool) -> None:
    if activation not in _names(keras, ACTIVATIONS if hidden else LINKS):
        name = getattr(activation, "__name__", type(activation).__name__)
        raise _inexpressible(layer, f"the activation {name!r}")


def _check_dense(layer) -> None:
    for name in ("bias_regularizer", "activity_regularizer", "kernel_constraint"):
        if getattr(layer, name) is not None:
            raise _inexpressible(layer, f"the {name}")
    if layer.bias_constraint is not None or not layer.use_bias:
        raise _inexpressible(layer, "a bias that is constrained or missing")
    if layer.quantization_mode is not None:
        raise _inexpressible(layer, f"a kernel of {layer.quantization_mode}")
    weights = (np.asarray(weight, float) for weight in layer.get_weights())
    if not all((np.abs(weight) <= np.finfo(np.float32).max).all() for weight in weights):
        raise _inexpressible(layer, "weights that are not finite in float32")
    penalty = layer.kernel_regularizer
    regularizers = keras_module().regularizers
    if penalty is not None and type(penalty) not in (regularizers.L2, regularizers.L1L2):
        raise _inexpressible(layer, f"the regularizer {type(penalty).__name__}")
    if float(getattr(penalty, "l1", 0.0)):
        raise _inexpressible(layer, "an L1 penalty")


def _rate(layer) -> float:
    if layer.noise_shape is not None:
        raise _inexpressible(layer, f"noise_shape={layer.noise_shape}")
    if layer.rate == 1:
        raise _inexpressible(layer, "a rate of 1")
    return float(layer.rate)


def _strength(layer) -> float:
    return float(getattr(layer.kernel_regularizer, "l2", 0.0))


def _activation_of(keras, hidden: list[tuple]) -> str:
    """The one activation of all hidden layers."""
    for layer, activation in hidden:
        if activation is not hidden[0][1]:
            raise _inexpressible(layer, "another activation than that of the first hidden layer")
    return _names(keras, ACTIVATIONS)[hidden[0][1]] if hidden else "relu"


def _normalization(layer) -> tuple[np.ndarray, np.ndarray]:
    if layer.invert or layer.mean is None:
        raise _inexpressible(layer, "a Normalization that is inverted or not adapted")
    mean, variance = (np.asarray(part, float).ravel() for part in (layer.mean, layer.variance))
    if not np.isfinite(mean).all() or not (np.isfinite(variance) & (variance >= 0)).all():
        raise _inexpressible(layer, "means or variances that are not finite, or below zero")
    # As Keras divides: by the deviation, or a little where there is none.
    return mean, np.maximum(np.sqrt(variance), keras_module().config.epsilon())


def _rescaled(inputs, layer) -> tuple[np.ndarray, np.ndarray]:
    """The scales of inputs that one more Rescaling follows: ((x - c) / s) scale + offset."""
    center, divisor = inputs or (np.zeros(1), np.ones(1))
    scale, offset = _positive_scale(layer), np.asarray(layer.offset, float)
    return center - divisor * offset / scale, divisor / scale


def _positive_scale(layer) -> np.ndarray:
    scale = np.asarray(layer.scale, float)
    if not np.all((scale > 0) & np.isfinite(scale)):
        raise _inexpressible(layer, "a scale that is not positive and finite")
    if not np.isfinite(layer.offset).all():
        raise _inexpressible(layer, "an offset that is not finite")
    return scale


def _columns(center_and_scale, n_columns: int):
    """Both numbers as one a column."""
    if center_and_scale is None:
        return None
    center, scale = (np.broadcast_to(part, n_columns).copy() for part in center_and_scale)
    return center, scale


def with_classes(network: Network, model: Any, classes) -> tuple[Network, dict]:
    """Return a classifier's network with its classes sorted, and its attributes.

    Two softmax outputs become one logit, their difference. Where the loss takes logits, it tells
    the link.
    """
    losses, loss = keras_module().losses, _loss(model)
    if network.link == "identity" and getattr(loss, "from_logits", False):
        if type(loss) in (losses.BinaryCrossentropy, losses.BinaryFocalCrossentropy):
            network = replace(network, link="logistic")
        elif type(loss) in _of_one_class(losses):
            network = replace(network, link="softmax")
    kernel, bias = network.kernels[-1], network.biases[-1]
    if network.link not in ("softmax", "logistic") or network.outputs is not None:
        raise ValueError(
            "from_keras: expected probabilities, a last activation that is softmax or sigmoid and "
            f"no layer after it; received {LINKS[network.link]!r}."
        )
    several_labels = network.link == "logistic" and len(bias) > 1
    if several_labels and (loss in _of_one_class(losses) or type(loss) in _of_one_class(losses)):
        raise ValueError(
            "from_keras: expected a softmax for a loss of one class a row; received 'sigmoid' and "
            f"{getattr(loss, '__name__', type(loss).__name__)!r}."
        )
    n_classes = 2 if network.link == "logistic" and not several_labels else len(bias)
    labels = np.arange(n_classes) if classes is None else _labels(classes)
    distinct = np.unique(labels)
    if labels.shape != (n_classes,) or len(distinct) != n_classes:
        raise ValueError(
            f"classes: expected {n_classes} distinct labels, one for each output; received "
            f"{classes!r}."
        )
    if several_labels:
        if classes is not None and not np.array_equal(labels, np.arange(n_classes)):
            raise ValueError(
                "classes: expected None for several labels a row, which are columns; received "
                f"{classes!r}."
            )
        return network, {"classes_": labels, "out_activation_": "logistic"}
    order = np.argsort(labels)
    if network.link == "logistic":
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
    link = "logistic" if n_classes == 2 else "softmax"
    return ordered, {"classes_": labels[order], "out_activation_": link}


def _of_one_class(losses) -> tuple:
    """Keras' losses, as classes and functions, of rows that are of one class each."""
    return (
        losses.CategoricalCrossentropy,
        losses.CategoricalFocalCrossentropy,
        losses.SparseCategoricalCrossentropy,
        losses.categorical_crossentropy,
        losses.categorical_focal_crossentropy,
        losses.sparse_categorical_crossentropy,
    )


def _labels(classes) -> np.ndarray:
    """The labels of outputs, if they are of one kind, which can be sorted."""
    labels = np.asarray(classes)
    given = np.ravel(np.asarray(classes, object))
    kinds = {isinstance(label, str) - isinstance(label, bytes) for label in given}
    try:
        if len(kinds) > 1:
            raise TypeError("text and others")  # which NumPy would all make text
        np.unique(labels)
    except TypeError as error:
        raise TypeError(
            f"classes: expected labels of one kind, which can be sorted; received {classes!r}."
        ) from error
    if not all(np.isfinite(label) for label in given if isinstance(label, (float, np.floating))):
        raise ValueError(f"classes: expected finite numbers; received {classes!r}.")
    return labels


def with_numbers(network: Network, model: Any) -> tuple[str, dict]:
    """Return the loss of a regressor's network, where the model says one, and its attributes."""
    if network.link not in ("identity", "exp"):
        raise ValueError(
            "from_keras: expected numbers, a last activation that is linear or exponential; "
            f"received {LINKS[network.link]!r}."
        )
    n_outputs = len(network.biases[-1])
    center, scale = network.outputs or (np.zeros(n_outputs), np.ones(n_outputs))
    poisson = network.link == "exp"
    if poisson and center.any():
        raise ValueError(
            f"from_keras: expected no offset after an exponential; received {center[:5]}."
        )
    attributes = {
        "target_center_": center,
        "target_scale_": scale,
        "out_activation_": network.link,
        # Poisson targets are divided by their mean, others by their deviation.
        "_target_statistics": Statistics(0.0, scale if poisson else center, scale),
    }
    return "poisson" if poisson else _loss_of_numbers(model), attributes


def _loss(model: Any):
    """The loss of a compiled model, an object or a function of Keras, or None."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, dict):
        loss = list(loss.values())
    if isinstance(loss, (list, tuple)):  # of one output
        loss = loss[0] if loss else None
    return keras_module().losses.get(loss) if isinstance(loss, str) else loss


def _loss_of_numbers(model: Any) -> str:
    losses, loss = keras_module().losses, _loss(model)
    if type(loss) is losses.MeanAbsoluteError or loss is losses.mean_absolute_error:
        return "absolute_error"
    # Of any delta, which Keras 3.15 does not write into a file; ours bends at one deviation.
    if type(loss) is losses.Huber or loss is losses.huber:
        return "huber"
    return "squared_error"


def solver_parameters(model) -> dict:
    """Return the estimator's parameters that say what a compiled model's optimiser does.

    Empty where skreg has no such optimiser, or the model is not compiled. Without a learning rate
    where it follows a schedule, of which the end says nothing of the beginning.
    """
    optimizers = keras_module().optimizers
    optimizer: Any = getattr(model, "optimizer", None)
    if type(optimizer) is optimizers.LossScaleOptimizer:  # of mixed precision
        optimizer = optimizer.inner_optimizer
    if type(optimizer) in (optimizers.Adam, optimizers.AdamW):
        names = {"beta_1": "beta_1", "beta_2": "beta_2", "epsilon": "epsilon"}
        solver = "adam"
    elif type(optimizer) is optimizers.SGD:
        names = {"momentum": "momentum", "nesterov": "nesterovs_momentum"}
        solver = "sgd"
    else:
        return {}
    config = optimizer.get_config()
    if any(config.get(option) for option in _OTHER_OPTIONS):
        return {}
    parameters = {
        "solver": solver,
        "weight_decay": float(optimizer.weight_decay or 0.0),
        **{ours: config[theirs] for theirs, ours in names.items()},
    }
    # By its shortest decimal, since Keras holds a float32; a schedule is a dictionary.
    rate = config["learning_rate"]
    rate = 0.0 if isinstance(rate, dict) else float(str(np.float32(rate)))
    constant = {"learning_rate": "constant", "learning_rate_init": rate}
    return {**parameters, **(constant if rate > 0 else {})}
