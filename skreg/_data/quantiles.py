"""Weighted quantiles of columns.

A quantile is that of the weighted rows: a row of weight 2 is the row twice. Where a level falls
between two values it is their mean, which NumPy calls "averaged_inverted_cdf".
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from skreg._data.statistics import compute_shares, find_weighted_quantiles


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
    shares, are_equal = compute_shares(weight), bool((weight == weight[0]).all())
    by_column = X[:, columns].tocsc() if sparse.issparse(X) else None
    quantiles = np.empty((len(levels) + 2, len(columns)))
    for k, column in enumerate(columns):
        values = X[first, column] if by_column is None else by_column[:, [k]].toarray()[first, 0]
        values = values.astype(np.float64)
        if are_equal:
            values.sort()  # faster than to sort indices, which takes no time then
        inner = find_weighted_quantiles(values, shares, levels)
        quantiles[:, k] = [values.min(), *inner, values.max()]
    return quantiles + 0.0  # no -0.0
