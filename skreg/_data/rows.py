"""From weighted rows to distinct rows in canonical order, and the split of held-out rows.

Weights are frequencies. A row of weight 2 and the same row passed twice are the same thing after
`merge_rows`, so everything that follows is equal bit for bit: statistics, visits, batches, dropout.
Nothing depends on the order of the rows, only on the distinct rows and their total weights.

Targets are class codes of shape (n,), or numbers of shape (n, q).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from skreg._data.statistics import iterate_blocks
from skreg._data.weights import compute_relative_weight

# Largest mean count per distinct row. Weights that would need larger counts (one is tiny, or they
# are populations of a survey) are not taken for counts.
_MAX_COPIES = 100_000
# A table of more distinct rows has some that occur once. Without them the weights are decimals.
_FEW_DISTINCT = 100
# Relative errors of ratios of weights in float64 and in float32.
_ROUNDINGS = 2.0**-50, 2.0**-22
_MAX_CHANCE = 1e-4  # that random weights are taken for counts


@dataclass(frozen=True)
class MergedRows:
    """The distinct (x, y) rows of positive weight, in canonical order.

    Attributes
    ----------
    indices : ndarray of int64, shape (m,)
        Index of the first copy of each distinct row in the table.
    weight : ndarray of float64, shape (m,)
        Total weight of the copies of each row.
    """

    indices: np.ndarray
    weight: np.ndarray


def count_rows(weight: np.ndarray) -> int:
    """Return how many rows the weights of distinct rows stand for.

    Weights that are multiples of the smallest one, as counts are, stand for that many rows. Up to
    100 distinct rows, so do multiples of any number. Otherwise each distinct row is one. Only
    ratios matter, and a row of weight 2 is the row twice.
    """
    with np.errstate(over="ignore"):
        ratios = weight / weight.min()
        mean = ratios.mean()
    values = np.unique(ratios)[1:]
    largest = int(_MAX_COPIES / mean)
    if len(weight) > _FEW_DISTINCT:
        largest = min(largest, 1)
    for rounding in _ROUNDINGS:
        lightest = _find_lightest(values, rounding, largest)
        if lightest is not None:
            return round(float(np.rint(lightest * ratios).sum()))
    return len(weight)


def _find_lightest(ratios: np.ndarray, rounding: float, largest: int) -> int | None:
    """Return the smallest count of the lightest rows that makes counts of all others, or None.

    Parameters
    ----------
    ratios : ndarray of float64
        Of the other weights to the lightest one, without repetition.
    rounding : float
        Relative error of the ratios.
    largest : int
        Largest count to try.
    """
    counts = np.arange(1, largest + 1)
    while len(counts):
        is_misfit = ~_are_whole(counts[0] * ratios, rounding)
        if not is_misfit.any():
            break
        counts = counts[_are_whole(counts * ratios[is_misfit.argmax()], rounding)]
    else:
        return None
    # Random numbers lie as near to whole ones with this probability, for one of these counts.
    chance = counts[0] * np.minimum(2 * rounding * counts[0] * ratios, 1).prod()
    return int(counts[0]) if chance <= _MAX_CHANCE else None


def _are_whole(values: np.ndarray, rounding: float) -> np.ndarray:
    return np.abs(values - np.rint(values)) <= rounding * values


def _hash_block(block: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
    """Return a 64-bit hash of each row of values as float64. Equal rows have equal hashes."""
    return _mix_sums(_mix_values(block.astype(np.float64), multipliers).sum(axis=1))


def _mix_values(values: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
    """Return the hash of each value; that of zero is zero. The values are overwritten."""
    values += 0.0  # -0.0 becomes 0.0
    words = values.view(np.uint64)
    words ^= words >> np.uint64(32)
    words *= multipliers
    words ^= words >> np.uint64(29)
    words *= multipliers
    words ^= words >> np.uint64(32)
    return words


def _mix_sums(sums: np.ndarray) -> np.ndarray:
    return sums ^ (sums >> np.uint64(31))


def _hash_rows(X, y) -> np.ndarray:
    """Return a hash of each row, the same for an array and a CSR table."""
    n_rows, n_columns = X.shape
    generator = np.random.Generator(np.random.Philox(key=0x5EED))
    # Each column has an odd multiplier of its own, so the sum depends on the column of a value.
    odd = generator.integers(2**63, size=n_columns + y.shape[1], dtype=np.uint64)
    odd = odd * np.uint64(2) + np.uint64(1)
    if sparse.issparse(X):
        return _hash_sparse_rows(X, odd[:n_columns]) + _hash_block(y, odd[n_columns:])
    hashes = np.empty(n_rows, dtype=np.uint64)
    for rows in iterate_blocks(n_rows, n_columns):
        hashes[rows] = _hash_block(X[rows], odd[:n_columns]) + _hash_block(y[rows], odd[n_columns:])
    return hashes


def _hash_sparse_rows(X, multipliers: np.ndarray) -> np.ndarray:
    """Return the hashes of the same dense rows: zeros add nothing to a hash."""
    n_rows = X.shape[0]
    sums = np.empty(n_rows, np.uint64)
    for rows in iterate_blocks(n_rows, -(-X.nnz // max(n_rows, 1))):
        ends = X.indptr[rows.start : rows.stop + 1]
        cells = slice(ends[0], ends[-1])
        words = _mix_values(X.data[cells].astype(np.float64), multipliers[X.indices[cells]])
        total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(words, dtype=np.uint64)])
        sums[rows] = np.diff(total[ends - ends[0]])  # modulo 2**64
    return _mix_sums(sums)


def _compare_neighbours(X, y, order: np.ndarray) -> np.ndarray:
    """Return for each pair of neighbours in `order` whether the rows are equal."""
    same = (y[order[:-1]] == y[order[1:]]).all(axis=1)
    if sparse.issparse(X):
        different = X[order[:-1]].astype(np.float64) != X[order[1:]].astype(np.float64)
        return same & (np.diff(different.tocsr().indptr) == 0)
    for block in iterate_blocks(len(same), X.shape[1]):
        # As float64, in which they are standardised: integers above 2**53 may be equal only there.
        here, there = (X[rows[block]].astype(np.float64) for rows in (order[:-1], order[1:]))
        same[block] &= (here == there).all(axis=1)
    return same


def _make_sort_key(X, y, hashes, row: int) -> tuple:
    values = X[[row]].toarray() if sparse.issparse(X) else X[row].astype(np.float64)
    return hashes[row], (y[row] + 0.0).tobytes(), (values + 0.0).tobytes()


def merge_rows(X, y, weight) -> MergedRows:
    """Drop rows of weight zero, merge equal rows, and put them in canonical order.

    Parameters
    ----------
    X : ndarray of any real dtype, or CSR, shape (n, d)
        CSR without duplicates and stored zeros.
    y : ndarray of int, shape (n,), or of any real dtype, shape (n, q)
    weight : ndarray of float64, shape (n,), or None
        If None, all rows have weight 1.

    Returns
    -------
    MergedRows
    """
    y = y.reshape(len(y), -1)
    hashes = _hash_rows(X, y)
    order = np.argsort(hashes, kind="stable")
    if weight is not None:
        order = order[weight[order] > 0]
    ordered = hashes[order]
    repeats = np.flatnonzero(ordered[1:] == ordered[:-1])
    starts_group = np.ones(len(order), dtype=bool)
    if len(repeats):
        members = np.unique(np.concatenate([repeats, repeats + 1]))
        same = _compare_neighbours(X, y, order[members])
        if not (same | (np.diff(ordered[members].astype(np.uint64)) != 0)).all():
            # Two different rows share a hash: order them by value, which is slow and safe.
            order[members] = sorted(
                order[members], key=lambda row: _make_sort_key(X, y, hashes, row)
            )
            same = _compare_neighbours(X, y, order[members])
        starts_group[members[1:]] = ~same
    starts = np.flatnonzero(starts_group)
    weights = np.ones(len(order)) if weight is None else weight[order].astype(np.float64)
    if len(repeats) and weight is not None:
        # Sorted within the copies of a row, so that the sum does not depend on their order.
        weights = weights[np.lexsort([weights, np.cumsum(starts_group)])]
    return MergedRows(order[starts], np.add.reduceat(weights, starts))


def split_rows(
    rows: MergedRows, strata: np.ndarray | None, fraction: float, generator: np.random.Generator
) -> tuple[MergedRows, MergedRows]:
    """Hold out about `fraction` of the weight of the rows, in every stratum alike.

    Whole distinct rows are held out, so equal rows are never on both sides. Each stratum is
    shuffled, and its first rows are held out, up to the weight nearest to the share. The difference
    is carried to the next stratum. The last row of a stratum is never held out. If the share rounds
    to nothing, one row is held out.

    Parameters
    ----------
    rows : MergedRows
    strata : ndarray of int, shape (m,), or None
        Codes 0, 1, ...; None is one stratum.
    fraction : float
        In (0, 1).
    generator : numpy.random.Generator

    Returns
    -------
    training, validation : MergedRows
        In canonical order; `validation` is empty if every stratum has one row only.
    """
    n_rows, relative = len(rows.indices), compute_relative_weight(rows.weight)
    order = generator.permutation(n_rows)
    if strata is not None:
        order = order[np.argsort(strata[order], kind="stable")]
    bounds = np.empty(0, int) if strata is None else np.flatnonzero(np.diff(strata[order])) + 1
    held_out = np.zeros(n_rows, dtype=bool)
    carried = 0.0
    strata_rows = np.split(order, bounds)
    for members in strata_rows:
        weight = relative[members]
        if len(members) == 1:
            continue
        wanted = carried + fraction * weight.sum()
        count = np.searchsorted(np.cumsum(weight) - weight / 2, wanted, side="right")
        count = min(int(count), len(members) - 1)
        carried = wanted - weight[:count].sum()
        held_out[members[:count]] = True
    largest = max(strata_rows, key=len)
    if not held_out.any() and len(largest) > 1:
        held_out[largest[0]] = True
    return (
        MergedRows(rows.indices[~held_out], rows.weight[~held_out]),
        MergedRows(rows.indices[held_out], rows.weight[held_out]),
    )
