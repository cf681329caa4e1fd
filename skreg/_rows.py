"""From a table with weights to the rows that training visits.

Owns the merging of equal rows, their canonical order, the column statistics, the standardised
float32 table, how often an epoch visits each row and in which order.
Does not own the network, the program, or what scikit-learn calls these things; knows no TensorFlow.

Weights are frequencies. A row of weight 2 and the same row handed in twice are one and the same
thing from `merge_rows` on, so that everything after it is equal bit for bit: statistics, visits,
batches, dropout. Nothing here depends on the order of the rows or on how many were handed in, only
on the distinct rows and their total weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skreg._spec import bucket

_BLOCK_VALUES = 1 << 17  # float64 values of a working block: 1 MiB, about a core's cache
_ALIGNMENT = 64  # bytes; what TensorFlow needs to use memory that it does not own

# Inputs are held within +-1e18 standard deviations of the mean: sums of products then stay finite
# in float32, so that no finite table gives a NaN.
LARGEST_INPUT = 1e18


@dataclass(frozen=True)
class MergedRows:
    """The distinct (x, y) rows of positive weight, in canonical order.

    Attributes
    ----------
    first : ndarray of int64, shape (m,)
        Where each of them stands first in the table that was handed in.
    weight : ndarray of float64, shape (m,)
        Sum of the weights of its copies.
    """

    first: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class TrainingRows:
    """What training needs to know of the rows, padded to the program's slots.

    Attributes
    ----------
    table : ndarray of float32, shape (row_slots, padded features)
    targets : ndarray of int32, shape (row_slots,)
    visit_weight : ndarray of float32, shape (row_slots,)
        Weight of one visit, with mean 1 over the visits of an epoch.
    visits : ndarray of int32, shape (L,)
        The rows that an epoch visits, in canonical order, each as often as it is visited.
    """

    table: np.ndarray
    targets: np.ndarray
    visit_weight: np.ndarray
    visits: np.ndarray


def blocks(n_rows: int, n_columns: int):
    """Slices of rows whose float64 copy fits a core's cache, for `n_columns` values a row."""
    step = max(1, _BLOCK_VALUES // max(n_columns, 1))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def _row_hashes(X, y) -> np.ndarray:
    """One 64-bit hash a row of the values as float64: equal rows have equal hashes."""
    n_rows, n_columns = X.shape
    generator = np.random.Generator(np.random.Philox(key=0x5EED))
    # Odd multipliers, another one for each column, make the sum depend on the place of a value.
    multipliers = generator.integers(2**63, size=n_columns + 1, dtype=np.uint64) * np.uint64(2) + 1
    multipliers = multipliers.astype(np.uint64)
    hashes = np.empty(n_rows, dtype=np.uint64)
    for rows in blocks(n_rows, n_columns):
        values = X[rows].astype(np.float64)
        values += 0.0  # -0.0 becomes 0.0
        words = values.view(np.uint64)
        words ^= words >> np.uint64(32)
        words *= multipliers[:-1]
        words ^= words >> np.uint64(29)
        words *= multipliers[:-1]
        words ^= words >> np.uint64(32)
        total = words.sum(axis=1, dtype=np.uint64)
        total += y[rows].astype(np.uint64) * multipliers[-1]
        total ^= total >> np.uint64(31)
        hashes[rows] = total
    return hashes


def _same_as_next(X, y, order: np.ndarray) -> np.ndarray:
    """For each neighbouring pair in `order`, whether the two rows are equal."""
    same = y[order[:-1]] == y[order[1:]]
    for block in blocks(len(same), X.shape[1]):
        same[block] &= (X[order[:-1][block]] == X[order[1:][block]]).all(axis=1)
    return same


def merge_rows(X, y, weight) -> MergedRows:
    """Drop rows of zero weight, merge equal ones and put the rest in canonical order.

    Parameters
    ----------
    X : ndarray of any real dtype, shape (n, d)
    y : ndarray of int, shape (n,)
    weight : ndarray of float64, shape (n,), or None
        None is 1 for every row.

    Returns
    -------
    MergedRows
    """
    hashes = _row_hashes(X, y)
    order = np.argsort(hashes, kind="stable")
    if weight is not None:
        order = order[weight[order] > 0]
    ordered = hashes[order]
    repeats = np.flatnonzero(ordered[1:] == ordered[:-1])
    starts_group = np.ones(len(order), dtype=bool)
    if len(repeats):
        members = np.unique(np.concatenate([repeats, repeats + 1]))
        same = _same_as_next(X, y, order[members])
        if not (same | (np.diff(ordered[members].astype(np.uint64)) != 0)).all():
            # Two different rows share a hash: settle their order by value, the slow and sure way.
            columns = [*(X[order[members]] + 0.0).T[::-1], y[order[members]], ordered[members]]
            order[members] = order[members][np.lexsort(columns)]
            same = _same_as_next(X, y, order[members])
        starts_group[members[1:]] = ~same
    starts = np.flatnonzero(starts_group)
    weights = np.ones(len(order)) if weight is None else weight[order].astype(np.float64)
    if len(repeats) and weight is not None:
        # Sorted within a row's copies, the sum does not depend on the order they were handed in.
        weights = weights[np.lexsort([weights, np.cumsum(starts_group)])]
    return MergedRows(order[starts], np.add.reduceat(weights, starts))


def column_statistics(X, rows: MergedRows) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation of each column, in float64.

    A constant column has standard deviation 1. Two passes, so that a large mean does not swallow a
    small spread; columns whose squares would leave float64's range are first scaled by a power of
    two, which is exact.
    """
    n_columns = X.shape[1]
    shares = rows.weight / rows.weight.sum()

    def values(block):
        gathered = X[rows.first[block]].astype(np.float64, copy=False)
        return gathered if unscaled else np.ldexp(gathered, -exponent)

    unscaled = True
    largest, mean, square = np.zeros(n_columns), np.zeros(n_columns), np.zeros(n_columns)
    for block in blocks(len(shares), n_columns):
        gathered = values(block)
        np.maximum(largest, gathered.max(axis=0), out=largest)
        np.maximum(largest, -gathered.min(axis=0), out=largest)
    exponent = np.frexp(largest)[1]
    exponent[np.abs(exponent) < 400] = 0
    unscaled = not exponent.any()
    for block in blocks(len(shares), n_columns):
        mean += shares[block] @ values(block)
    for block in blocks(len(shares), n_columns):
        centred = values(block) - mean
        centred *= centred
        square += shares[block] @ centred
    deviation = np.sqrt(square)
    # A spread within the rounding of the mean is none, as for scikit-learn's scalers.
    rounding = 100 * np.finfo(np.float64).eps * np.abs(mean)
    constant = deviation <= rounding
    mean, scale = np.ldexp(mean, exponent), np.ldexp(deviation, exponent)
    # 1, unless rounding alone moves the column by more than that.
    scale[constant] = np.maximum(1.0, np.ldexp(rounding, exponent)[constant])
    return mean, scale


def standardised(block: np.ndarray, mean, scale) -> np.ndarray:
    """Return ``(block - mean) / scale`` in float64, held within +-LARGEST_INPUT.

    `mean` None leaves the values as they are, apart from the bounds.
    """
    if mean is None:
        values = block.astype(np.float64)
    else:
        with np.errstate(over="ignore"):
            values = block - mean
            values /= scale
    if values.min() >= -LARGEST_INPUT and values.max() <= LARGEST_INPUT:
        return values
    overflown = ~np.isfinite(values)
    if overflown.any():  # the difference of two values near the ends of float64's range
        with np.errstate(over="ignore"):
            values[overflown] = (block / scale - mean / scale)[overflown]
    return np.clip(values, -LARGEST_INPUT, LARGEST_INPUT, out=values)


def _aligned_zeros(shape: tuple[int, int]) -> np.ndarray:
    """A float32 array of zeros at an address that TensorFlow can use without a copy."""
    size = int(np.prod(shape)) * 4
    memory = np.zeros(size + _ALIGNMENT, dtype=np.uint8)
    offset = -memory.ctypes.data % _ALIGNMENT
    return memory[offset : offset + size].view(np.float32).reshape(shape)


def _visits(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How often an epoch visits each row, and the weight of one visit (mean 1 over an epoch).

    Row i is visited ceil(w_i) times, each visit carrying w_i / ceil(w_i): unit weights give the
    usual epoch, integer weights exactly the repeated table. Weights of a sum over max(4 m, 4096)
    are scaled down to it, so that an epoch stays one.
    """
    total, most = weight.sum(), max(4 * len(weight), 4096)
    if total > most:
        weight = weight * (most / total)
    # Weights such as 1 + 1e-16, off by rounding, are not worth a second visit.
    counts = np.maximum(np.ceil(weight * (1 - 1e-9)), 1).astype(np.int64)
    visit_weight = weight / counts
    return counts, visit_weight / (weight.sum() / counts.sum())


def training_rows(X, y, rows: MergedRows, mean, scale) -> TrainingRows:
    """Build the padded float32 table and the visits of an epoch.

    Parameters
    ----------
    X, y : ndarray, shapes (n, d) and (n,)
        As handed to `merge_rows`.
    rows : MergedRows
        Its weights may have been multiplied with class weights since.
    mean, scale : ndarray of float64, shape (d,), or None
        None leaves the columns as they are.
    """
    n_rows, n_columns = len(rows.first), X.shape[1]
    slots = bucket(n_rows)
    table = _aligned_zeros((slots, -(-n_columns // 8) * 8))
    for block in blocks(n_rows, n_columns):
        table[block, :n_columns] = standardised(X[rows.first[block]], mean, scale)
    targets = np.zeros(slots, dtype=np.int32)
    targets[:n_rows] = y[rows.first]
    counts, weight = _visits(rows.weight)
    visit_weight = np.zeros(slots, dtype=np.float32)
    visit_weight[:n_rows] = weight
    return TrainingRows(
        table, targets, visit_weight, np.arange(n_rows, dtype=np.int32).repeat(counts)
    )


def permutations(visits: np.ndarray, seed: int, first_epoch: int, n_epochs: int, width: int):
    """The order of the visits in each of `n_epochs` epochs, shape (n_epochs, width).

    A pure function of (visits, seed, epoch), so that it does not matter how many epochs are drawn
    together, nor by whom. Rows are padded with zeros to `width`.
    """
    orders = np.zeros((n_epochs, width), dtype=np.int32)
    for row in range(n_epochs):
        bits = np.random.Philox(key=seed, counter=[0, 0, 0, first_epoch + row])
        order = orders[row, : len(visits)]
        order[:] = visits
        np.random.Generator(bits).shuffle(order)
    return orders


def automatic_batch_size(n_visits: int) -> int:
    """The power of two nearest to the square root of the visits of an epoch, within 32 and 256."""
    return int(np.clip(2 ** round(np.log2(max(n_visits, 1)) / 2), 32, 256))
