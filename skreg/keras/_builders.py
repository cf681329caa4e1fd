"""The network of an estimator as a builder for the wrappers of scikeras and Keras."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from skreg._engine.hyperparameters import check_hidden_layer_sizes, check_rates, check_strengths
from skreg._nn.activations import ACTIVATIONS
from skreg._nn.network import Network
from skreg.keras._export import import_keras, make_keras_layers


def build_classifier(
    X=None,
    y=None,
    *,
    meta=None,
    hidden_layer_sizes=(128, 64),
    activation="relu",
    dropout=0.5,
    input_dropout=0.0,
    l2=1e-3,
    learning_rate=1e-3,
):
    """Build the regularised network for a wrapper that classifies.

    Pass this function to :class:`skreg.keras.KerasClassifier` or to
    ``keras.wrappers.SKLearnClassifier``, which call it in every fit.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), default=None
        The table, from `keras.wrappers`.
    y : array-like of shape (n_samples, n_classes), default=None
        One column for each class, from `keras.wrappers`.
    meta : dict, default=None
        What scikeras knows about the table, instead of `X` and `y`.
    hidden_layer_sizes : int or array-like of int, default=(128, 64)
        Number of units in each hidden layer.
    activation : {"relu", "tanh", "logistic", "identity", "gelu", "silu"}, default="relu"
        Activation of the hidden layers.
    dropout : float or array-like of shape (n_hidden_layers,), default=0.5
        Rate after each hidden layer.
    input_dropout : float, default=0.0
        Rate on the inputs.
    l2 : float or array-like of shape (n_hidden_layers + 1,), default=0.001
        Strength of the L2 penalty, for all kernels or one for each. The network of the tutorials
        is ``(0.001, 0.001, 0)``, without a penalty on the last kernel.
    learning_rate : float, default=0.001
        Learning rate of Adam.

    Returns
    -------
    model : keras.Sequential
        Compiled with Adam, so the wrapper ignores its own `optimizer` and `loss`. Inputs are not
        standardised: put a StandardScaler before the wrapper.

    Raises
    ------
    ValueError
        If a parameter is invalid, or nothing is known about the table.

    Examples
    --------
    >>> from skreg.keras import build_classifier
    >>> model = build_classifier(meta={"n_features_in_": 30, "target_type_": "binary"})
    >>> [type(layer).__name__ for layer in model.layers]
    ['Dense', 'Dropout', 'Dense', 'Dropout', 'Dense']
    """
    target_type = _read_meta(meta, "target_type_")
    if target_type == "binary":
        link, loss, n_outputs = "logistic", "binary_crossentropy", 1
    elif target_type == "multilabel-indicator":
        link, loss, n_outputs = "logistic", "binary_crossentropy", _read_meta(meta, "n_classes_")
    elif target_type == "multiclass":
        link, loss = "softmax", "sparse_categorical_crossentropy"
        n_outputs = _read_meta(meta, "n_classes_")
    elif target_type is not None:
        raise ValueError(
            "meta: expected the 'target_type_' 'binary', 'multiclass' or 'multilabel-indicator'; "
            f"received {target_type!r}."
        )
    else:
        link, loss, n_outputs = "softmax", "categorical_crossentropy", _count_columns("y", y)
        if np.ndim(y) != 2:
            raise ValueError(
                "y: expected one column for each class, from keras.wrappers; received an array "
                f"of shape {np.shape(y)}."
            )
    sizes = _count_features(X, meta), hidden_layer_sizes, n_outputs
    network = _make_network(sizes, activation, link, dropout, input_dropout, l2)
    return _compile(network, learning_rate, loss, ["accuracy"])


def build_regressor(
    X=None,
    y=None,
    *,
    meta=None,
    hidden_layer_sizes=(128, 64),
    activation="relu",
    dropout=0.1,
    input_dropout=0.0,
    l2=1e-3,
    learning_rate=1e-3,
):
    """Build the regularised network for a wrapper that predicts numbers.

    Pass this function to :class:`skreg.keras.KerasRegressor` or to
    ``keras.wrappers.SKLearnRegressor``, which call it in every fit.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), default=None
        The table, from `keras.wrappers`.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        The targets, from `keras.wrappers`.
    meta : dict, default=None
        What scikeras knows about the table, instead of `X` and `y`.
    hidden_layer_sizes : int or array-like of int, default=(128, 64)
        Number of units in each hidden layer.
    activation : {"relu", "tanh", "logistic", "identity", "gelu", "silu"}, default="relu"
        Activation of the hidden layers.
    dropout : float or array-like of shape (n_hidden_layers,), default=0.1
        Rate after each hidden layer.
    input_dropout : float, default=0.0
        Rate on the inputs.
    l2 : float or array-like of shape (n_hidden_layers + 1,), default=0.001
        Strength of the L2 penalty, for all kernels or one for each.
    learning_rate : float, default=0.001
        Learning rate of Adam.

    Returns
    -------
    model : keras.Sequential
        Compiled with Adam for the mean squared error, so the wrapper ignores its own `optimizer`
        and `loss`. Inputs and targets are not standardised: put a StandardScaler before the
        wrapper, and a TransformedTargetRegressor around it.

    Raises
    ------
    ValueError
        If a parameter is invalid, or nothing is known about the table.

    Examples
    --------
    >>> from skreg.keras import build_regressor
    >>> model = build_regressor(meta={"n_features_in_": 30, "n_outputs_": 1}, dropout=0.2)
    >>> model.layers[1].rate
    0.2
    """
    n_outputs = _count_columns("y", y) if meta is None else _read_meta(meta, "n_outputs_")
    sizes = _count_features(X, meta), hidden_layer_sizes, n_outputs
    network = _make_network(sizes, activation, "identity", dropout, input_dropout, l2)
    return _compile(network, learning_rate, "mean_squared_error", None)


def _count_columns(name: str, table) -> int:
    if table is None:
        raise ValueError(
            "Expected X and y, or meta with what scikeras knows about them; received neither meta "
            f"nor {name}."
        )
    shape = np.shape(table)
    if len(shape) not in ((1, 2) if name == "y" else (2,)):
        raise ValueError(f"{name}: expected a table; received an array of shape {shape}.")
    return shape[1] if len(shape) == 2 else 1


def _count_features(X, meta) -> int:
    return _count_columns("X", X) if meta is None else _read_meta(meta, "n_features_in_")


def _read_meta(meta, name: str):
    """Return an entry of `meta`, or None without `meta`."""
    if meta is not None and (not isinstance(meta, Mapping) or name not in meta):
        found = f"the keys {list(meta)}" if isinstance(meta, Mapping) else repr(meta)
        raise ValueError(f"meta: expected a dict of scikeras with {name!r}; received {found}.")
    return None if meta is None else meta[name]


def _make_network(sizes, activation, link, dropout, input_dropout, l2) -> Network:
    n_features, hidden, n_outputs = sizes
    hidden = check_hidden_layer_sizes(hidden)
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"activation: expected one of {tuple(ACTIVATIONS)}; received {activation!r}."
        )
    widths = (n_features, *hidden, n_outputs)
    return Network(
        kernels=[np.empty(shape, np.float32) for shape in itertools.pairwise(widths)],
        biases=[np.empty(width, np.float32) for width in widths[1:]],
        activation=activation,
        link=link,
        input_dropout=check_rates("input_dropout", input_dropout, 1)[0],
        dropout=check_rates("dropout", dropout, len(hidden)),
        penalties={"l2": check_strengths("l2", l2, len(hidden))},
    )


def _compile(network: Network, learning_rate: float, loss: str, metrics):
    model = make_keras_layers(network)
    optimizer = import_keras().optimizers.Adam(learning_rate)
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics)
    return model
