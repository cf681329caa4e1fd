"""Types of the inputs of a graph, and tables as these inputs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from scipy import sparse
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

from skreg._estimators.frames import is_missing, is_pandas, is_polars
from skreg.onnx._columns import find_tokens

_TOKENS = "skreg.tokens"  # the key among the metadata of a graph

_TYPES = {
    "f": FloatTensorType,
    "i": Int64TensorType,
    "u": Int64TensorType,
    "b": BooleanTensorType,
}
# By the names that onnxruntime gives to types.
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


def choose_types(estimator, X) -> list[tuple[str, Any]]:
    """Return name and type of each input.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : array-like or None
        Rows of a table. None is for estimators of skreg only, and means numbers in float32.
    """
    if hasattr(estimator, "_get_networks"):
        number = FloatTensorType if X is None else _choose_number_type(X)
        networks = estimator._get_networks()
        columns = [network._columns for network in networks]
        if all(of_network is None or of_network.is_plain for of_network in columns):
            return [("X", number([None, estimator.n_features_in_]))]
        tokens = find_tokens(columns)
        return [
            (name, (StringTensorType if place in tokens else number)([None, 1]))
            for place, name in enumerate(networks[0]._column_names)
        ]
    if X is None:
        raise ValueError(
            "X: expected rows of the table, whose types are those of the inputs, for an estimator "
            f"that is not one of skreg's; received None for a {type(estimator).__name__}."
        )
    # In float32, since some operators of other steps have no other type.
    if is_pandas(X) or is_polars(X):
        return [
            (name, _choose_column_type(values)([None, 1])) for name, values in _iterate_columns(X)
        ]
    table = X if sparse.issparse(X) else np.asarray(X)
    return [("X", _choose_column_type(table)([None, table.shape[1]]))]


def store_tokens(graph, estimator) -> None:
    """Store in a graph which texts stand for missing and unknown ones, for `make_inputs`."""
    tokens = find_tokens([network._columns for network in estimator._get_networks()])
    names = [one.name for one in graph.graph.input]  # which skl2onnx may have changed
    texts = json.dumps({names[place]: of_column for place, of_column in tokens.items()})
    onnx.helper.set_model_props(graph, {_TOKENS: texts})


def _choose_number_type(X) -> type:
    """Return the type of floats: float32 if no column is float64."""
    if is_pandas(X) or is_polars(X):
        are_narrow = [values.dtype != np.float64 for _, values in _iterate_columns(X)]
    else:
        table = X if sparse.issparse(X) else np.asarray(X)
        are_narrow = [table.dtype != np.float64]
    return FloatTensorType if all(are_narrow) else DoubleTensorType


def _choose_column_type(values) -> type:
    """Return the type of an array of numbers, booleans or texts."""
    if values.dtype.kind in _TYPES:
        return _TYPES[values.dtype.kind]
    has_texts = any(isinstance(value, str) for value in values.ravel().tolist())
    return StringTensorType if has_texts else FloatTensorType


def _iterate_columns(X) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and values of the columns of a data frame."""
    for name in X.columns:
        column = X[name]
        yield str(name), column.to_numpy() if is_polars(X) else np.asarray(column)


def make_inputs(session, X) -> dict[str, np.ndarray]:
    """Return a table as the inputs of an ONNX graph.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Of a graph of `to_onnx` or of a file of `skreg.keras.save_model`.
    X : array-like of shape (n_samples, n_features)
        As for `predict`. A data frame has its columns in the order of the inputs.

    Returns
    -------
    inputs : dict
        From the name of each input to its array. ONNX has no missing texts, so they are "", or
        "[MISSING]" if "" was a level in training.

    Raises
    ------
    ValueError
        If the table has another number of columns, or a value that the type of its input cannot
        hold.
    """
    inputs = session.get_inputs()
    if sparse.issparse(X):
        X = X.toarray()
    is_frame = is_pandas(X) or is_polars(X)
    if (len(inputs) == 1 and inputs[0].shape[1] != 1) or not is_frame:
        table = np.asarray(X)
        columns = [table] if len(inputs) == 1 else list(table.T)
    else:
        columns = [values for _, values in _iterate_columns(X)]
    if len(columns) != len(inputs):
        raise ValueError(f"X: expected {len(inputs)} columns; received {len(columns)}.")
    tokens = json.loads(session.get_modelmeta().custom_metadata_map.get(_TOKENS, "{}"))
    arrays = {}
    for one, values in zip(inputs, columns, strict=True):
        convert = _convert_texts if one.type == "tensor(string)" else _convert_numbers
        cells = convert(one, values, *tokens.get(one.name, ("", "")))
        arrays[one.name] = cells.reshape(len(X), -1)
    return arrays


def _convert_texts(one, values: np.ndarray, missing: str, other: str) -> np.ndarray:
    """Return texts without missing ones. A text of `missing` is no level of training."""
    cells = values.ravel().tolist()
    texts = [missing if is_missing(cell) else other if cell == missing else cell for cell in cells]
    for text in texts:
        if not isinstance(text, str):
            raise ValueError(f"X: expected texts for the input {one.name!r}; received {text!r}.")
    return np.array(texts, dtype=object)


def _convert_numbers(one, values: np.ndarray, *tokens) -> np.ndarray:
    """Return numbers in the type of an input, NaN for missing ones."""
    if values.dtype.kind not in "biuf":
        values = np.array(
            [np.nan if is_missing(cell) else cell for cell in values.ravel().tolist()]
        )
    try:
        return values.astype(_DTYPES[one.type])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"X: expected values of type {one.type} for the input {one.name!r}; {error}."
        ) from error
