"""Weighted quantiles of columns.

A quantile is that of the weighted rows: a row of weight 2 is the row twice. Where a level falls
between two values it is their mean, which NumPy calls "averaged_inverted_cdf".
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from skreg._data.statistics import compute_shares

# Shares of the weight that differ by no more are equal apart from rounding.
_TOLERANCE = 1e-9


def measure_quantiles(X, first, weight, columns, levels) -> np.ndarray:
    """Return quantiles of columns of an array or a CSR table, of the distinct rows `first`.

    Parameters
    ----------
    X : ndarray or CSR, shape (n, d)
    first : ndarray of int, shape (n_rows,)
        Indices of the distinct rows.
    weight : ndarray of float64, shape (n_rows,)
    columns : ndarray of int, shape (n_columns,)
    levels : ndarray of float64, shape (n_levels,)
        Ascending, within (0, 1).

    Returns
    -------
    quantiles : ndarray of float64, shape (n_levels + 2, n_columns)
        Between the smallest and the largest value.
    """
    shares = None if (weight == weight[0]).all() else compute_shares(weight)
    by_column = X[:, columns].tocsc() if sparse.issparse(X) else None
    quantiles = np.empty((len(levels) + 2, len(columns)))
    for k, column in enumerate(columns):
        values = X[first, column] if by_column is None else by_column[:, [k]].toarray()[first, 0]
        quantiles[:, k] = _find_quantiles(values.astype(np.float64), shares, levels)
    return quantiles + 0.0  # no -0.0


def _find_quantiles(values: np.ndarray, shares: np.ndarray | None, levels) -> np.ndarray:
    """Return smallest value, quantiles and largest value; None for `shares` is equal weights."""
    if shares is None:
        values = np.sort(values)
        cumulative = np.arange(1, len(values) + 1) / len(values)
    else:
        order = np.argsort(values, kind="stable")
        values, cumulative = values[order], np.cumsum(shares[order])
    last = len(values) - 1
    low = np.minimum(np.searchsorted(cumulative, levels - _TOLERANCE), last)
    is_between = cumulative[low] <= levels + _TOLERANCE
    high = np.minimum(low + is_between, last)
    inner = np.where(values[low] == values[high], values[low], values[low] / 2 + values[high] / 2)
    return np.concatenate([values[:1], inner, values[-1:]])
