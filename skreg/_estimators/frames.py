"""Tables by the kinds of their columns: which are categories, and what their cells are.

pandas and polars are not imported here. A frame of theirs means that they are.
"""

from __future__ import annotations

import datetime
import math
import re
import sys
from collections.abc import Callable, Sequence
from numbers import Number
from typing import Any

import numpy as np

from skreg._compat import safe_indexing
from skreg._data.columns import CategoryCells

DATE_HINT = "Convert dates and time spans to numbers first, for example with skrub.DatetimeEncoder."

DATES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
_BOOLEANS = (bool, np.bool_)


def is_pandas(X) -> bool:
    """Whether a table is a data frame of pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(X, pandas.DataFrame)


def is_polars(X) -> bool:
    """Whether a table is a data frame of polars."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(X, polars.DataFrame)


def check_frame(X) -> None:
    """Raise a ValueError if X has no columns, duplicate names, dates or time spans."""
    if (is_pandas(X) or is_polars(X)) and not X.shape[1]:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required."
        )
    if not is_pandas(X):
        if is_polars(X):
            _refuse_dates(
                ((name, dtype) for name, dtype in X.schema.items() if dtype.is_temporal())
            )
        return
    if not X.columns.is_unique:
        names = X.columns[X.columns.duplicated()].unique().tolist()
        raise ValueError(f"X: expected columns of different names; received {names[:5]} twice.")
    dates = ((name, dtype) for name, dtype in X.dtypes.items() if _is_date(dtype))
    _refuse_dates(dates)


def _is_date(dtype) -> bool:
    return dtype.kind in "mM" or type(dtype).__name__ in ("DatetimeTZDtype", "PeriodDtype")


def _refuse_dates(types) -> None:
    for name, value_type in types:
        raise ValueError(f"Column {name!r} of X has values of type {value_type}. {DATE_HINT}")


def _find_dates(values) -> list[str]:
    types = set(map(type, values))
    return [
        value_type.__name__ for value_type in types if value_type in (np.datetime64, np.timedelta64)
    ]


def hide_rows_without_weight(X, sample_weight, categorical_features):
    """Return the table with other rows instead of those of weight 0.

    So their cells do not decide which columns are categories, or which levels exist. Columns that
    are numbers by their type stay as they are. A table beside weights that are not valid is
    returned as it is; they are an error later on.
    """
    if sample_weight is None or not _may_have_categories(X, categorical_features):
        return X
    try:
        has_weight = np.asarray(np.asarray(sample_weight) > 0, dtype=bool)
        is_valid = has_weight.shape == (len(X),) and has_weight.any()
    except (ValueError, TypeError):
        return X
    if not is_valid or has_weight.all():
        return X
    indices = np.arange(len(X))
    # In turn, so that the shares of the levels change little.
    indices[~has_weight] = np.resize(np.flatnonzero(has_weight), np.count_nonzero(~has_weight))
    if is_pandas(X):
        hidden = X.copy(deep=False)
        for k in _find_other_columns(X):
            hidden.isetitem(k, X.iloc[:, k].array.take(indices))
        return hidden
    if is_polars(X):
        return X.with_columns(X[:, _find_other_columns(X)][indices].get_columns())
    return safe_indexing(X, indices)


def _may_have_categories(X, categorical_features) -> bool:
    if is_pandas(X) or is_polars(X):
        return bool(_find_other_columns(X))
    if categorical_features is None or isinstance(categorical_features, str):
        return False
    return not hasattr(X, "dtype") or X.dtype.kind not in "biuf"


def _find_other_columns(X) -> list[int]:
    """Return the indices of the columns of a data frame that are not numbers by their type."""
    if is_polars(X):
        return [k for k, dtype in enumerate(X.dtypes) if not dtype.is_numeric()]
    types = sys.modules["pandas"].api.types
    is_number = [types.is_numeric_dtype(k) and not types.is_bool_dtype(k) for k in X.dtypes]
    return np.flatnonzero(~np.array(is_number, dtype=bool)).tolist()


# -- which columns are categories ----------------------------------------------------------------


def find_categories(X, categorical_features, names: Sequence[str] | None) -> np.ndarray:
    """Return a mask of the columns that are categories.

    Parameters
    ----------
    X : data frame, ndarray or sparse table of shape (n_samples, n_features)
    categorical_features : "from_dtype" or array-like
        The first for a data frame only.
    names : sequence of str or None
        Of the columns; None if they have none.
    """
    if not isinstance(categorical_features, str):
        return _read_selection(categorical_features, names, X.shape[1])
    if is_pandas(X):
        found = [_is_category_of_pandas(X, k, dtype) for k, dtype in enumerate(X.dtypes)]
    else:
        found = [_is_category_of_polars(X[name]) for name in X.columns]
    return np.array(found, dtype=bool)


def _is_category_of_pandas(X, k: int, dtype) -> bool:
    types = sys.modules["pandas"].api.types
    if isinstance(dtype, np.dtype):
        return dtype.kind not in "biuf" and _are_levels(X.iloc[:, k].tolist())
    if types.is_bool_dtype(dtype):
        return bool(X.iloc[:, k].isna().any())  # two values are a number, three are not
    return not types.is_numeric_dtype(dtype)


def _is_category_of_polars(column) -> bool:
    dtype = str(column.dtype)
    if dtype == "Boolean":
        return column.null_count() > 0
    if dtype == "Object":
        return _are_levels(column.to_list())
    return dtype in ("String", "Null") or dtype.startswith(("Categorical", "Enum"))


def _are_levels(values: list) -> bool:
    """Whether objects are levels: some are strings, or booleans beside missing values.

    Dates count as levels, and are refused later on. So does a column of missing values only, since
    other rows of it may hold strings.
    """
    known = [value for value in values if not is_missing(value)]
    types = set(map(type, known))
    if any(issubclass(value_type, (str, *DATES)) for value_type in types):
        return True
    return types in (set(), {bool}, {np.bool_}) and len(known) < len(values)


def _read_selection(selection, names, n_features: int) -> np.ndarray:
    """Return the mask that a mask, indices or names of columns stand for."""
    selected = np.asarray(selection)
    mask = np.zeros(n_features, dtype=bool)
    if selected.ndim == 1 and not len(selected):
        return mask
    start = "categorical_features: expected"
    if selected.ndim != 1 or selected.dtype.kind not in "biuUOT":
        raise ValueError(f"{start} a mask, indices or names of columns; received {selection!r}.")
    if selected.dtype.kind == "b":
        if len(selected) != n_features:
            raise ValueError(
                f"{start} a mask of the {n_features} columns; received one of {len(selected)}."
            )
        return selected.copy()
    if selected.dtype.kind in "iu":
        if selected.min() < 0 or selected.max() >= n_features:
            raise ValueError(
                f"{start} indices from 0 to {n_features - 1}; received {selected.tolist()[:10]}."
            )
        mask[selected] = True
        return mask
    if not all(isinstance(name, str) for name in selected.tolist()):
        raise ValueError(f"{start} names that are strings; received {selection!r}.")
    if names is None:
        raise ValueError(
            f"{start} a mask or indices for a table whose columns have no names; received names."
        )
    index_of_name = {name: k for k, name in enumerate(names)}
    missing = [name for name in selected.tolist() if name not in index_of_name]
    if missing:
        raise ValueError(f"{start} names of columns of X; received also {missing[:5]}.")
    mask[[index_of_name[name] for name in selected.tolist()]] = True
    return mask


def convert_numbers(X):
    """Return a table of numbers whose columns scikit-learn can convert.

    Nullable booleans of pandas and booleans among objects become NumPy's. If some are missing, they
    become floats of the precision of the other columns, which scikit-learn would widen. Among
    objects pandas.NA becomes NaN. Sparse columns become dense, unless all are sparse and mostly 0:
    only those are a sparse table. NumPy's dates among objects are refused, since some would become
    integers.
    """
    if isinstance(X, np.ndarray) and X.dtype == object:
        for value_type in _find_dates(X.flat):
            raise ValueError(f"X has values of type {value_type}. {DATE_HINT}")
    if not is_pandas(X):
        return X
    pandas = sys.modules["pandas"]
    is_sparse = [isinstance(dtype, pandas.SparseDtype) for dtype in X.dtypes]
    stays_sparse = all(is_sparse) and all(dtype.fill_value == 0 for dtype in X.dtypes)
    changed = {}
    is_narrow = any(dtype.name in ("float32", "Float32", "float[pyarrow]") for dtype in X.dtypes)
    precision = np.float32 if is_narrow else np.float64
    for k, dtype in enumerate(X.dtypes):
        if isinstance(dtype, np.dtype) and dtype.kind != "O":
            continue  # before its column is taken, which is slow
        column = X.iloc[:, k]
        if is_sparse[k] and not stays_sparse:
            changed[k] = column.sparse.to_dense()
        elif dtype.name == "object":
            values = column.tolist()
            _refuse_dates((X.columns[k], value_type) for value_type in _find_dates(values))
            types = {type(value) for value in values if not is_missing(value)}
            filled = [np.nan if is_missing(value) else value for value in values]
            if types and types <= {bool, np.bool_}:
                changed[k] = np.array(filled, dtype=precision)
            elif any(type(value).__name__ == "NAType" for value in values):
                changed[k] = filled
        elif pandas.api.types.is_bool_dtype(dtype):
            is_whole = not column.isna().any()
            changed[k] = (
                column.astype(bool)
                if is_whole
                else column.to_numpy(dtype=precision, na_value=np.nan)
            )
    if changed:
        X = X.copy(deep=False)
    for k, column in changed.items():
        X.isetitem(k, column)
    return X


def find_bad_column(X, check: Callable[[Any], Any]):
    """Return the name of the first column of a data frame that a check refuses, or None."""
    if not (is_pandas(X) or is_polars(X)) or not len(X):
        return None
    for name in X.columns:
        try:
            check(X[[name]])
        except (ValueError, TypeError):
            return name
    return None


# -- their cells -------------------------------------------------------------------------------


def select_numbers(X, is_category: np.ndarray):
    """Return the columns of a table that are no categories, in its own type."""
    indices = np.flatnonzero(~is_category)
    if is_pandas(X):
        return X.iloc[:, indices]
    return X[:, indices.tolist()] if is_polars(X) else X[:, indices]


def read_categories(X, is_category: np.ndarray, names: Sequence[str]) -> tuple[CategoryCells, ...]:
    """Return the cells of the categories."""
    return tuple(_read_cells(X, k, names[k]) for k in np.flatnonzero(is_category).tolist())


def _read_cells(X, k: int, name: str) -> CategoryCells:
    if is_pandas(X):
        column = X.iloc[:, k]
        if column.dtype.name == "category":
            codes, levels = column.cat.codes.to_numpy(), column.cat.categories.tolist()
            return _name_levels(codes.astype(np.int64), levels, name)
        if column.dtype.name in ("str", "string"):  # faster than by way of a list
            codes, strings = column.factorize()
            return _name_levels(codes.astype(np.int64), strings.tolist(), name)
        values = column.tolist()
    elif is_polars(X):
        values = X[X.columns[k]].to_list()
    else:  # dates would become integers
        values = list(X[:, k]) if X.dtype.kind in "mM" else X[:, k].tolist()
    try:
        distinct = list(dict.fromkeys(values))
    except TypeError as error:
        raise ValueError(f"Column {name!r} of X: expected levels; {error}.") from error
    levels = [value for value in distinct if not is_missing(value)]
    codes_by_value = {value: k for k, value in enumerate(levels)}
    codes_by_value |= {value: -1 for value in distinct if is_missing(value)}
    codes = np.fromiter(map(codes_by_value.__getitem__, values), dtype=np.int64, count=len(values))
    if (0 in codes_by_value or 1 in codes_by_value) and _has_numbers_and_booleans(values):
        levels = _make_numbers(levels)
    return _name_levels(codes, levels, name)


def _has_numbers_and_booleans(values: list) -> bool:
    """Whether booleans are among numbers. They are numbers then.

    The distinct values do not tell, since 1 and True are equal.
    """
    types = set(map(type, values))
    if not any(issubclass(value_type, _BOOLEANS) for value_type in types) or len(types) == 1:
        return False
    others = (value for value in values if not isinstance(value, _BOOLEANS))
    return any(isinstance(value, Number) and not is_missing(value) for value in others)


def _make_numbers(levels: list) -> list:
    return [int(level) if isinstance(level, _BOOLEANS) else level for level in levels]


def is_missing(value) -> bool:
    """Whether a cell is missing: None, NaN, NaT or pandas.NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and value != value


def _name_levels(codes: np.ndarray, levels: list, name: str) -> CategoryCells:
    """Return cells whose levels are strings, numbers or booleans of Python, of one type."""
    levels = [_make_plain(level) for level in levels]
    occurring = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(levels)))
    types = {_find_level_type(levels[k]) for k in occurring}
    if None in types:
        type_names = sorted(
            {type(level).__name__ for level in levels if _find_level_type(level) is None}
        )
        are_dates = any(re.search("date|time|period", name, re.IGNORECASE) for name in type_names)
        hint = f" {DATE_HINT}" if are_dates else " Convert them to strings."
        raise ValueError(
            f"Column {name!r} of X: expected levels that are strings, numbers or booleans; "
            f"received values of type {', '.join(type_names)}.{hint}"
        )
    if len(types) > 1 and types != {"numbers", "booleans"}:
        raise ValueError(
            f"Column {name!r} of X: expected levels of one type; received "
            f"{sorted(map(str, types))}. Make all of them strings."
        )
    if len(types) > 1:
        types, levels = {"numbers"}, _make_numbers(levels)
    level_type = next(iter(types), None)
    if level_type != "numbers":
        return CategoryCells(codes, levels, level_type)
    if any(abs(levels[k]) == math.inf for k in occurring):
        raise ValueError(f"Column {name!r} of X: expected finite levels; received infinity.")
    # Some may be equal now: 1 and True, or long doubles that float64 cannot tell apart.
    codes_by_level = {level: k for k, level in enumerate(dict.fromkeys(levels))}
    codes = np.array([*(codes_by_level[level] for level in levels), -1])[codes]
    return CategoryCells(codes, list(codes_by_level), level_type)


def _make_plain(level):
    """Return a level as an object of Python, and whole numbers as integers."""
    if isinstance(level, np.generic) and not isinstance(level, DATES):  # which become integers
        level = float(level) if isinstance(level, np.longdouble) else level.item()
    return int(level) if isinstance(level, float) and level.is_integer() else level


def _find_level_type(level) -> str | None:
    for level_class, name in ((str, "strings"), (bool, "booleans"), ((int, float), "numbers")):
        if isinstance(level, level_class):
            return name
    return None
