"""Weighted quantiles of columns.

A quantile is that of the weighted rows: a row of weight 2 is the row twice. Where a level falls
between two values it is their mean, which NumPy calls "averaged_inverted_cdf".
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import sparse

from skreg._data.statistics import average_pairs, find_quantile_indices, find_weighted_quantiles
from skreg._data.weights import compute_shares


def measure_quantiles(X, indices, weight, columns, levels) -> np.ndarray:
    """Return quantiles of columns of an array or a CSR table, of its distinct rows.

    Parameters
    ----------
    X : ndarray or CSR, shape (n, d)
    indices : ndarray of int, shape (n_rows,)
        Of the distinct rows.
    weight : ndarray of float64, shape (n_rows,)
    columns : ndarray of int, shape (n_columns,)
    levels : ndarray of float64, shape (n_levels,)
        Ascending, within (0, 1).

    Returns
    -------
    quantiles : ndarray of float64, shape (n_levels + 2, n_columns)
        Between the smallest and the largest value.
    """
    shares = compute_shares(weight)
    measure = partial(_measure_weighted, shares, levels)
    if (weight == weight[0]).all():
        measure = partial(_measure_equal, *find_quantile_indices(shares, levels))
    by_column = X[:, columns].tocsc() if sparse.issparse(X) else None
    quantiles = np.empty((len(levels) + 2, len(columns)))
    for k, column in enumerate(columns):
        values = (
            X[indices, column] if by_column is None else by_column[:, [k]].toarray()[indices, 0]
        )
        quantiles[:, k] = measure(values.astype(np.float64))
    return quantiles + 0.0  # no -0.0


def _measure_weighted(shares, levels, values) -> np.ndarray:
    """Return the quantiles of one column between its smallest and largest value."""
    inner = find_weighted_quantiles(values, shares, levels)
    return np.array([values.min(), *inner, values.max()])


def _measure_equal(below, above, values) -> np.ndarray:
    """Return the same for rows of equal weight, whose indices are known. The values are moved."""
    values.partition(np.unique([0, *below, *above, len(values) - 1]))  # faster than to sort
    return np.array([values[0], *average_pairs(values[below], values[above]), values[-1]])
