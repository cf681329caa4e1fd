"""Keras: a trained network as a compiled `keras.Model`, and back.

Owns which layers say what a network of ours says, in which order, and the optimiser and loss that
train them as we do. Does not own labels, nor an estimator's parameters and attributes (`_base`, the
estimators). Keras is imported here, when something is exported or read, and only then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skreg._scaling import Statistics
from skreg._spec import Hyperparameters
from skreg._tensorflow import tensorflow

_TO_KERAS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid", "identity": "linear"}
_LINKS = {"logistic": "sigmoid", "softmax": "softmax", "identity": "linear", "exp": "exponential"}


@dataclass(frozen=True)
class Network:
    """What the layers of both sides say.

    Attributes
    ----------
    kernels, biases : sequence of ndarray of float32
    activation : str
        Of the hidden layers, a key of `_network.ACTIVATIONS`.
    link : {"logistic", "softmax", "identity", "exp"}
        From logits to predictions.
    dropout, l2 : tuple of float
        One rate a hidden layer, one strength a kernel.
    input_dropout : float
    inputs, outputs : tuple of (center, scale), or None
        Inputs are ``(x - center) / scale``, outputs ``center + scale * prediction``; arrays of
        float64 of one number a column. None for as they are.
    """

    kernels: Sequence[np.ndarray]
    biases: Sequence[np.ndarray]
    activation: str
    link: str
    dropout: tuple[float, ...]
    l2: tuple[float, ...]
    input_dropout: float = 0.0
    inputs: tuple[np.ndarray, np.ndarray] | None = None
    outputs: tuple[np.ndarray, np.ndarray] | None = None


def keras_module():
    """Return the keras module, imported behind TensorFlow's door."""
    tensorflow()
    import keras

    return keras


# -- to Keras -----------------------------------------------------------------------------------


def keras_model(network: Network, solver: str, hyper: Hyperparameters, loss: str):
    """Return the network as a built and compiled `keras.Sequential`.

    Parameters
    ----------
    network : Network
    solver : {"adam", "sgd"}
    hyper : Hyperparameters
        Of which the solver's numbers are taken.
    loss : str
        "cross_entropy", or a key of `_heads.REGRESSION_HEADS` but "quantile".
    """
    keras = keras_module()
    model = keras_network(network)
    objective, weight = _objective(keras, network, loss)
    model.compile(
        optimizer=_optimizer(keras, solver, hyper),
        loss=objective,
        loss_weights=[weight],
        metrics=["accuracy"] if loss == "cross_entropy" else None,
    )
    # Keras builds it when it loads a saved model, and then misses what was not built here.
    model.optimizer.build(model.trainable_variables)
    return model


def keras_network(network: Network):
    """Return the layers with their weights as a built `keras.Sequential`, not compiled."""
    keras = keras_module()
    model = keras_layers(network)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    for layer, kernel, bias in zip(dense, network.kernels, network.biases, strict=True):
        layer.set_weights([kernel, bias])
    # Keras exports a model to ONNX only if it was called.
    model(np.zeros((1, len(network.kernels[0])), np.float32))
    return model


def keras_layers(network: Network):
    """Return the layers as a built `keras.Sequential`, with weights as Keras draws them.

    Of the network's kernels and biases only the shapes are taken.
    """
    keras = keras_module()
    return keras.Sequential(list(_layers(keras, network)), name="regularized_mlp")


def _layers(keras, network: Network):
    layers = keras.layers
    yield keras.Input((len(network.kernels[0]),), name="features")
    if network.inputs is not None:
        center, scale = network.inputs
        # Not Normalization, which Keras 3.15 exports to a broken ONNX graph.
        scales = (1 / scale).astype(np.float32), (-center / scale).astype(np.float32)
        yield layers.Rescaling(*scales, name="standardize")
    if network.input_dropout:
        yield layers.Dropout(network.input_dropout, name="input_dropout")
    for k, (kernel, l2) in enumerate(zip(network.kernels, network.l2, strict=True), 1):
        hidden = k < len(network.kernels)
        penalty = keras.regularizers.L2(l2) if l2 else None
        yield layers.Dense(
            kernel.shape[1],
            activation=_TO_KERAS[network.activation] if hidden else _LINKS[network.link],
            kernel_regularizer=penalty,
            name=f"hidden_{k}" if hidden else "output",
        )
        if hidden and network.dropout[k - 1]:
            yield layers.Dropout(network.dropout[k - 1], name=f"dropout_{k}")
    if network.outputs is not None:
        center, scale = network.outputs
        yield layers.Rescaling(
            scale.astype(np.float32), center.astype(np.float32), name="target_scale"
        )


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


def _objective(keras, network: Network, loss: str):
    """Keras' loss in the units of the targets, and the factor to that of the scaled ones."""
    losses = keras.losses
    if loss == "cross_entropy":
        if network.link == "softmax":
            return losses.SparseCategoricalCrossentropy(), 1.0
        return losses.BinaryCrossentropy(), 1.0
    scales = np.ones(1) if network.outputs is None else network.outputs[1]
    if np.ptp(scales) > 0:
        raise ValueError(
            "to_keras: expected targets of one scale, since a loss of Keras has one weight for all "
            f"outputs; received the scales {scales[:5]}. Fit with standardize=False on scaled "
            "columns, or one estimator a target."
        )
    scale = float(scales[0])
    if loss == "squared_error":
        return losses.MeanSquaredError(), 1 / scale**2
    if loss == "absolute_error":
        return losses.MeanAbsoluteError(), 1 / scale
    if loss == "huber":
        return losses.Huber(delta=scale), 1 / scale**2
    if loss == "poisson":
        return losses.Poisson(), 1 / scale
    raise ValueError(
        "to_keras: expected a loss that Keras has, one of 'squared_error', 'absolute_error', "
        f"'huber' and 'poisson'; received {loss!r}."
    )


def solver_parameters(model) -> dict:
    """Return the estimator's parameters that say what a compiled model's optimiser does.

    Empty where skreg has no such optimiser, or the model is not compiled.
    """
    keras = keras_module()
    optimizer: Any = getattr(model, "optimizer", None)
    if type(optimizer) in (keras.optimizers.Adam, keras.optimizers.AdamW) and not optimizer.amsgrad:
        names = {"beta_1": "beta_1", "beta_2": "beta_2", "epsilon": "epsilon"}
        solver = "adam"
    elif type(optimizer) is keras.optimizers.SGD:
        names = {"momentum": "momentum", "nesterov": "nesterovs_momentum"}
        solver = "sgd"
    else:
        return {}
    return {
        "solver": solver,
        "learning_rate": "constant",
        # By its shortest decimal, since Keras holds a float32.
        "learning_rate_init": float(str(np.float32(float(optimizer.learning_rate)))),
        "weight_decay": float(optimizer.weight_decay or 0.0),
        **{ours: getattr(optimizer, theirs) for theirs, ours in names.items()},
    }


# -- from Keras ---------------------------------------------------------------------------------


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
    layers = _chain(keras, model)
    places = [k for k, layer in enumerate(layers) if isinstance(layer, keras.layers.Dense)]
    if not places:
        raise ValueError("from_keras: expected a model with a Dense layer; received none.")
    first, last = places[0], places[-1]
    scales: dict[str, tuple] = {}
    rates: dict[int, float] = {}  # by the Dense layers before
    for k, layer in enumerate(layers):
        n_dense = sum(place < k for place in places)
        if k in places:
            _check_dense(keras, layer, hidden=k < last)
        elif isinstance(layer, keras.layers.Dropout) and k < last and n_dense not in rates:
            rates[n_dense] = float(layer.rate)
        elif k == 0 < first and isinstance(layer, keras.layers.Normalization):
            scales["inputs"] = _normalization(layer)
        elif k == 0 < first and isinstance(layer, keras.layers.Rescaling):
            scales["inputs"] = _divided(layer)
        elif k == last + 1 and isinstance(layer, keras.layers.Rescaling):
            scales["outputs"] = np.asarray(layer.offset, float), np.asarray(layer.scale, float)
        else:
            raise _inexpressible(layer, "what stands where it does")
    dense = [layers[k] for k in places]
    kernels, biases = (
        [np.array(part, dtype=np.float32) for part in parts]
        for parts in zip(*(layer.get_weights() for layer in dense), strict=True)
    )
    links = {function: name for name, function in _functions(keras, _LINKS).items()}
    return Network(
        kernels,
        biases,
        _activation_of(keras, dense[:-1]),
        links[dense[-1].activation],
        tuple(rates.get(k, 0.0) for k in range(1, len(dense))),
        tuple(_strength(layer) for layer in dense),
        rates.get(0, 0.0),
        _columns(scales.get("inputs"), len(kernels[0])),
        _columns(scales.get("outputs"), len(biases[-1])),
    )


def _inexpressible(layer, what: str) -> ValueError:
    return ValueError(
        "from_keras: expected Dense layers with Dropout between them, after a Rescaling or "
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
    if not getattr(model, "inputs", None):
        raise ValueError(
            "from_keras: expected a built Sequential or functional model, whose layers are known; "
            f"received {model.name!r} ({type(model).__name__})."
        )
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    # A Sequential is a chain; one that was loaded has tensors of its own for every layer added.
    if not isinstance(model, keras.Sequential):
        _check_chain(model, layers)
    if len(model.inputs[0].shape) != 2:
        raise _inexpressible(layers[0], f"inputs of shape {model.inputs[0].shape}")
    return layers


def _check_chain(model, layers) -> None:
    before = model.inputs
    for layer in layers:
        received = layer.input if isinstance(layer.input, list) else [layer.input]
        if len(received) != 1 or len(before) != 1 or received[0] is not before[0]:
            raise _inexpressible(layer, "that it does not follow the layer before")
        before = [layer.output]
    if len(model.outputs) != 1 or model.outputs[0] is not before[0]:
        raise _inexpressible(layers[-1], "that the model's output is another one")


def _functions(keras, names: dict[str, str]) -> dict:
    return {ours: keras.activations.get(theirs) for ours, theirs in names.items()}


def _check_dense(keras, layer, hidden: bool) -> None:
    known = _functions(keras, _TO_KERAS if hidden else _LINKS)
    if layer.activation not in known.values():
        raise _inexpressible(layer, f"the activation {layer.activation.__name__!r}")
    for name in ("bias_regularizer", "activity_regularizer", "kernel_constraint"):
        if getattr(layer, name) is not None:
            raise _inexpressible(layer, f"the {name}")
    if layer.bias_constraint is not None or not layer.use_bias:
        raise _inexpressible(layer, "a bias that is constrained or missing")
    penalty = layer.kernel_regularizer
    if penalty is not None and not isinstance(
        penalty, (keras.regularizers.L2, keras.regularizers.L1L2)
    ):
        raise _inexpressible(layer, f"the regularizer {type(penalty).__name__}")
    if float(getattr(penalty, "l1", 0.0)):
        raise _inexpressible(layer, "an L1 penalty")


def _strength(layer) -> float:
    return float(getattr(layer.kernel_regularizer, "l2", 0.0))


def _activation_of(keras, hidden: list) -> str:
    """The one activation of all hidden layers."""
    names = {function: name for name, function in _functions(keras, _TO_KERAS).items()}
    for layer in hidden:
        if layer.activation is not hidden[0].activation:
            raise _inexpressible(layer, "another activation than that of the first hidden layer")
    return names[hidden[0].activation] if hidden else "relu"


def _normalization(layer) -> tuple[np.ndarray, np.ndarray]:
    if layer.invert or layer.mean is None:
        raise _inexpressible(layer, "a Normalization that is inverted or not adapted")
    mean, variance = (np.asarray(part, float).ravel() for part in (layer.mean, layer.variance))
    # As Keras divides: by the deviation, or a little where there is none.
    return mean, np.maximum(np.sqrt(variance), 1e-7)


def _divided(layer) -> tuple[np.ndarray, np.ndarray]:
    scale, offset = np.asarray(layer.scale, float), np.asarray(layer.offset, float)
    if not np.all(scale > 0):
        raise _inexpressible(layer, "a scale that is not positive")
    return -offset / scale, 1 / scale


def _columns(center_and_scale, n_columns: int):
    """Both numbers as one a column."""
    if center_and_scale is None:
        return None
    center, scale = (np.broadcast_to(part, n_columns).copy() for part in center_and_scale)
    return center, scale


def with_classes(network: Network, classes) -> tuple[Network, dict]:
    """Return a classifier's network with its classes sorted, and its attributes.

    Two softmax outputs become one logit, their difference.
    """
    kernel, bias = network.kernels[-1], network.biases[-1]
    if network.link not in ("softmax", "logistic") or network.outputs is not None:
        raise ValueError(
            "from_keras: expected probabilities, a last activation that is softmax or sigmoid and "
            f"no layer after it; received {_LINKS[network.link]!r}."
        )
    n_classes = max(2, len(bias))
    several_labels = network.link == "logistic" and len(bias) > 1
    labels = np.arange(n_classes) if classes is None else np.asarray(classes)
    if labels.shape != (n_classes,) or len(np.unique(labels)) != n_classes:
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
    if len(bias) == 1:
        sign = np.float32(1 if order[0] == 0 else -1)
        kernel, bias = sign * kernel, sign * bias
    else:
        kernel, bias = kernel[:, order], bias[order]
    if n_classes == 2 and len(bias) == 2:
        kernel, bias = kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]
    ordered = replace(
        network,
        kernels=[*network.kernels[:-1], kernel],
        biases=[*network.biases[:-1], bias],
    )
    link = "logistic" if n_classes == 2 else "softmax"
    return ordered, {"classes_": labels[order], "out_activation_": link}


def with_numbers(network: Network) -> tuple[str, dict]:
    """Return the loss of a regressor's network and its attributes."""
    if network.link not in ("identity", "exp"):
        raise ValueError(
            "from_keras: expected numbers, a last activation that is linear or exponential; "
            f"received {_LINKS[network.link]!r}."
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
    return "poisson" if poisson else "squared_error", attributes
