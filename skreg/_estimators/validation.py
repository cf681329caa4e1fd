"""Tables and weights: scikit-learn's checks, and what they leave open.

Owns which X, y and sample weights are accepted, and the words of refusal. Does not own what is done
with them.
"""

from __future__ import annotations

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
    "DType",  # of a data frame, whose columns have no common one
)


_NO_Y = "no_validation"  # scikit-learn's word, since None is a y that it refuses


def checked_table(estimator, X, y=_NO_Y, *, reset: bool, y_numeric: bool = False):
    """X (and y, when it is given) as arrays, after scikit-learn's checks, without a copy.

    Integers and booleans stay what they are: they are converted block by block. A sparse X comes
    back as CSR without duplicates and stored zeros.
    """
    arguments: dict = {"accept_sparse": "csr"}
    has_y = not (isinstance(y, str) and y == _NO_Y)
    if has_y:
        arguments |= {"y": y, "multi_output": True, "y_numeric": y_numeric}
    _refuse_dates_of_polars(X)
    try:
        # scikit-learn first tries the sum, which a finite table can have infinite.
        with np.errstate(over="ignore", invalid="ignore"):
            checked = validate_data(estimator, X, reset=reset, dtype="numeric", **arguments)
            table = checked[0] if has_y else checked
            if table.dtype.kind in "mM":
                raise ValueError(f"X has values of type {table.dtype}.\n{_HINT}")
            # Objects, of a data frame whose columns have no common type, and numbers wider than
            # float64: converted here, so that what they are not is found out here.
            if table.dtype == object or table.dtype.itemsize > 8:
                arguments = {"accept_sparse": "csr", "estimator": estimator, "input_name": "X"}
                table = check_array(table, dtype=np.float64, **arguments)
    except (ValueError, TypeError) as error:
        of_X = not y_numeric or np.asarray(y).dtype.kind not in "OUST"
        if of_X and any(sign in str(error) for sign in _SIGNS_OF_TEXT):
            raise type(error)(f"{error}\n{_HINT}") from error
        raise
    if sparse.issparse(table):
        table = _canonical(table)
    return (table, checked[1]) if has_y else table


def _canonical(table):
    """CSR with sorted indices, without duplicates and stored zeros; a copy if it has to change."""
    if table.has_canonical_format and table.data.all():
        return table
    table = table.copy()
    table.sum_duplicates()
    table.eliminate_zeros()
    return table


def _refuse_dates_of_polars(X) -> None:
    """Refuse polars' dates, which its conversion to NumPy makes into numbers of days."""
    for name, kind in getattr(X, "schema", {}).items() if hasattr(X, "get_columns") else ():
        if kind.is_temporal():
            raise ValueError(f"Column {name!r} of X has values of type {kind}.\n{_HINT}")


def checked_weight(sample_weight, X, name: str = "sample_weight") -> np.ndarray | None:
    """Weights >= 0 with a finite, positive sum, in float64; None for None."""
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
