"""Scales: the statistics of columns and targets, standardising, and what follows when they move.

Owns the (weighted) statistics, how those of two tables combine, the standardised values, and how a
network is rewritten for new statistics so that its function stays what it was. Does not own which
rows there are and how much they weigh: it takes `first`, where each distinct row stands in the
table, and their weights. Knows no TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BLOCK_VALUES = 1 << 17  # float64 values of a working block: 1 MiB, about a core's cache


# Inputs are held within +-1e18 standard deviations of the mean: sums of products then stay finite
# in float32, so that no finite table gives a NaN.
LARGEST_INPUT = 1e18


@dataclass(frozen=True)
class Statistics:
    """Location and spread of each column of the rows seen so far.

    Attributes
    ----------
    weight : float
        Sum of the rows' weights.
    center : ndarray of float64, shape (d,)
        Mean (for robust losses of a regression, the median of the target).
    deviation : ndarray of float64, shape (d,)
        Standard deviation (or the median absolute deviation, made comparable); 0 when constant.
    """

    weight: float
    center: np.ndarray
    deviation: np.ndarray

    @classmethod
    def plain(cls, n_columns: int) -> Statistics:
        """Those of columns that are taken as they are."""
        return cls(0.0, np.zeros(n_columns), np.ones(n_columns))

    @property
    def _rounding(self) -> np.ndarray:
        # A spread within the rounding of the mean is none, as for scikit-learn's scalers.
        return 100 * np.finfo(np.float64).eps * np.abs(self.center)

    @property
    def offset(self) -> np.ndarray:
        """What is subtracted from columns, shape (d,)."""
        return self.center

    @property
    def constant(self) -> np.ndarray:
        """Which columns have had one value only, shape (d,)."""
        return self.deviation <= self._rounding

    @property
    def scale(self) -> np.ndarray:
        """What columns are divided by, shape (d,); 1 for constant ones."""
        # For a constant one 1, unless rounding alone moves the column by more than that.
        return np.where(self.constant, np.maximum(1.0, self._rounding), self.deviation)

    def combined(self, other: Statistics) -> Statistics:
        """Statistics of the rows of both (Chan, Golub and LeVeque 1983)."""
        weight = self.weight + other.weight
        share, rest = self.weight / weight, other.weight / weight
        # Halves, so that the difference of two numbers near the ends of float64 is one, too.
        half = other.center / 2 - self.center / 2
        between = 2 * np.sqrt(share * rest) * np.abs(half)
        within = np.hypot(np.sqrt(share) * self.deviation, np.sqrt(rest) * other.deviation)
        center = share * self.center + rest * other.center
        return Statistics(weight, center, np.hypot(within, between))


# A sparse column is multiplied by 1 / std, but no value becomes larger than this: 1 / std of a
# column with few non-zeros is huge, and they would outweigh everything else.
LARGEST_SPARSE_INPUT = 10.0


@dataclass(frozen=True)
class SparseStatistics(Statistics):
    """Statistics of sparse columns, which are scaled and not centred.

    Attributes
    ----------
    largest : ndarray of float64, shape (d,)
        Largest absolute value of each column.
    """

    largest: np.ndarray

    @property
    def offset(self) -> np.ndarray:
        """What is subtracted from columns: zeros."""
        return np.zeros_like(self.center)

    @property
    def constant(self) -> np.ndarray:
        """Which columns have had nothing but zeros, shape (d,)."""
        return self.largest == 0

    @property
    def scale(self) -> np.ndarray:
        """What columns are divided by, shape (d,)."""
        scale = np.maximum(self.deviation, self.largest / LARGEST_SPARSE_INPUT)
        return np.where(scale > 0, scale, 1.0)

    def combined(self, other: Statistics) -> SparseStatistics:
        """Statistics of the rows of both."""
        both = super().combined(other)
        theirs = getattr(other, "largest", np.abs(other.center) + other.deviation)
        largest = np.maximum(self.largest, theirs)
        return SparseStatistics(both.weight, both.center, both.deviation, largest)


def blocks(n_rows: int, n_columns: int):
    """Slices of rows whose float64 copy fits a core's cache, for `n_columns` values a row."""
    step = max(1, _BLOCK_VALUES // max(n_columns, 1))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def column_statistics(X, first: np.ndarray, weight: np.ndarray) -> Statistics:
    """Weighted mean and standard deviation of each column over the rows `first`, in float64.

    Two passes, so that a large mean does not swallow a small spread; columns whose squares would
    leave float64's range are first scaled by a power of two, which is exact. The mean of a constant
    column is its value, to the bit.
    """
    n_columns = X.shape[1]
    shares = weight / weight.sum()

    def values(block):
        gathered = X[first[block]].astype(np.float64, copy=False)
        return gathered if unscaled else np.ldexp(gathered, -exponent)

    unscaled = True
    low, high = np.full(n_columns, np.inf), np.full(n_columns, -np.inf)
    mean, square = np.zeros(n_columns), np.zeros(n_columns)
    for block in blocks(len(shares), n_columns):
        gathered = values(block)
        np.minimum(low, gathered.min(axis=0), out=low)
        np.maximum(high, gathered.max(axis=0), out=high)
    exponent = np.frexp(np.maximum(high, -low))[1]
    exponent[np.abs(exponent) < 400] = 0
    unscaled = not exponent.any()
    for block in blocks(len(shares), n_columns):
        mean += _weighted_sum(shares[block], values(block))
    for block in blocks(len(shares), n_columns):
        centred = values(block) - mean
        centred *= centred
        square += _weighted_sum(shares[block], centred)
    deviation = np.sqrt(square)
    deviation[deviation <= 100 * np.finfo(np.float64).eps * np.abs(mean)] = 0.0
    mean, deviation = np.ldexp(mean, exponent), np.ldexp(deviation, exponent)
    mean = np.where(low == high, low, mean)
    return Statistics(float(weight.sum()), mean, deviation)


def _weighted_sum(weight: np.ndarray, rows: np.ndarray) -> np.ndarray:
    # Not as a product: BLAS's threads would wake for it, and keep a core busy that is to train.
    return np.einsum("i,ij->j", weight, rows)


def sparse_column_statistics(X, first: np.ndarray, weight: np.ndarray) -> SparseStatistics:
    """The same of a CSR table, at a cost in proportion to its non-zeros."""
    rows = X[first]
    n_columns, columns = X.shape[1], rows.indices
    values = rows.data.astype(np.float64)
    shares = np.repeat(weight / weight.sum(), np.diff(rows.indptr))
    largest = np.zeros(n_columns)
    np.maximum.at(largest, columns, np.abs(values))
    # In units of the largest value, so that no square leaves float64's range.
    unit = np.where(largest > 0, largest, 1.0)
    values /= unit[columns]
    mean = np.bincount(columns, shares * values, n_columns)
    zeros = np.maximum(1.0 - np.bincount(columns, shares, n_columns), 0.0)
    square = np.bincount(columns, shares * (values - mean[columns]) ** 2, n_columns)
    deviation = np.sqrt(square + zeros * mean**2)
    return SparseStatistics(float(weight.sum()), mean * unit, deviation * unit, largest)


def robust_statistics(y, first: np.ndarray, weight: np.ndarray) -> Statistics:
    """Weighted median and median absolute deviation of each column of a target.

    The deviation is multiplied by 1.4826, which makes it the standard deviation of normal values;
    where more than half of the values are one, it is the mean absolute deviation.
    """
    values = y[first].astype(np.float64)
    center = np.array([_weighted_median(column, weight) for column in values.T])
    distances = np.abs(values / 2 - center / 2)  # halves, as in `Statistics.combined`
    medians = np.array([_weighted_median(column, weight) for column in distances.T])
    means = (weight / weight.sum()) @ distances
    deviation = 2 * np.where(medians > 0, 1.4826 * medians, means)
    return Statistics(float(weight.sum()), center, np.minimum(deviation, np.finfo(float).max))


def _weighted_median(values: np.ndarray, weight: np.ndarray) -> float:
    """Smallest value with half of the weight at or below it."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weight[order])
    return values[order][np.searchsorted(cumulative, 0.5 * cumulative[-1])]


def standardised(block: np.ndarray, mean, scale) -> np.ndarray:
    """Return ``(block - mean) / scale`` in float64, held within +-LARGEST_INPUT.

    `scale` None leaves the values as they are, apart from the bounds; `mean` None does not centre.
    """
    if scale is None:
        values = block.astype(np.float64)
    else:
        with np.errstate(over="ignore"):
            values = block - (0.0 if mean is None else mean)
            values /= scale
    if values.min() >= -LARGEST_INPUT and values.max() <= LARGEST_INPUT:
        return values
    overflown = ~np.isfinite(values)
    if overflown.any() and mean is not None:
        # The difference of two values near the ends of float64's range.
        with np.errstate(over="ignore"):
            values[overflown] = (block / scale - mean / scale)[overflown]
    return np.clip(values, -LARGEST_INPUT, LARGEST_INPUT, out=values)


def standardised_csr(rows, scale):
    """The rows of a CSR table divided by `scale`, in float64, held within +-LARGEST_INPUT."""
    values = rows.data.astype(np.float64)
    if scale is not None:
        values /= scale[rows.indices]
    np.clip(values, -LARGEST_INPUT, LARGEST_INPUT, out=values)
    return type(rows)((values, rows.indices, rows.indptr), shape=rows.shape)


def with_moved_inputs(kernel, bias, old: Statistics, new: Statistics):
    """First kernel and bias for inputs standardised by `new`, with the function they had by `old`.

    From (x - m) / s = ((x - m') / s') s' / s + (m' - m) / s: the kernel's rows are multiplied by
    s' / s, and the rest goes into the bias. A column that was constant has told nothing of its
    scale: its weights stay, and the function stays what it was at that one value.
    """
    old_scale = np.where(old.constant, new.scale, old.scale)
    kernel = kernel.astype(np.float64)
    bias = bias + (new.offset / old_scale - old.offset / old_scale) @ kernel
    moved = (new.scale / old_scale)[:, None] * kernel
    return moved.astype(np.float32), bias.astype(np.float32)


def with_moved_outputs(kernel, bias, old, new):
    """Last kernel and bias for targets scaled by `new`, with the function they had by `old`.

    Both are pairs (center, scale) of arrays of shape (q,), of a target that is
    ``center + scale * logit``.
    """
    (old_center, old_scale), (new_center, new_scale) = old, new
    kernel = kernel.astype(np.float64) * (old_scale / new_scale)
    bias = bias * (old_scale / new_scale) + (old_center / new_scale - new_center / new_scale)
    return kernel.astype(np.float32), bias.astype(np.float32)
