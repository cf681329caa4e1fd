"""Weighted statistics of columns and targets.

Statistics are computed over the distinct rows of a table, with their weights. Those of a column
depend on its values only, to the bit: not on how the table is stored, and not on other columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from skreg._data.weights import compute_shares, compute_two_shares

_BLOCK_VALUES = 1 << 17  # float64 values of a working block: 1 MiB, about a core's cache
# Rows and columns of a block whose columns are summed. A sum depends on the number of rows.
_SUMMED_ROWS, _SUMMED_COLUMNS = 1024, 128

# A column of mostly zeros is divided by at least this share of its largest absolute value, so that
# few large values do not dominate.
_MIN_SCALE = 1 / 10
# What rounding of weights makes of a sum of shares.
_ROUNDING = 1e-9
_HALF = 0.5 - _ROUNDING

_FLOAT64_MAX = np.finfo(np.float64).max

# Medians of two batches of one stream seldom differ so much.
_MUCH_WIDER = 100.0


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

    @property
    def _rounding(self) -> np.ndarray:
        # As in scikit-learn's scalers, a spread within the rounding of the mean counts as zero.
        return 100 * np.finfo(np.float64).eps * np.abs(self.center)

    @property
    def constant(self) -> np.ndarray:
        """Whether a column has one value only, shape (d,)."""
        return self.deviation <= self._rounding

    @property
    def scale(self) -> np.ndarray:
        """Divisor of the columns, shape (d,); 1 for constant ones."""
        # Or more, where rounding alone moves a constant column by more than 1.
        return np.where(self.constant, np.maximum(1.0, self._rounding), self.deviation)

    def combine(self, other: Statistics) -> Statistics:
        """Return the statistics of the rows of both (Chan, Golub and LeVeque 1983).

        Statistics of weight 0 come from a Keras network. They are kept for columns that are
        constant in `other`.
        """
        if not self.weight:
            is_kept = other.constant & ~self.constant
            center, deviation = (
                np.where(is_kept, own, others)
                for own, others in (
                    (self.center, other.center),
                    (self.deviation, other.deviation),
                )
            )
            return Statistics(other.weight, center, deviation)
        # Halves, so that sums and differences of numbers near the ends of float64 are finite.
        share, rest = compute_two_shares(self.weight, other.weight)
        half = other.center / 2 - self.center / 2
        half_between = np.sqrt(share * rest) * np.abs(half)
        half_within = np.hypot(
            np.sqrt(share) * self.deviation / 2, np.sqrt(rest) * other.deviation / 2
        )
        center = share * self.center + rest * other.center
        half_deviation = np.hypot(half_within, half_between)
        return Statistics(
            min(self.weight, _FLOAT64_MAX - other.weight) + other.weight,
            center,
            2 * np.minimum(half_deviation, _FLOAT64_MAX / 2),
        )

    def replace_narrow(self, other: Statistics) -> Statistics:
        """Return these statistics, apart from columns that have hardly varied so far.

        Columns that were constant, or that are much wider in `other`, take its statistics, since
        the first rows of a stream may be nearly equal. Columns that are narrow in `other` too, but
        far away, take the combined statistics.
        """
        combined = self.combine(other)
        is_narrow = self.constant | (other.deviation / _MUCH_WIDER > self.deviation)
        takes_other = is_narrow & ~other.constant
        takes_both = self.constant | (combined.deviation / _MUCH_WIDER > self.deviation)
        center, deviation = (
            np.select([takes_other, takes_both], [others, both], own)
            for own, others, both in (
                (self.center, other.center, combined.center),
                (self.deviation, other.deviation, combined.deviation),
            )
        )
        return Statistics(combined.weight, center, deviation)


@dataclass(frozen=True)
class ColumnStatistics:
    """What decides on center and scale of each column of a table, of the rows so far.

    A column of two values becomes 0 for the more frequent one and 1 or -1 for the other one. A
    column of mostly zeros is not centred. Other columns are standardised. So indicators keep a
    range of one, and what is mostly zero stays so. benchmarks/choose_column_scales.py has the
    figures.

    Attributes
    ----------
    moments : Statistics
        Weight, mean and standard deviation.
    low, high : ndarray of float64, shape (d,)
        Smallest and largest value.
    zeros : ndarray of float64, shape (d,)
        Share of the zeros in the weight.
    is_two_valued : ndarray of bool, shape (d,)
        Whether all values are `low` or `high`.
    """

    moments: Statistics
    low: np.ndarray
    high: np.ndarray
    zeros: np.ndarray
    is_two_valued: np.ndarray

    @classmethod
    def from_scaling(cls, center: np.ndarray, scale: np.ndarray) -> ColumnStatistics:
        """Return statistics of no rows, with this center and scale."""
        nothing, bound = np.zeros(len(center)), np.full(len(center), np.inf)
        return cls(Statistics(0.0, center, scale), -bound, bound, nothing, nothing.astype(bool))

    @classmethod
    def make_identity(cls, n_columns: int) -> ColumnStatistics:
        """Return statistics of no rows that leave the columns as they are."""
        return cls.from_scaling(np.zeros(n_columns), np.ones(n_columns))

    @property
    def constant(self) -> np.ndarray:
        """Whether a column has one value only, shape (d,)."""
        return self.moments.constant

    @cached_property
    def _is_mostly_zero(self) -> np.ndarray:
        return (self.zeros >= _HALF) & ~self.is_two_valued & ~self.constant

    @cached_property
    def center(self) -> np.ndarray:
        """Subtracted from the columns, shape (d,)."""
        mean, halves = self.moments.center, self.high / 2 - self.low / 2
        with np.errstate(invalid="ignore"):  # of no rows
            is_low = mean / 2 - self.low / 2 <= (1 - _HALF) * halves
        is_two_valued = self.is_two_valued & ~self.constant
        cases = [is_two_valued & is_low, is_two_valued, self._is_mostly_zero]
        return np.select(cases, [self.low, self.high, np.zeros_like(mean)], mean)

    @cached_property
    def scale(self) -> np.ndarray:
        """Divisor of the columns, shape (d,); 1 for constant ones."""
        deviation = self.moments.scale
        span = 2 * np.minimum(self.high / 2 - self.low / 2, _FLOAT64_MAX / 2)
        least = np.maximum(deviation, _MIN_SCALE * np.maximum(self.high, -self.low))
        cases = [self.is_two_valued & ~self.constant, self._is_mostly_zero]
        return np.select(cases, [span, least], deviation)

    @cached_property
    def divisor(self) -> np.ndarray:
        """The scale, but infinite for constant columns, which thus become zero; shape (d,)."""
        return np.where(self.constant, np.inf, self.scale)

    def combine(self, other: ColumnStatistics) -> ColumnStatistics:
        """Return the statistics of the rows of both, as those of `Statistics`."""
        moments = self.moments.combine(other.moments)
        if not self.moments.weight:
            is_kept = other.constant & ~moments.constant  # as numbers, which Keras scales all alike
            zeros = np.where(is_kept, 0.0, other.zeros)
            is_two_valued = other.is_two_valued & ~is_kept
            return ColumnStatistics(moments, other.low, other.high, zeros, is_two_valued)
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        is_two_valued = self.is_two_valued & other.is_two_valued
        for part in (self.low, self.high, other.low, other.high):
            is_two_valued = is_two_valued & ((part == low) | (part == high))
        share, rest = compute_two_shares(self.moments.weight, other.moments.weight)
        zeros = share * self.zeros + rest * other.zeros
        return ColumnStatistics(moments, low, high, zeros, is_two_valued)


def iterate_blocks(n_rows: int, n_columns: int, n_threads: int = 1):
    """Yield slices of rows whose float64 copy fits into the cache of a core.

    At least one for each thread, if there are as many rows.
    """
    step = max(1, min(_BLOCK_VALUES // max(n_columns, 1), -(-n_rows // n_threads)))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def count_nonzeros(X, indices: np.ndarray) -> np.ndarray:
    """Return how many of the rows are not zero, for each column of an array or a CSR table."""
    n_columns = X.shape[1]
    if sparse.issparse(X):
        rows = X if len(indices) == X.shape[0] else X[indices]  # all of them in another order
        return np.bincount(rows.indices, minlength=n_columns)
    counts = np.zeros(n_columns, dtype=np.int64)
    for block in iterate_blocks(len(indices), n_columns):
        counts += np.count_nonzero(X[indices[block]], axis=0)
    return counts


def measure_columns(X, indices: np.ndarray, weight: np.ndarray) -> ColumnStatistics:
    """Return the statistics of the columns of an array or a CSR table.

    Columns of which at least half of the rows are zero are summed over their non-zeros, in the
    order of the rows; the others over all rows, in blocks. So the cost is in proportion to the
    non-zeros of a CSR table, and a column has the same bits in both.
    """
    n_columns = X.shape[1]
    if sparse.issparse(X):
        X, indices = X[indices], np.arange(len(indices))
    is_sparse = 2 * count_nonzeros(X, indices) <= len(indices)
    shares, weight_sum = compute_shares(weight), float(weight.sum())
    if not is_sparse.any():
        every = np.arange(n_columns)
        return _measure_dense(_make_reader(X, indices, every), shares, n_columns, weight_sum)
    dense, mostly_zero = np.flatnonzero(~is_sparse), np.flatnonzero(is_sparse)
    dense_statistics = _measure_dense(
        _make_reader(X, indices, dense), shares, len(dense), weight_sum
    )
    sparse_statistics = _measure_sparse(_select_sparse(X, indices, mostly_zero), shares, weight_sum)
    return _join(
        dense_statistics, sparse_statistics, np.argsort(np.concatenate([dense, mostly_zero]))
    )


def measure_numbers(values, indices: np.ndarray, weight: np.ndarray) -> Statistics:
    """Return the weighted mean and standard deviation of each column of an array, in float64."""
    shares, n_columns = compute_shares(weight), values.shape[1]
    read = _make_reader(values, indices, np.arange(n_columns))
    return _measure_dense(read, shares, n_columns, float(weight.sum())).moments


def _make_reader(X, indices: np.ndarray, columns: np.ndarray) -> Callable[[slice], np.ndarray]:
    """Return a function from a slice of the rows to these columns of it, in float64.

    Of a CSR table, `indices` are all rows.
    """
    if sparse.issparse(X):
        selected = X[:, columns]
        return lambda block: selected[block].toarray().astype(np.float64, copy=False)
    if len(columns) == X.shape[1]:
        return lambda block: X[indices[block]].astype(np.float64, copy=False)
    return lambda block: X[indices[block]][:, columns].astype(np.float64, copy=False)


def _select_sparse(X, indices: np.ndarray, columns: np.ndarray):
    """Return these rows and columns in CSR form; of a CSR table, `indices` are all rows."""
    if sparse.issparse(X):
        return X[:, columns]
    read = _make_reader(X, indices, columns)
    blocks = [sparse.csr_array(read(block)) for block in iterate_blocks(len(indices), X.shape[1])]
    return sparse.vstack(blocks, format="csr")


def _measure_dense(read, shares: np.ndarray, n_columns: int, weight: float) -> ColumnStatistics:
    """Return the statistics of columns, from a function that reads blocks of their rows.

    Two passes, so that a large mean does not hide a small spread. Columns whose squares would
    leave float64's range are first scaled by a power of two, which is exact. The mean of a constant
    column is its value, to the bit.
    """
    n_rows = len(shares)
    low, high = np.full(n_columns, np.inf), np.full(n_columns, -np.inf)
    for block in iterate_blocks(n_rows, n_columns):
        values = read(block)
        np.minimum(low, values.min(axis=0), out=low)
        np.maximum(high, values.max(axis=0), out=high)
    low, high = low + 0.0, high + 0.0  # -0.0 becomes 0.0
    exponent = np.frexp(np.maximum(high, -low))[1]
    exponent[np.abs(exponent) < 400] = 0
    mean, square, zeros = (np.zeros(n_columns) for _ in range(3))
    is_two_valued, has_zeros = np.ones(n_columns, dtype=bool), (low <= 0) & (high >= 0)

    def iterate():
        for start in range(0, n_rows, _SUMMED_ROWS):
            block = slice(start, min(start + _SUMMED_ROWS, n_rows))
            values = read(block)
            for left in range(0, n_columns, _SUMMED_COLUMNS):
                columns = slice(left, min(left + _SUMMED_COLUMNS, n_columns))
                yield shares[block], values[:, columns], columns

    for share, values, columns in iterate():
        scaled = np.ldexp(values, -exponent[columns]) if exponent.any() else values
        mean[columns] += _sum_weighted(share, scaled)
        candidates = np.flatnonzero(is_two_valued[columns]) + columns.start
        if len(candidates):
            part = values[:, candidates - columns.start]
            ends = (part == low[candidates]) | (part == high[candidates])
            is_two_valued[candidates] = ends.all(axis=0)
        candidates = np.flatnonzero(has_zeros[columns]) + columns.start
        if len(candidates):
            part = values[:, candidates - columns.start] == 0
            zeros[candidates] += _sum_weighted(share, part)
    for share, values, columns in iterate():
        scaled = np.ldexp(values, -exponent[columns]) if exponent.any() else values
        centred = scaled - mean[columns]
        centred *= centred
        square[columns] += _sum_weighted(share, centred)
    deviation = np.sqrt(square)
    deviation[deviation <= 100 * np.finfo(np.float64).eps * np.abs(mean)] = 0.0
    with np.errstate(over="ignore"):  # rounding may lead beyond the largest number
        mean, deviation = np.ldexp(mean, exponent), np.ldexp(deviation, exponent)
    mean, deviation = mean.clip(-_FLOAT64_MAX, _FLOAT64_MAX), np.minimum(deviation, _FLOAT64_MAX)
    mean = np.where(low == high, low, mean)
    return ColumnStatistics(Statistics(weight, mean, deviation), low, high, zeros, is_two_valued)


def _sum_weighted(share: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the weighted sum of each column.

    Not as a product: BLAS's threads would wake up and take a core from training. Along a
    contiguous axis, so that the order of the sum does not depend on the number of columns.
    """
    products = np.multiply(rows.T, share, order="C")
    return np.add.reduce(products, axis=1)


def _measure_sparse(rows, shares: np.ndarray, weight: float) -> ColumnStatistics:
    """Return the statistics of CSR columns, each of which has zeros."""
    n_columns, columns = rows.shape[1], rows.indices
    values = rows.data.astype(np.float64)
    shares = np.repeat(shares, np.diff(rows.indptr))
    low, high = np.full(n_columns, np.inf), np.full(n_columns, -np.inf)
    np.minimum.at(low, columns, values)
    np.maximum.at(high, columns, values)
    is_two_valued = low >= high  # one value besides zero, or none
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    # In units of a power of two, so that no square leaves float64's range.
    exponent = np.frexp(np.maximum(high, -low))[1]
    values = np.ldexp(values, -exponent[columns])
    mean = np.bincount(columns, shares * values, n_columns)
    zeros = np.maximum(1.0 - np.bincount(columns, shares, n_columns), 0.0)
    square = np.bincount(columns, shares * (values - mean[columns]) ** 2, n_columns)
    deviation = np.sqrt(square + zeros * mean**2)
    with np.errstate(over="ignore"):
        mean, deviation = np.ldexp(mean, exponent), np.ldexp(deviation, exponent)
    deviation = np.minimum(deviation, _FLOAT64_MAX)
    return ColumnStatistics(Statistics(weight, mean, deviation), low, high, zeros, is_two_valued)


def _join(one: ColumnStatistics, two: ColumnStatistics, order: np.ndarray) -> ColumnStatistics:
    """Return the statistics of the columns of both, in this order."""

    def join(left, right):
        return np.concatenate([left, right])[order]

    moments = Statistics(
        one.moments.weight,
        join(one.moments.center, two.moments.center),
        join(one.moments.deviation, two.moments.deviation),
    )
    names = ("low", "high", "zeros", "is_two_valued")
    return ColumnStatistics(
        moments, **{name: join(getattr(one, name), getattr(two, name)) for name in names}
    )


def measure_robustly(y, indices: np.ndarray, weight: np.ndarray) -> Statistics:
    """Return the weighted median and median absolute deviation of each column of a target.

    The deviation is multiplied by 1.4826, which makes it the standard deviation of normal values.
    Where more than half of the values are equal, it is the mean absolute deviation instead.
    """
    values, shares = y[indices].astype(np.float64), compute_shares(weight)
    center = np.array([find_weighted_median(column, shares) for column in values.T])
    distances = np.abs(values / 2 - center / 2)  # halves, as in `Statistics.combine`
    medians = np.array([find_weighted_median(column, shares) for column in distances.T])
    means = shares @ distances
    half_deviation = np.where(medians > 0, 1.4826 * medians, means)
    return Statistics(float(weight.sum()), center, 2 * np.minimum(half_deviation, _FLOAT64_MAX / 2))


def find_weighted_median(values: np.ndarray, shares: np.ndarray) -> float:
    """Return the weighted median: the mean of two values if half of the weight is below each."""
    return float(find_weighted_quantiles(values, shares, np.array([0.5]))[0])


def find_weighted_quantiles(values: np.ndarray, shares: np.ndarray, levels) -> np.ndarray:
    """Return the weighted quantile at each level of an array, within (0, 1).

    Where a level falls between two values it is their mean ("averaged_inverted_cdf" of NumPy).
    """
    order = np.argsort(values, kind="stable")
    below, above = find_quantile_indices(shares[order], levels)
    return average_pairs(values[order[below]], values[order[above]])


def find_quantile_indices(shares: np.ndarray, levels) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the values below and above each level, from their shares in order.

    The two are equal where a level falls into the share of a value.
    """
    cumulative, last = np.cumsum(shares), len(shares) - 1
    below = np.minimum(np.searchsorted(cumulative, levels - _ROUNDING), last)
    is_between = cumulative[below] <= levels + _ROUNDING
    return below, np.minimum(below + is_between, last)


def average_pairs(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the means of pairs of values."""
    return np.where(low == high, low, low / 2 + high / 2) + 0.0  # no -0.0
