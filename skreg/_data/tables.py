"""Padded float32 tables, and which of their rows an epoch visits.

Targets are class codes of shape (n,), or numbers of shape (n, q).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from skreg._data.padding import choose_chunk, pad_features, pad_size, pad_validation_rows
from skreg._data.rows import MergedRows
from skreg._data.scaling import standardize, standardize_sparse
from skreg._data.statistics import compute_shares, count_nonzeros, iterate_blocks

_ALIGNMENT = 64  # bytes; what TensorFlow needs to use memory that it does not own
# A table is held as dense rows if at least this share of its cells is filled: dense rows are faster
# then, and take at most 4 * 16 bytes a non-zero. The decision notes have the measurement.
_DENSE_SHARE = 1 / 16

# What max_iter="auto" stands for. Chosen by benchmarks/choose_defaults.py.
_N_STEPS = 2000
MIN_EPOCHS = 16


@dataclass(frozen=True)
class DenseTable:
    """Standardised rows, padded in both axes.

    Attributes
    ----------
    values : ndarray of float32, shape (padded rows, padded features)
    """

    values: np.ndarray
    padded_nonzeros = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Padded rows and padded features."""
        return self.values.shape


@dataclass(frozen=True)
class CSRTable:
    """Scaled rows of which few columns are not zero, padded in both axes.

    Attributes
    ----------
    indptr : ndarray of int32 or int64, shape (padded rows + 1,)
    indices : ndarray of int32, shape (padded_nonzeros,)
    values : ndarray of float32, shape (padded_nonzeros,)
    shape : tuple of int
        Padded rows and padded features.
    chunk : int
        Number of non-zeros of a row that are processed together.
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    shape: tuple[int, int]
    chunk: int

    @property
    def padded_nonzeros(self) -> int:
        """Non-zeros, padding included."""
        return len(self.values)


Table = DenseTable | CSRTable


@dataclass(frozen=True)
class TrainingRows:
    """Rows to train on, padded.

    Attributes
    ----------
    table : DenseTable or CSRTable
    targets : ndarray of int32, shape (padded rows,), or of float32, shape (padded rows, q)
    visit_weight : ndarray of float32, shape (padded rows,)
        Weight of one visit, with mean 1 over the visits of an epoch.
    visits : ndarray of int32, shape (n_visits,)
        Rows that an epoch visits, in canonical order, each as often as it is visited.
    """

    table: Table
    targets: np.ndarray
    visit_weight: np.ndarray
    visits: np.ndarray


@dataclass(frozen=True)
class ValidationRows:
    """Held-out rows, padded.

    Attributes
    ----------
    table : DenseTable or CSRTable
    targets : ndarray
        As those of `TrainingRows`.
    share : ndarray of float32, shape (padded rows,)
        Share of each row in the validation loss. The shares sum to 1.
    n_rows : int
        Rows without the padding.
    """

    table: Table
    targets: np.ndarray
    share: np.ndarray
    n_rows: int


def make_training_rows(
    X, targets, rows: MergedRows, center, scale, chunk: int | None
) -> TrainingRows:
    """Build the padded table and the visits of an epoch.

    Parameters
    ----------
    X : ndarray or CSR, shape (n, d)
        As handed to `merge_rows`.
    targets : ndarray of int32, shape (n,), or of float32, shape (n, q)
        As the loss takes them.
    rows : MergedRows
        Its weights may have been multiplied with class weights since.
    center, scale : ndarray of float64, shape (d,), or None
        None leaves the columns as they are.
    chunk : int or None
        From `choose_csr_chunk`.
    """
    n_rows = len(rows.indices)
    padded_rows = pad_size(n_rows)
    counts, weight = count_visits(rows.weight)
    return TrainingRows(
        table=_make_table(X, rows, center, scale, padded_rows, chunk),
        targets=pad_rows(targets[rows.indices], padded_rows),
        visit_weight=pad_rows(weight.astype(np.float32), padded_rows),
        visits=np.arange(n_rows, dtype=np.int32).repeat(counts),
    )


def make_validation_rows(
    X, targets, rows: MergedRows, center, scale, chunk: int | None
) -> ValidationRows:
    """Build the padded tables of held-out rows; parameters as for `make_training_rows`."""
    n_rows = len(rows.indices)
    padded_rows = pad_validation_rows(n_rows)
    share = compute_shares(rows.weight)
    return ValidationRows(
        table=_make_table(X, rows, center, scale, padded_rows, chunk),
        targets=pad_rows(targets[rows.indices], padded_rows),
        share=pad_rows(share.astype(np.float32), padded_rows),
        n_rows=n_rows,
    )


def count_visits(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how often an epoch visits each row, and the weight of one visit.

    The weights w_i are first scaled to the mean 1 over the distinct rows, so that only their ratios
    matter. Row i is visited ceil(w_i) times, and each visit has the weight w_i / ceil(w_i). Equal
    weights give the usual epoch. The visits of an epoch are less than twice the distinct rows, and
    their weights have the mean 1.
    """
    weight = compute_shares(weight) * len(weight)
    # A weight of 1 + 1e-16, which is 1 apart from rounding, does not deserve a second visit.
    counts = np.maximum(np.ceil(weight * (1 - 1e-9)), 1).astype(np.int64)
    visit_weight = weight / counts
    return counts, visit_weight / (weight.sum() / counts.sum())


def draw_orders(
    visits: np.ndarray, seed: int, first_epoch: int, n_epochs: int, shape: tuple[int, int]
) -> np.ndarray:
    """Return the order of the visits in each of `n_epochs` epochs, a row each, zeros up to `shape`.

    A pure function of (visits, seed, epoch): it does not matter how many epochs are drawn together.
    """
    orders = _allocate_aligned(shape, np.int32)
    bits = np.random.Philox(key=seed)
    generator, fresh = np.random.Generator(bits), bits.state
    for row in range(n_epochs):
        # Setting the counter is the same as Philox(key, counter), and takes a sixth of the time.
        fresh["state"]["counter"][:] = 0, 0, 0, first_epoch + row
        bits.state = fresh
        order = orders[row, : len(visits)]
        order[:] = visits
        generator.shuffle(order)
    return orders


def choose_batch_size(n_visits: int) -> int:
    """Return the power of two nearest to the square root of the visits, within 32 and 256."""
    return int(np.clip(2 ** round(np.log2(max(n_visits, 1)) / 2), 32, 256))


def choose_epochs(n_visits: int, batch_size: int) -> int:
    """Return the epochs that give `_N_STEPS` steps, and at least `MIN_EPOCHS`."""
    steps_per_epoch = -(-n_visits // batch_size)
    return max(MIN_EPOCHS, -(-_N_STEPS // steps_per_epoch))


def pad_rows(array: np.ndarray, n_rows: int) -> np.ndarray:
    """Return the array with zeros up to `n_rows` rows."""
    padded = np.zeros((n_rows, *array.shape[1:]), dtype=array.dtype)
    padded[: len(array)] = array
    return padded


def choose_csr_chunk(X, rows: MergedRows, center, scale) -> int | None:
    """Return the chunk of a table that is held as CSR; None if it is held as dense rows.

    It depends on the values of the distinct rows, and not on how `X` is stored.
    """
    n_rows, n_columns = len(rows.indices), X.shape[1]
    limit = n_rows * n_columns * _DENSE_SHARE
    is_filled = np.zeros(n_columns, dtype=bool)
    if center is not None:
        is_filled = (center != 0) & np.isfinite(scale)
    if n_rows * np.count_nonzero(is_filled) >= limit:
        return None
    counts = np.where(is_filled, n_rows, count_nonzeros(X, rows.indices))
    nnz = int(counts[np.isfinite(scale)].sum() if scale is not None else counts.sum())
    return choose_chunk(nnz, n_rows) if nnz < limit else None


def _make_table(X, rows: MergedRows, center, scale, padded_rows: int, chunk: int | None) -> Table:
    """Standardise and pad the rows: as CSR with this chunk, or as dense rows if it is None."""
    n_columns = X.shape[1]
    shape = padded_rows, pad_features(n_columns)
    blocks = iterate_blocks(len(rows.indices), n_columns)
    if chunk is not None:
        if sparse.issparse(X):
            return _make_csr_table(standardize_sparse(X[rows.indices], center, scale), shape, chunk)
        parts = [standardize_sparse(X[rows.indices[block]], center, scale) for block in blocks]
        return _make_csr_table(sparse.vstack(parts, format="csr"), shape, chunk)
    table = _allocate_aligned(shape)
    for block in blocks:
        values = X[rows.indices[block]]
        values = values.toarray() if sparse.issparse(X) else values
        table[block, :n_columns] = standardize(values, center, scale)
    return DenseTable(table)


def _make_csr_table(rows, shape: tuple[int, int], chunk: int) -> CSRTable:
    integers = np.int32 if rows.nnz < 2**31 - 1 else np.int64
    indptr = np.full(shape[0] + 1, rows.nnz, dtype=integers)
    indptr[: len(rows.indptr)] = rows.indptr
    padded_nonzeros = pad_size(max(rows.nnz, 1))
    return CSRTable(
        indptr=indptr,
        indices=pad_rows(rows.indices.astype(np.int32, copy=False), padded_nonzeros),
        values=pad_rows(rows.data.astype(np.float32), padded_nonzeros),
        shape=shape,
        chunk=chunk,
    )


def _allocate_aligned(shape: tuple[int, int], dtype=np.float32) -> np.ndarray:
    """Return zeros at an address that TensorFlow can use without a copy."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + _ALIGNMENT, dtype=np.uint8)
    offset = -memory.ctypes.data % _ALIGNMENT
    return memory[offset : offset + size].view(dtype).reshape(shape)
