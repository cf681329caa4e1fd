"""Types of the inputs of a graph, and tables as these inputs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
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
from sklearn.compose import ColumnTransformer

from skreg._data.columns import TableEncoder
from skreg._estimators.frames import is_missing, is_pandas, is_polars
from skreg.onnx._columns import find_tokens

# Keys among the metadata of a graph.
_NAMES, _TOKENS = "skreg.names", "skreg.tokens"

_TYPES = {
    "f": FloatTensorType,
    "i": Int64TensorType,
    "u": Int64TensorType,
    "b": BooleanTensorType,
}


# -- types -------------------------------------------------------------------------------------


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
        return _choose_own_types(estimator, X)
    if X is None:
        raise ValueError(
            "X: expected rows of the table, whose types are those of the inputs, for an estimator "
            f"that is not one of skreg's; received None for a {type(estimator).__name__}."
        )
    # In float32, since some operators of other steps have no other type.
    if not _is_frame(X):
        table = _as_array(X)
        return [("X", _choose_column_type(table)([None, table.shape[1]]))]
    types = [
        (name or "_", _choose_column_type(values)([None, 1]))
        for name, values in _iterate_columns(X, for_types=True)
    ]
    has_strings = any(isinstance(tensor_type, StringTensorType) for _, tensor_type in types)
    if has_strings or _takes_single_columns(estimator):
        return types
    # Most transformers are converted for one input only.
    return [("X", FloatTensorType([None, len(types)]))]


def _choose_own_types(estimator, X) -> list[tuple[str, Any]]:
    networks = estimator._get_networks()
    encoders = [network._encoder for network in networks]
    number = FloatTensorType if X is None else _choose_number_type(X)
    if all(encoder is None or encoder.is_plain for encoder in encoders):
        return [("X", number([None, estimator.n_features_in_]))]
    number = number if _fit_into_float32(encoders) else DoubleTensorType
    tokens = find_tokens(encoders)
    return [
        (name or "_", (StringTensorType if index in tokens else number)([None, 1]))
        for index, name in enumerate(networks[0]._column_names)
    ]


def _fit_into_float32(encoders: Sequence[TableEncoder | None]) -> bool:
    """Whether float32 holds the levels of all categories of numbers."""
    categories = (category for encoder in encoders if encoder for category in encoder.categories)
    levels = [
        level
        for category in categories
        if category.level_type == "numbers"
        for level in category.levels
    ]
    return all(float(np.float32(level)) == level for level in levels)


def _choose_number_type(X) -> type:
    """Return float32 if it holds all numbers of the types of the columns, else float64."""
    if _is_frame(X):
        dtypes = [values.dtype for _, values in _iterate_columns(X, for_types=True)]
        dtypes = [dtype for dtype in dtypes if dtype.kind in "biuf"]
    else:
        dtypes = [_as_array(X).dtype]
    return FloatTensorType if all(_is_narrow(dtype) for dtype in dtypes) else DoubleTensorType


def _is_narrow(dtype: np.dtype) -> bool:
    return dtype.kind in "biuf" and np.can_cast(dtype, np.float32)


def _choose_column_type(values) -> type:
    """Return the type of an array of numbers, booleans or strings."""
    if values.dtype.kind in _TYPES:
        return _TYPES[values.dtype.kind]
    has_strings = any(isinstance(value, str) for value in values.ravel().tolist())
    return StringTensorType if has_strings else FloatTensorType


def _takes_single_columns(estimator) -> bool:
    """Whether columns go to several transformers."""
    return any(isinstance(part, ColumnTransformer) for part in estimator.get_params().values())


# -- what a graph remembers --------------------------------------------------------------------


def read_names(estimator, X) -> list[str] | None:
    """Return the names of the columns, None without any.

    Raises
    ------
    ValueError
        If a data frame has other columns than in training, or in another order.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if X is None or not _is_frame(X):
        return None if names is None else list(names)
    given = [str(name) for name in X.columns]
    _check_names(given if names is None else list(names), given)
    return given


def store_metadata(graph, estimator, names: list[str] | None) -> None:
    """Store the names of the columns, and which strings stand for missing and unknown ones."""
    tokens: dict[int, tuple[str, str]] = {}
    if hasattr(estimator, "_get_networks"):
        tokens = find_tokens([network._encoder for network in estimator._get_networks()])
    # skl2onnx may have changed the names.
    inputs = [graph_input.name for graph_input in graph.graph.input]
    strings = {inputs[index]: pair for index, pair in tokens.items()}
    metadata = {_NAMES: json.dumps(names), _TOKENS: json.dumps(strings)}
    onnx.helper.set_model_props(graph, metadata)


def _check_names(expected: list[str], received: list[str]) -> None:
    if expected != received:
        raise ValueError(
            f"X: expected the columns {expected[:10]}, as in training and in this order; received "
            f"{received[:10]}."
        )


# -- tables ------------------------------------------------------------------------------------


def _is_frame(X) -> bool:
    return is_pandas(X) or is_polars(X)


def _as_array(X):
    """Return a sparse table as it is, and any other one as an array, lists as one of objects."""
    if sparse.issparse(X):
        return X
    return np.asarray(X) if hasattr(X, "dtype") else np.asarray(X, dtype=object)


def _iterate_columns(X, for_types: bool = False) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and values of the columns of a data frame.

    With `for_types`, categories yield their levels, and string columns yield strings even if all
    rows are missing.
    """
    for name in X.columns:
        column = X[name]
        values = column.to_numpy() if is_polars(X) else np.asarray(column)
        if for_types:
            dtype = str(column.dtype)
            if dtype == "category":
                values = np.asarray(column.cat.categories)
            elif dtype.startswith(("str", "String", "Categorical", "Enum")):
                values = np.array([""], dtype=object)
        yield str(name), values


def make_inputs(session, X) -> dict[str, np.ndarray]:
    """Return a table as the inputs of an ONNX graph.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Of a graph of `to_onnx` or of a file of `skreg.keras.save_model`.
    X : array-like of shape (n_samples, n_features)
        As for `predict`.

    Returns
    -------
    inputs : dict
        From the name of each input to its array. ONNX has no missing strings, so they are "", or
        "[MISSING]" if "" was a level in training.

    Raises
    ------
    ValueError
        If the table has other columns than in training, or a value that the type of its input
        cannot hold.

    Examples
    --------
    >>> import onnxruntime
    >>> import pandas as pd
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.onnx import make_inputs, to_onnx
    >>> X = pd.DataFrame({"size": [1.5, None, 3.5], "colour": ["red", None, "red"]})
    >>> model = RegularizedMLPClassifier(max_iter=5, random_state=0).fit(X, ["a", "b", "a"])
    >>> session = onnxruntime.InferenceSession(to_onnx(model).SerializeToString())
    >>> make_inputs(session, X)["colour"].ravel().tolist()
    ['red', '', 'red']
    """
    inputs, stored = session.get_inputs(), session.get_modelmeta().custom_metadata_map
    names, tokens = (json.loads(stored.get(key, "null")) for key in (_NAMES, _TOKENS))
    if names is not None and _is_frame(X):
        _check_names(names, [str(name) for name in X.columns])
    if _is_frame(X) and len(inputs) > 1:
        columns = [values for _, values in _iterate_columns(X)]
    else:
        table: Any = np.asarray(X) if _is_frame(X) else _as_array(X)
        table = table.toarray() if sparse.issparse(table) else table
        columns = [table] if len(inputs) == 1 else list(table.T)
    expected = inputs[0].shape[1] if len(inputs) == 1 else len(inputs)
    received = columns[0].shape[1] if len(inputs) == 1 else len(columns)
    if isinstance(expected, int) and expected != received:
        raise ValueError(f"X: expected {expected} columns, as in training; received {received}.")
    arrays = {}
    for graph_input, values in zip(inputs, columns, strict=True):
        convert = _convert_strings if graph_input.type == "tensor(string)" else _convert_numbers
        cells = convert(graph_input, values, *(tokens or {}).get(graph_input.name, ("", "")))
        arrays[graph_input.name] = cells.reshape(len(values), -1)
    return arrays


def _convert_strings(graph_input, values: np.ndarray, missing: str, other: str) -> np.ndarray:
    """Return strings without missing ones. A string of `missing` is no level of training."""
    cells = values.ravel().tolist()
    strings = [
        missing if is_missing(cell) else other if cell == missing else cell for cell in cells
    ]
    for string in strings:
        if not isinstance(string, str):
            raise ValueError(
                f"X: expected strings for the input {graph_input.name!r}; received {string!r}."
            )
    return np.array(strings, dtype=object)


def _convert_numbers(graph_input, values: np.ndarray, *tokens) -> np.ndarray:
    """Return numbers in the type of an input, NaN for missing ones."""
    name = graph_input.type.removeprefix("tensor(").removesuffix(")")
    dtype = np.dtype({"float": "float32", "double": "float64"}.get(name, name))
    if values.dtype.kind not in "biuf":
        cells = values.ravel().tolist()
        values = np.array([np.nan if is_missing(cell) else cell for cell in cells])
    try:
        with np.errstate(all="ignore"):
            converted = values.astype(dtype)
            is_held = np.isinf(converted) <= np.isinf(values)
            if dtype.kind != "f":
                is_held = converted == values
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"X: expected values of type {graph_input.type} for the input {graph_input.name!r}; "
            f"{error}."
        ) from error
    if not np.all(is_held):
        raise ValueError(
            f"X: expected values that {graph_input.type} holds for the input {graph_input.name!r}; "
            f"received {values[~is_held].ravel()[0]}."
        )
    return converted
