"""Tables as the inputs of a graph, and what a graph remembers for them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
from scipy import sparse

from skreg._estimators.frames import is_missing
from skreg.onnx._columns import find_tokens
from skreg.onnx._missing_strings import find_tokens_of_inputs
from skreg.onnx._types import as_array, is_frame, iterate_columns

# Keys among the metadata of a graph.
_NAMES, _TOKENS = "skreg.names", "skreg.tokens"


# -- what a graph remembers --------------------------------------------------------------------


def read_names(estimator, X) -> list[str] | None:
    """Return the names of the columns, None without any.

    Raises
    ------
    ValueError
        If a data frame has other columns than in training, or in another order.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if X is None or not is_frame(X):
        return None if names is None else list(names)
    given = [str(name) for name in X.columns]
    _check_names(given if names is None else list(names), given)
    return given


def store_metadata(graph, estimator, names: list[str] | None) -> None:
    """Store the names of the columns, and which strings stand for missing and unknown ones."""
    if hasattr(estimator, "_get_networks"):
        tokens = find_tokens([network._encoder for network in estimator._get_networks()])
        # skl2onnx may have changed the names.
        inputs = [graph_input.name for graph_input in graph.graph.input]
        strings: dict = {inputs[index]: pair for index, pair in tokens.items()}
    else:
        strings = find_tokens_of_inputs(graph, estimator)
    metadata = {_NAMES: json.dumps(names), _TOKENS: json.dumps(strings)}
    onnx.helper.set_model_props(graph, metadata)


def _check_names(expected: list[str], received: list[str]) -> None:
    if expected != received:
        raise ValueError(
            f"X: expected the columns {expected[:10]}, as in training and in this order; received "
            f"{received[:10]}."
        )


# -- tables ------------------------------------------------------------------------------------


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
        "[MISSING]" if "" was a level in training. If a step of scikit-learn reads the input, they
        are what skl2onnx wrote for its missing level: "nan" or "None".

    Raises
    ------
    ValueError
        If the table has other columns than in training, or a value that the type of its input
        cannot hold, or a missing string that several steps read as different ones.

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
    if names is not None and is_frame(X):
        _check_names(names, [str(name) for name in X.columns])
    if is_frame(X) and len(inputs) > 1:
        columns = [values for _, values in iterate_columns(X)]
    else:
        table: Any = np.asarray(X) if is_frame(X) else as_array(X)
        table = table.toarray() if sparse.issparse(table) else table
        columns = [table] if len(inputs) == 1 else list(table.T)
    expected = inputs[0].shape[1] if len(inputs) == 1 else len(inputs)
    received = columns[0].shape[1] if len(inputs) == 1 else len(columns)
    if isinstance(expected, int) and expected != received:
        raise ValueError(f"X: expected {expected} columns, as in training; received {received}.")
    arrays = {}
    for graph_input, values in zip(inputs, columns, strict=True):
        convert = _convert_strings if graph_input.type == "tensor(string)" else _convert_numbers
        cells = convert(graph_input, values, (tokens or {}).get(graph_input.name, ("", "")))
        arrays[graph_input.name] = cells.reshape(len(values), -1)
    return arrays


def _convert_strings(graph_input, values: np.ndarray, tokens: tuple[str, str] | None) -> np.ndarray:
    """Return strings without missing ones. What stands for them is no level of training."""
    cells = values.ravel().tolist()
    if tokens is None and any(map(is_missing, cells)):
        raise ValueError(
            f"X: expected no missing strings for the input {graph_input.name!r}, since several "
            "steps of the pipeline read them as different ones; received some. Fill them before "
            "the pipeline, as in X.fillna({...})."
        )
    missing, other = tokens or ("", "")
    strings = [
        missing if is_missing(cell) else other if cell == missing else cell for cell in cells
    ]
    for string in strings:
        if not isinstance(string, str):
            raise ValueError(
                f"X: expected strings for the input {graph_input.name!r}; received {string!r}."
            )
    return np.array(strings, dtype=object)


def _convert_numbers(graph_input, values: np.ndarray, tokens) -> np.ndarray:
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
