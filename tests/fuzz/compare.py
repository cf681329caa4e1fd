"""Estimators and results as flat dicts of comparable values."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import partial
from types import FunctionType, MethodType

import numpy as np
import pandas as pd
import polars as pl
from scipy import sparse

# Times differ from run to run; locks, events and caches hold no result.
_SKIPPED = ("time", "_lock", "get_moments", "get_checkpoint")


def flatten(value, path: str = "") -> dict[str, object]:
    """Return every number, text and array below a value by its path."""
    if isinstance(value, np.ndarray):
        return _flatten_array(value, path)
    if sparse.issparse(value):
        return flatten(value.toarray(), path)
    if isinstance(value, pl.DataFrame):  # whose types NumPy may not be able to join
        return flatten(value.to_dict(as_series=False), path)
    if isinstance(value, (pd.DataFrame, pd.Series, pl.Series)):
        return flatten(value.to_numpy(), path)
    if isinstance(value, dict):
        return _merge((f"{path}.{key}", child) for key, child in value.items()) | {
            f"{path} keys": sorted(map(str, value))
        }
    if isinstance(value, (list, tuple)):
        parts = ((f"{path}[{k}]", child) for k, child in enumerate(value))
        return _merge(parts) | {f"{path} length": len(value)}
    if is_dataclass(value) and not isinstance(value, type):
        parts = ((f"{path}.{f.name}", getattr(value, f.name)) for f in fields(value))
        return _merge(parts)
    if isinstance(value, (FunctionType, MethodType, partial, type)):
        return {path: getattr(value, "__qualname__", "partial")}
    if hasattr(value, "__dict__"):
        return {f"{path} type": type(value).__name__} | flatten(vars(value), path)
    if type(value) is object:  # whose repr is its address, which a pickle does not keep
        return {path: "object"}
    return {path: (type(value).__name__, repr(value))}


def _merge(parts) -> dict[str, object]:
    merged: dict[str, object] = {}
    for path, child in parts:
        if not any(name in path.rpartition(".")[2] for name in _SKIPPED):
            merged |= flatten(child, path)
    return merged


def _flatten_array(array, path: str) -> dict[str, object]:
    if array.dtype.kind in "OT":
        return flatten(array.tolist(), path) | {f"{path} dtype": str(array.dtype)}
    if array.dtype == np.longdouble:  # has padding bytes
        return {path: (str(array.dtype), array.shape, repr(array.tolist()))}
    dtype = array.dtype.newbyteorder("=")
    return {path: (str(dtype), array.shape, np.ascontiguousarray(array, dtype).tobytes())}


def find_differences(one: dict, other: dict) -> list[str]:
    """Return the paths whose values differ."""
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))
