"""Checks of tables and weights: those of scikit-learn, and what they leave open."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import validate_data

from skreg._compat import check_sample_weight
from skreg._data.columns import MixedTable, TableEncoder
from skreg._estimators.frames import (
    DATE_HINT,
    DATES,
    check_frame,
    convert_numbers,
    find_bad_column,
    find_categories,
    hide_rows_without_weight,
    is_missing,
    is_pandas,
    is_polars,
    read_categories,
    select_numbers,
)
from skreg._estimators.user_warnings import warn

_HINT = (
    "Expected numbers in X, received strings, categories or dates. Pass a data frame of pandas or "
    "polars with categorical_features='from_dtype', which makes categories of strings, or name all "
    f"of these columns in categorical_features. {DATE_HINT}"
)
_TARGET_HINT = "Convert dates and time spans first, for example to days."
_SIGNS_OF_STRINGS = (
    "could not convert string",
    "Cannot cast str",  # of pandas, beside booleans
    "arrays of bytes/strings",
    "setting an array element with a sequence",
    "float() argument must be",
    "DType",  # of a data frame whose columns have no common type
)


class CheckedRows(NamedTuple):
    """A table and its targets after the checks."""

    X: MixedTable
    y: Any
    is_category: np.ndarray
    attributes: dict  # n_features_in_ and feature_names_in_, for the fitted estimator

    @property
    def names(self):
        """Names of the columns; x0, x1, ... for an array."""
        return get_names(self.attributes)


def check_rows(
    estimator, X, y, sample_weight=None, *, reset: bool, y_numeric: bool, suffix: str = ""
) -> CheckedRows:
    """Check a table and its targets. The estimator is not changed.

    Parameters
    ----------
    estimator : estimator
        Whose columns the table is compared with, if not `reset`.
    X, y : array-like
    sample_weight : array-like or None
        Not checked here. Rows of weight 0 do not decide on the kinds of columns.
    reset : bool
        Whether the columns are new.
    y_numeric : bool
        Whether the targets have to be numbers. They are then finite and in float64.
    suffix : str, default=""
        Of the names of X and y in errors.
    """
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y "
            "is None."
        )
    # scikit-learn sets the attributes of columns at once. A fit sets them when it has succeeded.
    probe = copy_shallow(estimator)
    try:
        X = hide_rows_without_weight(X, sample_weight, estimator.categorical_features)
        X, is_category = check_table(probe, X, reset=reset)
    except (ValueError, TypeError) as error:
        if suffix:
            raise type(error)(f"X{suffix}: {error}") from error
        raise
    y = _check_targets(probe, y, y_numeric, f"y{suffix}")
    check_consistent_length(X.numbers, y)
    names = ("n_features_in_", "feature_names_in_")
    attributes = {name: vars(probe)[name] for name in names if name in vars(probe)}
    return CheckedRows(X, y, is_category, attributes)


def get_names(attributes: dict):
    """Return the names of the columns from the attributes of a fitted estimator."""
    names = attributes.get("feature_names_in_")
    return [f"x{k}" for k in range(attributes["n_features_in_"])] if names is None else names


def choose_precision(table: MixedTable):
    """Return float32 for a table of float32, else float64."""
    is_narrow = table.numbers.dtype.newbyteorder("=") == np.float32
    return np.float32 if is_narrow else np.float64


def encode_new_rows(encoder: TableEncoder, table: MixedTable, name: str = "X"):
    """Return other rows than those of training as numbers.

    Warn of categories whose values mostly were not in training.
    """
    try:
        encoded = encoder.encode(table)
    except ValueError as error:
        if name == "X":
            raise
        raise ValueError(f"{name}: {error}") from error
    unknown = encoder.find_unknown(table)
    if unknown:
        warn(
            f"{name}: most values of the columns {unknown[:10]} were not in training. They are "
            "treated as infrequent levels, or as no level."
        )
    return encoded


def check_table(estimator, X, reset: bool = False) -> tuple[MixedTable, np.ndarray]:
    """Return a checked table, and which of its columns are categories.

    Those of a fitted estimator are categories if they were in training.
    """
    try:
        return _validate(estimator, X, reset)
    except (ValueError, TypeError) as error:
        if reset or not str(error).startswith("Column"):
            _raise_with_hint(error)
        raise
    except ArithmeticError as error:  # of a large int among objects
        raise ValueError(f"X: expected numbers that float64 can hold; {error}.") from error


def _check_targets(estimator, y, y_numeric: bool, name: str):
    """Return targets as an array, or as CSR if they are an indicator."""
    arguments = {
        "accept_sparse": "csr",
        "ensure_2d": False,
        "estimator": estimator,
        "input_name": name,
    }
    if y_numeric:
        _refuse_dates_of_polars(y, name, f"Expected numbers. {_TARGET_HINT}")
    try:
        if not sparse.issparse(y) and np.asarray(y).dtype.kind == "T":
            y = np.asarray(y).astype(object)  # scikit-learn does not know NumPy's StringDType
        if not y_numeric and not sparse.issparse(y):
            _refuse_labels_without_order(np.asarray(y))  # in words of its own
        y = check_array(y, dtype=None, ensure_all_finite=not y_numeric, **arguments)
        if sparse.issparse(y) and (y_numeric or y.shape[1] < 2):
            raise TypeError(f"received a sparse array of shape {y.shape}. Pass a dense one.")
        if y_numeric:
            _refuse_dates(y)
            # Strings of numbers are numbers, as in scikit-learn. The check is after the conversion.
            with np.errstate(over="ignore", invalid="ignore"):
                y = check_array(y, dtype=np.float64, **arguments)
    except (ValueError, TypeError, ArithmeticError) as error:
        if re.search(rf"\b{name}\b", str(error)):
            raise
        error_type = TypeError if isinstance(error, TypeError) else ValueError
        wanted = "numbers" if y_numeric else "labels"
        raise error_type(f"{name}: expected {wanted}; {error}") from error
    return y


def check_classes(classes) -> np.ndarray:
    """Return the sorted labels of the parameter `classes` of `partial_fit`."""
    classes = np.asarray(classes)
    classes = classes.astype(object) if classes.dtype.kind == "T" else classes
    try:
        _refuse_labels_without_order(classes)
    except ValueError as error:
        raise ValueError(f"classes: expected labels; {error}") from error
    return unique_labels(classes)


def _refuse_labels_without_order(labels) -> None:
    """Raise a ValueError for missing labels, and for strings beside other objects."""
    if labels.dtype == object and any(map(is_missing, labels.flat)):
        raise ValueError("received missing values. Drop their rows, or give them a label.")
    if labels.dtype == object and len({isinstance(label, str) for label in labels.flat}) > 1:
        types = sorted({type(label).__name__ for label in labels.flat})
        raise ValueError(f"received labels of several types, {types}. Make all of them strings.")
    if labels.dtype.kind in "mM" and np.isnat(labels).any():
        raise ValueError("received NaT, which is a missing value.")


def _refuse_dates(y: np.ndarray) -> None:
    """Raise a ValueError for dates and time spans, some of which NumPy takes for numbers."""
    types = {type(value) for value in y.flat} if y.dtype == object else set()
    if y.dtype.kind in "mM" or any(issubclass(value_type, DATES) for value_type in types):
        raise ValueError(f"received dates or time spans, of type {y.dtype}. {_TARGET_HINT}")


def copy_shallow(estimator, **attributes):
    """Return an estimator with the same attributes, and others that are given.

    `copy.copy` goes by the pickled state, and takes 12 microseconds instead of one.
    """
    copied = object.__new__(type(estimator))
    vars(copied).update(vars(estimator), **attributes)
    return copied


def _validate(estimator, X, reset: bool) -> tuple[MixedTable, np.ndarray]:
    check_frame(X)
    is_frame, encoder = is_pandas(X) or is_polars(X), None
    if reset:
        selection = estimator.categorical_features
        has_categories = selection is not None and (is_frame or not isinstance(selection, str))
    else:
        encoder = estimator._encoder  # None of a network from Keras
        has_categories = encoder is not None and bool(encoder.is_category.any())
    if not has_categories:
        return _make_table_of_numbers(estimator, X, reset)
    X = X if is_frame or sparse.issparse(X) else _to_array(X)
    validate_data(estimator, X, reset=reset, skip_check_array=True)  # looks at the columns
    names = vars(estimator).get("feature_names_in_")
    is_category = encoder.is_category if encoder else find_categories(X, selection, names)
    if not is_category.any():
        return _make_table_of_numbers(estimator, X, reset)
    return _make_mixed_table(X, is_category, get_names(vars(estimator)), reset), is_category


def _make_mixed_table(X, is_category: np.ndarray, names, reset: bool) -> MixedTable:
    if sparse.issparse(X):
        raise ValueError(
            "categorical_features: expected a data frame or a dense array, of which columns are "
            "categories; received a sparse table."
        )
    if not X.shape[0]:
        raise ValueError(f"Found array with 0 sample(s) (shape={X.shape}) while 1 is required.")
    numbers = np.empty((X.shape[0], 0))
    categories = read_categories(X, is_category, names)
    if not is_category.all():
        numbers = _validate_numbers(None, select_numbers(X, is_category), reset)
    return MixedTable(numbers, categories)


def _make_table_of_numbers(estimator, X, reset: bool) -> tuple[MixedTable, np.ndarray]:
    numbers = _validate_numbers(estimator, X, reset)
    return MixedTable(numbers), np.zeros(numbers.shape[1], dtype=bool)


def _to_array(X) -> np.ndarray:
    """Return a table with categories that is no data frame, of objects if it has strings."""
    if not isinstance(X, np.ndarray) or X.dtype.kind in "SUT":  # numbers among strings, too
        X = np.asarray(X, dtype=object)
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got an array of {X.ndim} dimensions instead. Reshape your data."
        )
    return X


def _validate_numbers(estimator, X, reset: bool):
    """Return a table of real numbers in its own type, which is converted in blocks.

    None for `estimator` does not look at the columns. NaN is a missing value.
    """
    X = convert_numbers(X)
    try:
        table = _convert_numbers(estimator, X, reset)
    except (ValueError, TypeError) as error:
        name = find_bad_column(X, lambda column: _convert_numbers(None, column, reset))
        if name is None:
            raise
        error_type = TypeError if isinstance(error, TypeError) else ValueError
        wanted = "numbers" if reset else "numbers, as in training"
        raise error_type(f"Column {name!r} of X: expected {wanted}; {error}") from error
    return _make_canonical(table) if sparse.issparse(table) else table


def _convert_numbers(estimator, X, reset: bool):
    # A network from Keras has no medians.
    is_fitted_from_keras = not reset and getattr(estimator, "_encoder", ()) is None
    finite = {"ensure_all_finite": True if is_fitted_from_keras else "allow-nan"}
    # scikit-learn first tries the sum, which may be infinite for a finite table.
    with np.errstate(over="ignore", invalid="ignore"):
        arguments: dict[str, Any] = {"dtype": "numeric", "accept_sparse": "csr", **finite}
        if estimator is None:
            table = check_array(X, input_name="X", **arguments)
        else:
            table = validate_data(estimator, X, reset=reset, **arguments)
        if table.dtype.kind in "mM":
            raise ValueError(f"X has values of type {table.dtype}.\n{_HINT}")
        # Objects, of a data frame whose columns have no common type, and numbers wider than
        # float64. Converting them here finds out whether they are numbers.
        if table.dtype == object or table.dtype.itemsize > 8:
            arguments["dtype"] = np.float64
            table = check_array(table, estimator=estimator, input_name="X", **arguments)
    return table


def _raise_with_hint(error: Exception) -> None:
    """Raise an error about strings again, with a hint at how columns are encoded."""
    if any(sign in str(error) for sign in _SIGNS_OF_STRINGS):
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


def _refuse_dates_of_polars(table, table_name: str, hint: str) -> None:
    """Raise a ValueError for polars' dates, which NumPy would receive as numbers of days."""
    for name, dtype in (
        getattr(table, "schema", {}).items() if hasattr(table, "get_columns") else ()
    ):
        if dtype.is_temporal():
            raise ValueError(f"Column {name!r} of {table_name} has values of type {dtype}.\n{hint}")


def check_weight(sample_weight, X, name: str = "sample_weight") -> np.ndarray | None:
    """Return weights >= 0 with a finite, positive sum, in float64; None for None."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, str):
        raise ValueError(
            f"{name}: expected an array of weights >= 0, or None; received {sample_weight!r}. "
            "Weights by class are the parameter class_weight of a classifier."
        )
    try:
        if np.asarray(sample_weight).dtype.kind in "mM":
            raise TypeError("received dates or time spans")
        with np.errstate(over="ignore"):  # which is an error below
            weight = check_sample_weight(sample_weight, X, dtype=np.float64)
            total = weight.sum()
    except (ValueError, TypeError, ArithmeticError) as error:
        raise ValueError(f"{name}: expected weights >= 0, one for each row; {error}") from error
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
