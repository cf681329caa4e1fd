"""TODO."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from skreg._engine.hyperparameters import checked_dropout, checked_hidden_layer_sizes, checked_l2
from skreg._nn.activations import ACTIVATIONS
from skreg._nn.network import Network
from skreg.keras._export import keras_layers, keras_module


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

    Hand the function itself to :class:`skreg.keras.KerasClassifier`, which is scikeras' wrapper
    mended, or to ``keras.wrappers.SKLearnClassifier``, which call it for each fit.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), default=None
        The table, from `keras.wrappers`.
    y : array-like of shape (n_samples, n_classes), default=None
        One column a class, as `keras.wrappers` makes them.
    meta : dict, default=None
        What scikeras knows of the table, instead of both.
    hidden_layer_sizes : int or array-like of int, default=(128, 64)
        Units of each hidden layer.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        Function of the hidden units.
    dropout : float or array-like of shape (n_hidden_layers,), default=0.5
        Rate after each hidden layer.
    input_dropout : float, default=0.0
        Rate on the inputs.
    l2 : float or array-like of shape (n_hidden_layers + 1,), default=0.001
        Strength of the penalty of every kernel, or of each one; the network of the tutorials has
        none on the last one, ``(0.001, 0.001, 0)``.
    learning_rate : float, default=0.001
        Of Adam.

    Returns
    -------
    model : keras.Sequential
        Compiled, with Adam, so that a wrapper's own `optimizer` and `loss` do nothing. Its inputs
        are taken as they are: put a StandardScaler before the wrapper.

    Raises
    ------
    ValueError
        If a parameter is not what is expected, or nothing is known of the table.

    Examples
    --------
    >>> from skreg.keras import build_classifier
    >>> model = build_classifier(meta={"n_features_in_": 30, "target_type_": "binary"})
    >>> [type(layer).__name__ for layer in model.layers]
    ['Dense', 'Dropout', 'Dense', 'Dropout', 'Dense']
    """
    kind = _known(meta, "target_type_")
    if kind == "binary":
        link, loss, n_outputs = "logistic", "binary_crossentropy", 1
    elif kind == "multilabel-indicator":
        link, loss, n_outputs = "logistic", "binary_crossentropy", _known(meta, "n_classes_")
    elif kind == "multiclass":
        link, loss = "softmax", "sparse_categorical_crossentropy"
        n_outputs = _known(meta, "n_classes_")
    elif kind is not None:
        raise ValueError(
            "meta: expected the 'target_type_' 'binary', 'multiclass' or 'multilabel-indicator'; "
            f"received {kind!r}."
        )
    else:
        link, loss, n_outputs = "softmax", "categorical_crossentropy", _n_columns("y", y)
        if np.ndim(y) != 2:
            raise ValueError(
                "y: expected one column a class, as keras.wrappers make them; received an array "
                f"of shape {np.shape(y)}."
            )
    sizes = _n_features(X, meta), hidden_layer_sizes, n_outputs
    layers = _layers(sizes, activation, link, dropout, input_dropout, l2)
    return _compiled(layers, learning_rate, loss, ["accuracy"])


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

    Hand the function itself to :class:`skreg.keras.KerasRegressor`, which is scikeras' wrapper
    mended, or to ``keras.wrappers.SKLearnRegressor``, which call it for each fit.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), default=None
        The table, from `keras.wrappers`.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        The targets, from `keras.wrappers`.
    meta : dict, default=None
        What scikeras knows of the table, instead of both.
    hidden_layer_sizes : int or array-like of int, default=(128, 64)
        Units of each hidden layer.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        Function of the hidden units.
    dropout : float or array-like of shape (n_hidden_layers,), default=0.1
        Rate after each hidden layer.
    input_dropout : float, default=0.0
        Rate on the inputs.
    l2 : float or array-like of shape (n_hidden_layers + 1,), default=0.001
        Strength of the penalty of every kernel, or of each one.
    learning_rate : float, default=0.001
        Of Adam.

    Returns
    -------
    model : keras.Sequential
        Compiled, with Adam for the mean squared error, so that a wrapper's own `optimizer` and
        `loss` do nothing. Inputs and targets are taken as they are: put a
        StandardScaler before the wrapper, and a TransformedTargetRegressor around it.

    Raises
    ------
    ValueError
        If a parameter is not what is expected, or nothing is known of the table.

    Examples
    --------
    >>> from skreg.keras import build_regressor
    >>> model = build_regressor(meta={"n_features_in_": 30, "n_outputs_": 1}, dropout=0.2)
    >>> model.layers[1].rate
    0.2
    """
    n_outputs = _n_columns("y", y) if meta is None else _known(meta, "n_outputs_")
    sizes = _n_features(X, meta), hidden_layer_sizes, n_outputs
    layers = _layers(sizes, activation, "identity", dropout, input_dropout, l2)
    return _compiled(layers, learning_rate, "mean_squared_error", None)


def _n_columns(name: str, table) -> int:
    if table is None:
        raise ValueError(
            "Expected X and y, or what scikeras knows of them as meta; received neither meta nor "
            f"{name}."
        )
    shape = np.shape(table)
    if len(shape) not in ((1, 2) if name == "y" else (2,)):
        raise ValueError(f"{name}: expected a table; received an array of shape {shape}.")
    return shape[1] if len(shape) == 2 else 1


def _n_features(X, meta) -> int:
    return _n_columns("X", X) if meta is None else _known(meta, "n_features_in_")


def _known(meta, name: str):
    """What scikeras knows, or None if it was not asked."""
    if meta is not None and (not isinstance(meta, Mapping) or name not in meta):
        found = f"the keys {list(meta)}" if isinstance(meta, Mapping) else repr(meta)
        raise ValueError(
            f"meta: expected what scikeras knows of a table, with {name!r}; received {found}."
        )
    return None if meta is None else meta[name]


def _layers(sizes, activation, link, dropout, input_dropout, l2) -> Network:
    n_features, hidden, n_outputs = sizes
    hidden = checked_hidden_layer_sizes(hidden)
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation: expected one of {ACTIVATIONS}; received {activation!r}.")
    widths = (n_features, *hidden, n_outputs)
    return Network(
        [np.empty(shape, np.float32) for shape in itertools.pairwise(widths)],
        [np.empty(width, np.float32) for width in widths[1:]],
        activation,
        link,
        checked_dropout("dropout", dropout, len(hidden)),
        checked_l2("l2", l2, len(hidden)),
        checked_dropout("input_dropout", input_dropout, 1)[0],
    )


def _compiled(layers: Network, learning_rate: float, loss: str, metrics):
    model = keras_layers(layers)
    optimizer = keras_module().optimizers.Adam(learning_rate)
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics)
    return model
