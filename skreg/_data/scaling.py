"""Scales: weighted statistics of columns and targets, and standardising.

Each statistic is that of the distinct rows `first` of a table, with their weights. When statistics
change, a network is rewritten so that its function stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BLOCK_VALUES = 1 << 17  # float64 values of a working block: 1 MiB, about a core's cache


# Inputs are clipped to +-1e18 standard deviations, so that sums of products stay finite in float32.
LARGEST_INPUT = 1e18

_LARGEST = np.finfo(np.float64).max

# On a scale that is so many times the one before, float32 tells the values of before hardly apart.
_LARGEST_RATIO = 1 / np.finfo(np.float32).eps


@dataclass(frozen=True)
class Statistics:
    """Location and spread of each column, of the rows so far.

    Attributes
    ----------
    weight : float
        Sum of the rows' weights.
    center : ndarray of float64, shape (d,)
        Mean; the median of a target with a robust loss.
    deviation : ndarray of float64, shape (d,)
        Standard deviation, or the scaled median absolute deviation; 0 for a constant column.
    """

    weight: float
    center: np.ndarray
    deviation: np.ndarray

    @classmethod
    def make_identity(cls, n_columns: int) -> Statistics:
        """Return the statistics of columns that are not scaled."""
        return cls(0.0, np.zeros(n_columns), np.ones(n_columns))

    @property
    def _rounding(self) -> np.ndarray:
        # As in scikit-learn's scalers, a spread within the rounding of the mean counts as zero.
        return 100 * np.finfo(np.float64).eps * np.abs(self.center)

    # Whether columns are centred.
    is_centred = True

    def estimate_largest(self) -> np.ndarray:
        """Return about the largest absolute value of each column, shape (d,)."""
        return np.abs(self.center) + self.deviation

    @property
    def offset(self) -> np.ndarray:
        """Subtracted from the columns, shape (d,)."""
        return self.center

    @property
    def constant(self) -> np.ndarray:
        """Whether a column has one value only, shape (d,)."""
        return self.deviation <= self._rounding

    @property
    def scale(self) -> np.ndarray:
        """Divisor of the columns, shape (d,); 1 for constant ones."""
        # Or more, where rounding alone moves a constant column by more than 1.
        return np.where(self.constant, np.maximum(1.0, self._rounding), self.deviation)

    @property
    def divisor(self) -> np.ndarray:
        """The scale, but infinite for constant columns, which thus become zero; shape (d,)."""
        return np.where(self.constant, np.inf, self.scale)

    def combine(self, other: Statistics) -> Statistics:
        """Return the statistics of the rows of both (Chan, Golub and LeVeque 1983)."""
        # Halves, so that sums and differences of numbers near the ends of float64 are finite. Half
        # of the smallest weight would be zero.
        here, there = self.weight, other.weight
        if max(here, there) > 1:
            here, there = here / 2, there / 2
        share, rest = here / (here + there), there / (here + there)
        half = other.center / 2 - self.center / 2
        half_between = np.sqrt(share * rest) * np.abs(half)
        half_within = np.hypot(
            np.sqrt(share) * self.deviation / 2, np.sqrt(rest) * other.deviation / 2
        )
        center = share * self.center + rest * other.center
        half_deviation = np.hypot(half_within, half_between)
        return Statistics(
            min(self.weight, _LARGEST - other.weight) + other.weight,
            center,
            2 * np.minimum(half_deviation, _LARGEST / 2),
        )

    def replace_constant(self, other: Statistics) -> Statistics:
        """Return these statistics, with those of the `other` rows for columns constant so far."""
        both = self.combine(other)
        takes_other, takes_both = self.constant & ~other.constant, self.constant & other.constant
        center, deviation = (
            np.select([takes_other, takes_both], [of_other, of_both], of_self)
            for of_self, of_other, of_both in (
                (self.center, other.center, both.center),
                (self.deviation, other.deviation, both.deviation),
            )
        )
        return Statistics(both.weight, center, deviation)


# No scaled value of a sparse column exceeds this. Otherwise the few non-zeros of a rare column
# would dominate.
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
    is_centred = False

    def estimate_largest(self) -> np.ndarray:
        """Return the largest absolute value of each column."""
        return self.largest

    @property
    def offset(self) -> np.ndarray:
        """Zeros: sparse columns are not centred."""
        return np.zeros_like(self.center)

    @property
    def scale(self) -> np.ndarray:
        """Divisor of the columns, shape (d,); 1 for constant ones."""
        scale = np.maximum(self.deviation, self.largest / LARGEST_SPARSE_INPUT)
        return np.where(self.constant, 1.0, scale)

    def combine(self, other: Statistics) -> SparseStatistics:
        """Return the statistics of the rows of both."""
        both = super().combine(other)
        largest = np.maximum(self.largest, other.estimate_largest())
        return SparseStatistics(both.weight, both.center, both.deviation, largest)


def compute_relative_weight(weight: np.ndarray) -> np.ndarray:
    """Return the weights in units of the largest one, rounded to 40 bits.

    Weights times a constant thus become the same numbers, also where the product was rounded.
    """
    mantissa, exponent = np.frexp(weight / weight.max())
    return np.ldexp(np.round(np.ldexp(mantissa, 40)), exponent - 40)


def compute_shares(weight: np.ndarray) -> np.ndarray:
    """Return the share of each row in the sum of the weights."""
    relative = compute_relative_weight(weight)
    return relative / relative.sum()


def iterate_blocks(n_rows: int, n_columns: int):
    """Yield slices of rows whose float64 copy fits into the cache of a core."""
    step = max(1, _BLOCK_VALUES // max(n_columns, 1))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def measure_columns(X, first: np.ndarray, weight: np.ndarray) -> Statistics:
    """Return the weighted mean and standard deviation of each column, in float64.

    Two passes, so that a large mean does not hide a small spread. Columns whose squares would
    leave float64's range are first scaled by a power of two, which is exact. The mean of a constant
    column is its value, to the bit.
    """
    n_columns = X.shape[1]
    shares = compute_shares(weight)

    def values(block):
        gathered = X[first[block]].astype(np.float64, copy=False)
        return gathered if unscaled else np.ldexp(gathered, -exponent)

    unscaled = True
    low, high = np.full(n_columns, np.inf), np.full(n_columns, -np.inf)
    mean, square = np.zeros(n_columns), np.zeros(n_columns)
    for block in iterate_blocks(len(shares), n_columns):
        gathered = values(block)
        np.minimum(low, gathered.min(axis=0), out=low)
        np.maximum(high, gathered.max(axis=0), out=high)
    exponent = np.frexp(np.maximum(high, -low))[1]
    exponent[np.abs(exponent) < 400] = 0
    unscaled = not exponent.any()
    for block in iterate_blocks(len(shares), n_columns):
        mean += _sum_weighted(shares[block], values(block))
    for block in iterate_blocks(len(shares), n_columns):
        centred = values(block) - mean
        centred *= centred
        square += _sum_weighted(shares[block], centred)
    deviation = np.sqrt(square)
    deviation[deviation <= 100 * np.finfo(np.float64).eps * np.abs(mean)] = 0.0
    with np.errstate(over="ignore"):  # rounding may lead beyond the largest number
        mean, deviation = np.ldexp(mean, exponent), np.ldexp(deviation, exponent)
    mean, deviation = mean.clip(-_LARGEST, _LARGEST), np.minimum(deviation, _LARGEST)
    mean = np.where(low == high, low + 0.0, mean)  # -0.0 becomes 0.0
    return Statistics(float(weight.sum()), mean, deviation)


def _sum_weighted(weight: np.ndarray, rows: np.ndarray) -> np.ndarray:
    # Not as a product: BLAS's threads would wake up and take a core from training.
    return np.einsum("i,ij->j", weight, rows)


def measure_sparse_columns(X, first: np.ndarray, weight: np.ndarray) -> SparseStatistics:
    """Return the statistics of a CSR table, at a cost in proportion to its non-zeros."""
    rows = X[first]
    n_columns, columns = X.shape[1], rows.indices
    values = rows.data.astype(np.float64)
    shares = np.repeat(compute_shares(weight), np.diff(rows.indptr))
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


def measure_robustly(y, first: np.ndarray, weight: np.ndarray) -> Statistics:
    """Return the weighted median and median absolute deviation of each column of a target.

    The deviation is multiplied by 1.4826, which makes it the standard deviation of normal values.
    Where more than half of the values are equal, it is the mean absolute deviation instead.
    """
    values, shares = y[first].astype(np.float64), compute_shares(weight)
    center = np.array([_find_weighted_median(column, shares) for column in values.T])
    distances = np.abs(values / 2 - center / 2)  # halves, as in `Statistics.combine`
    medians = np.array([_find_weighted_median(column, shares) for column in distances.T])
    means = shares @ distances
    half_deviation = np.where(medians > 0, 1.4826 * medians, means)
    return Statistics(float(weight.sum()), center, 2 * np.minimum(half_deviation, _LARGEST / 2))


def _find_weighted_median(values: np.ndarray, weight: np.ndarray) -> float:
    """Return the smallest value with half of the weight at or below it."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weight[order])
    return values[order][np.searchsorted(cumulative, 0.5 * cumulative[-1])] + 0.0  # no -0.0


def standardize(block: np.ndarray, mean, scale) -> np.ndarray:
    """Return ``(block - mean) / scale`` in float64, clipped to +-LARGEST_INPUT.

    None for `scale` does not scale, and None for `mean` does not centre.
    """
    if scale is None:
        values = np.add(block, 0.0, dtype=np.float64)  # -0.0 becomes 0.0
    else:
        with np.errstate(over="ignore"):
            values = np.subtract(block, 0.0 if mean is None else mean, dtype=np.float64)
            values += 0.0  # -0.0 becomes 0.0
            values /= scale
    if values.min() >= -LARGEST_INPUT and values.max() <= LARGEST_INPUT:
        return values
    overflown = ~np.isfinite(values)
    if overflown.any() and mean is not None:
        # The difference of two values near the ends of float64's range.
        with np.errstate(over="ignore"):
            values[overflown] = (block / scale - mean / scale)[overflown]
    return np.clip(values, -LARGEST_INPUT, LARGEST_INPUT, out=values)


def standardize_csr(rows, scale):
    """Return the rows of a CSR table divided by `scale`, in float64, clipped to +-LARGEST_INPUT."""
    values = rows.data.astype(np.float64)
    if scale is not None:
        with np.errstate(over="ignore"):
            values /= scale[rows.indices]
    np.clip(values, -LARGEST_INPUT, LARGEST_INPUT, out=values)
    return type(rows)((values, rows.indices, rows.indptr), shape=rows.shape)


def rescale_inputs(kernel, bias, old: Statistics, new: Statistics):
    """Return the first kernel and bias for inputs scaled by `new` instead of `old`.

    The network computes the same function as before.

    From (x - m) / s = ((x - m') / s') s' / s + (m' - m) / s: the rows of the kernel are multiplied
    by s' / s, and the rest goes into the bias. The scale of a column that was constant is not
    known: its weights stay, and the function is the same at that one value. Far away from the rows
    of before nothing is known: the weights of such a column stay.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        old_scale = np.where(old.constant, new.scale, old.scale)
        ratio = new.scale / old_scale
        shift = new.offset / old_scale - old.offset / old_scale
    is_known = (ratio <= _LARGEST_RATIO) & (np.abs(shift) <= _LARGEST_RATIO)
    kernel = kernel.astype(np.float64)
    bias = bias + np.where(is_known, shift, 0.0) @ kernel
    rescaled = np.where(is_known, ratio, 1.0)[:, None] * kernel
    return rescaled.astype(np.float32), bias.astype(np.float32)


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
    is_known = (ratio > 0) & (ratio <= _LARGEST_RATIO) & (np.abs(shift) <= _LARGEST_RATIO)
    ratio, shift = np.where(is_known, ratio, 1.0), np.where(is_known, shift, 0.0)
    kernel, bias = kernel.astype(np.float64) * ratio, bias * ratio + shift
    return kernel.astype(np.float32), bias.astype(np.float32)
