"""Types of the inputs of a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
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
from skreg._estimators.frames import is_pandas, is_polars
from skreg.onnx._columns import find_tokens

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
    if not is_frame(X):
        table = as_array(X)
        return [("X", _choose_column_type(table)([None, table.shape[1]]))]
    types = [
        (name or "_", _choose_column_type(values)([None, 1]))
        for name, values in iterate_columns(X, for_types=True)
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
    if is_frame(X):
        dtypes = [values.dtype for _, values in iterate_columns(X, for_types=True)]
        dtypes = [dtype for dtype in dtypes if dtype.kind in "biuf"]
    else:
        dtypes = [as_array(X).dtype]
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


# -- tables ------------------------------------------------------------------------------------


def is_frame(X) -> bool:
    return is_pandas(X) or is_polars(X)


def as_array(X):
    """Return a sparse table as it is, and any other one as an array, lists as one of objects."""
    if sparse.issparse(X):
        return X
    return np.asarray(X) if hasattr(X, "dtype") else np.asarray(X, dtype=object)


def iterate_columns(X, for_types: bool = False) -> Iterator[tuple[str, np.ndarray]]:
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
