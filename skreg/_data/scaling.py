"""Scaled inputs, and networks rewritten for other scales.

When statistics change, a network is rewritten so that its function stays the same.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from skreg._data.statistics import ColumnStatistics

# Inputs are clipped to +-1e18 standard deviations, so that sums of products stay finite in float32.
MAX_INPUT = 1e18

# If a scale grows by more than this factor, float32 hardly tells the old values apart.
MAX_RATIO = 2.0**23


def standardize(block: np.ndarray, center, scale) -> np.ndarray:
    """Return ``(block - center) / scale`` in float64, clipped to +-MAX_INPUT.

    None for both leaves the columns as they are.
    """
    if scale is None:
        values = np.add(block, 0.0, dtype=np.float64)  # -0.0 becomes 0.0
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.subtract(block, center, dtype=np.float64)
            values += 0.0  # -0.0 becomes 0.0
            values /= scale
    if values.min() >= -MAX_INPUT and values.max() <= MAX_INPUT:
        return values
    overflown = ~np.isfinite(values)
    if scale is not None and overflown.any():
        # The difference of two values near the ends of float64's range.
        with np.errstate(over="ignore"):
            values[overflown] = (block / scale - center / scale)[overflown]
    return np.clip(values, -MAX_INPUT, MAX_INPUT, out=values)


def standardize_sparse(rows, center, scale):
    """Return the same values as `standardize`, without zeros, as CSR with sorted indices.

    Parameters
    ----------
    rows : ndarray or CSR, shape (n, d)
    center, scale : ndarray of float64, shape (d,), or None
        As for `standardize`. Columns of few non-zeros have the center 0.
    """
    if not sparse.issparse(rows):
        return sparse.csr_array(standardize(rows, center, scale))
    values = rows.data.astype(np.float64)
    if scale is not None:
        with np.errstate(over="ignore"):
            values /= scale[rows.indices]
    np.clip(values, -MAX_INPUT, MAX_INPUT, out=values)
    filled = np.empty(0, int)
    if center is not None:
        filled = np.flatnonzero((center != 0) & np.isfinite(scale))
    if not len(filled):
        return _drop_zeros(values, rows)
    is_filled = np.zeros(rows.shape[1], dtype=bool)
    is_filled[filled] = True
    values[is_filled[rows.indices]] = 0.0
    cells = sparse.csr_array(standardize(rows[:, filled].toarray(), center[filled], scale[filled]))
    columns = filled[cells.indices].astype(rows.indices.dtype)
    centred = sparse.csr_array((cells.data, columns, cells.indptr), shape=rows.shape)
    return _drop_zeros(values, rows) + centred


def _drop_zeros(values: np.ndarray, rows):
    """Return CSR with these values in the cells of `rows`, without those that are zero."""
    indices, indptr = rows.indices, rows.indptr
    keep = values != 0
    if not keep.all():
        indptr = np.concatenate([[0], np.cumsum(keep)])[indptr]
        values, indices = values[keep], indices[keep]
    return sparse.csr_array((values, indices, indptr), shape=rows.shape)


def rescale_inputs(kernel, bias, old: ColumnStatistics, new: ColumnStatistics):
    """Return the first kernel and bias for inputs scaled by `new` instead of `old`.

    The network computes the same function as before.

    From (x - m) / s = ((x - m') / s') s' / s + (m' - m) / s: the rows of the kernel are multiplied
    by s' / s, and the rest goes into the bias. The scale of a column that was constant is not
    known: its weights stay, and the function is the same at that one value. If the new units are
    too far from the old ones (`MAX_RATIO`), the weights of the column stay, too.
    """
    old_scale = np.where(old.constant, new.scale, old.scale)
    ratio, shift = relate_scales(old.center, old_scale, new)
    kernel = kernel.astype(np.float64)
    bias = bias + shift @ kernel
    rescaled = ratio[:, None] * kernel
    return rescaled.astype(np.float32), bias.astype(np.float32)


def relate_scales(
    center, scale, new: ColumnStatistics, least_ratio: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return ratio and shift of each column: ``old value = ratio * new value + shift``.

    They are 1 and 0 where the units are so far apart that nothing is known, as in `rescale_inputs`.

    Parameters
    ----------
    center, scale : ndarray of float64, shape (d,)
        Old ones.
    new : ColumnStatistics
    least_ratio : float, default=0
        Smaller ratios are not known.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = new.scale / scale
        shift = new.center / scale - center / scale
    is_known = (ratio >= least_ratio) & (ratio <= MAX_RATIO) & (np.abs(shift) <= MAX_RATIO)
    return np.where(is_known, ratio, 1.0), np.where(is_known, shift, 0.0)


def rescale_outputs(kernel, bias, old, new):
    """Return the last kernel and bias for targets scaled by `new` instead of `old`.

    Both are pairs (center, scale) of arrays of shape (q,). The target is
    ``center + scale * logit``. Weights of a target that was or is constant, or that lay far away,
    stay, as in `rescale_inputs`.
    """
    (old_center, old_scale), (new_center, new_scale) = old, new
    with np.errstate(all="ignore"):
        ratio = old_scale / new_scale
        shift = old_center / new_scale - new_center / new_scale
    is_known = (ratio > 0) & (ratio <= MAX_RATIO) & (np.abs(shift) <= MAX_RATIO)
    ratio, shift = np.where(is_known, ratio, 1.0), np.where(is_known, shift, 0.0)
    kernel, bias = kernel.astype(np.float64) * ratio, bias * ratio + shift
    return kernel.astype(np.float32), bias.astype(np.float32)
