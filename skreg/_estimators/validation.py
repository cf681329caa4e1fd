"""Checks of tables and weights: those of scikit-learn, and what they leave open."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from skreg._compat import check_sample_weight

_HINT = (
    "Expected numbers in X, received strings, categories or dates. Encode them first, for example "
    "with skrub.tabular_pipeline(estimator), or with sklearn.preprocessing.OneHotEncoder in a "
    "sklearn.compose.ColumnTransformer."
)
_SIGNS_OF_TEXT = (
    "could not convert string",
    "Cannot cast str",  # of pandas, beside booleans
    "arrays of bytes/strings",
    "float() argument must be",
    "DType",  # of a data frame whose columns have no common type
)


class CheckedRows(NamedTuple):
    """A table and its targets after the checks."""

    X: Any  # ndarray, or CSR without duplicates and stored zeros
    y: Any
    attributes: dict  # n_features_in_ and feature_names_in_, for the fitted estimator


def check_rows(estimator, X, y, *, reset: bool, y_numeric: bool) -> CheckedRows:
    """Check a table and its targets. The estimator is not changed.

    Parameters
    ----------
    estimator : estimator
        Whose columns the table is compared with, if not `reset`.
    X, y : array-like
    reset : bool
        Whether the columns are new.
    y_numeric : bool
        Whether the targets have to be numbers.
    """
    # scikit-learn sets the attributes of columns at once. A fit sets them when it has succeeded.
    probe = copy_shallow(estimator)
    arguments = {"y": y, "multi_output": True, "y_numeric": y_numeric}
    try:
        X, y = _validate(probe, X, reset=reset, **arguments)
    except (ValueError, TypeError) as error:
        if not (y_numeric and np.asarray(y).dtype.kind in "OUST"):  # else the text may be that of y
            _raise_with_hint(error)
        raise
    names = ("n_features_in_", "feature_names_in_")
    return CheckedRows(X, y, {name: vars(probe)[name] for name in names if name in vars(probe)})


def check_table(estimator, X):
    """Return a table to predict on, as an array or CSR, without a copy."""
    try:
        return _validate(estimator, X, reset=False)
    except (ValueError, TypeError) as error:
        _raise_with_hint(error)
        raise


def copy_shallow(estimator, **attributes):
    """Return an estimator with the same attributes, and others that are given.

    `copy.copy` goes by the pickled state, and takes 12 microseconds instead of one.
    """
    copied = object.__new__(type(estimator))
    vars(copied).update(vars(estimator), **attributes)
    return copied


def _validate(estimator, X, *, reset: bool, **arguments):
    """Return X, or X and y, of real numbers in their own types, which are converted in blocks."""
    _refuse_dates_of_polars(X)
    # scikit-learn first tries the sum, which may be infinite for a finite table.
    with np.errstate(over="ignore", invalid="ignore"):
        checked = validate_data(
            estimator, X, reset=reset, dtype="numeric", accept_sparse="csr", **arguments
        )
        table, *y = checked if "y" in arguments else (checked,)
        if table.dtype.kind in "mM":
            raise ValueError(f"X has values of type {table.dtype}.\n{_HINT}")
        # Objects, of a data frame whose columns have no common type, and numbers wider than
        # float64. Converting them here finds out whether they are numbers.
        if table.dtype == object or table.dtype.itemsize > 8:
            table = check_array(
                table, dtype=np.float64, accept_sparse="csr", estimator=estimator, input_name="X"
            )
    if sparse.issparse(table):
        table = _make_canonical(table)
    return (table, *y) if y else table


def _raise_with_hint(error: Exception) -> None:
    """Raise an error about text again, with a hint at how columns are encoded."""
    if any(sign in str(error) for sign in _SIGNS_OF_TEXT):
        raise type(error)(f"{error}\n{_HINT}") from error


def _make_canonical(table):
    """Return CSR with sorted indices and without duplicates and stored zeros.

    The table itself, or a copy if it has to change.
    """
    if table.has_canonical_format and table.data.all():
        return table
    table = table.copy()
    table.sum_duplicates()
    table.eliminate_zeros()
    return table


def _refuse_dates_of_polars(X) -> None:
    """Raise a ValueError for polars' dates, which NumPy would receive as numbers of days."""
    for name, kind in getattr(X, "schema", {}).items() if hasattr(X, "get_columns") else ():
        if kind.is_temporal():
            raise ValueError(f"Column {name!r} of X has values of type {kind}.\n{_HINT}")


def check_weight(sample_weight, X, name: str = "sample_weight") -> np.ndarray | None:
    """Return weights >= 0 with a finite, positive sum, in float64; None for None."""
    if sample_weight is None:
        return None
    weight = check_sample_weight(sample_weight, X, dtype=np.float64)
    with np.errstate(over="ignore"):
        total = weight.sum()
    if weight.min() < 0:
        raise ValueError(
            f"Negative values in data passed to `{name}`: expected weights >= 0; "
            f"received {weight.min():g}."
        )
    if not 0 < total < np.inf:
        raise ValueError(
            f"{name}: expected at least one positive weight and a finite sum; "
            f"received weights from {weight.min():g} to {weight.max():g}."
        )
    return weight
