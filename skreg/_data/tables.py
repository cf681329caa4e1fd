"""TODO."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from skreg._data.padding import VALIDATION_BLOCK, bucket, piece_size
from skreg._data.rows import MergedRows
from skreg._data.scaling import blocks, standardised, standardised_csr

_ALIGNMENT = 64  # bytes; what TensorFlow needs to use memory that it does not own


# Sparse tables of which this share is filled are faster as dense rows (measured: CONTRIBUTING.md),
# and those take at most 4 * 16 bytes for each non-zero; others are never made dense.
_DENSE_ENOUGH = 16


@dataclass(frozen=True)
class CSRTable:
    """Rows of which few columns are not zero, padded to the program's slots.

    Attributes
    ----------
    indptr : ndarray of int32 or int64, shape (row_slots + 1,)
    indices : ndarray of int32, shape (nonzero_slots,)
    values : ndarray of float32, shape (nonzero_slots,)
    shape : tuple of int
        (row_slots, padded features).
    piece : int
        Non-zeros that are worked on together.
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    shape: tuple[int, int]
    piece: int

    @property
    def nonzero_slots(self) -> int:
        """Non-zeros, padding included."""
        return len(self.values)


@dataclass(frozen=True)
class TrainingRows:
    """What training needs to know of the rows, padded to the program's slots.

    Attributes
    ----------
    table : ndarray of float32, shape (row_slots, padded features), or CSRTable
    targets : ndarray of int32, shape (row_slots,), or of float32, shape (row_slots, q)
    visit_weight : ndarray of float32, shape (row_slots,)
        Weight of one visit, with mean 1 over the visits of an epoch.
    visits : ndarray of int32, shape (L,)
        The rows that an epoch visits, in canonical order, each as often as it is visited.
    """

    table: np.ndarray | CSRTable
    targets: np.ndarray
    visit_weight: np.ndarray
    visits: np.ndarray


@dataclass(frozen=True)
class ValidationRows:
    """Held-out rows, padded to the program's slots.

    Attributes
    ----------
    table : ndarray of float32, shape (validation_slots, padded features), or CSRTable
    targets : ndarray, shape (validation_slots,) or (validation_slots, q)
        As those of `TrainingRows`.
    share : ndarray of float32, shape (validation_slots,)
        Of each row in the validation loss; they sum to 1.
    n_rows : int
        Rows without the padding.
    """

    table: np.ndarray | CSRTable
    targets: np.ndarray
    share: np.ndarray
    n_rows: int


def _aligned_zeros(shape: tuple[int, int], dtype=np.float32) -> np.ndarray:
    """Zeros at an address that TensorFlow can use without a copy."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + _ALIGNMENT, dtype=np.uint8)
    offset = -memory.ctypes.data % _ALIGNMENT
    return memory[offset : offset + size].view(dtype).reshape(shape)


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


def training_rows(X, targets, rows: MergedRows, mean, scale) -> TrainingRows:
    """Build the padded float32 table and the visits of an epoch.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        As handed to `merge_rows`.
    targets : ndarray of int32, shape (n,), or of float32, shape (n, q)
        As the head takes them.
    rows : MergedRows
        Its weights may have been multiplied with class weights since.
    mean, scale : ndarray of float64, shape (d,), or None
        None leaves the columns as they are.
    """
    n_rows = len(rows.first)
    slots = bucket(n_rows)
    counts, weight = _visits(rows.weight)
    return TrainingRows(
        table=_table(X, rows, mean, scale, slots),
        targets=_padded(targets[rows.first], slots),
        visit_weight=_padded(weight.astype(np.float32), slots),
        visits=np.arange(n_rows, dtype=np.int32).repeat(counts),
    )


def validation_rows(X, targets, rows: MergedRows, mean, scale) -> ValidationRows:
    """Build the padded tables of held-out rows; parameters as for `training_rows`."""
    n_rows = len(rows.first)
    slots = bucket(n_rows)
    if slots > VALIDATION_BLOCK:
        slots = -(-slots // VALIDATION_BLOCK) * VALIDATION_BLOCK
    share = rows.weight / rows.weight.sum()
    return ValidationRows(
        table=_table(X, rows, mean, scale, slots),
        targets=_padded(targets[rows.first], slots),
        share=_padded(share.astype(np.float32), slots),
        n_rows=n_rows,
    )


def _table(X, rows: MergedRows, mean, scale, slots: int) -> np.ndarray | CSRTable:
    """Standardised rows in float32, padded to `slots` rows and a multiple of 8 columns."""
    n_columns = X.shape[1]
    shape = slots, -(-n_columns // 8) * 8
    if sparse.issparse(X) and X.nnz < X.shape[0] * n_columns / _DENSE_ENOUGH:
        return _csr_table(standardised_csr(X[rows.first], scale), shape, X)
    table = _aligned_zeros(shape)
    for block in blocks(len(rows.first), n_columns):
        values = X[rows.first[block]]
        if sparse.issparse(X):
            table[block, :n_columns] = standardised_csr(values, scale).toarray()
        else:
            table[block, :n_columns] = standardised(values, mean, scale)
    return table


def _csr_table(rows, shape: tuple[int, int], X) -> CSRTable:
    """The padded form of CSR rows of the table `X`, whose mean row decides on the pieces."""
    integers = np.int32 if rows.nnz < 2**31 - 1 else np.int64
    indptr = np.full(shape[0] + 1, rows.nnz, dtype=integers)
    indptr[: len(rows.indptr)] = rows.indptr
    nonzero_slots = bucket(max(rows.nnz, 1))
    return CSRTable(
        indptr=indptr,
        indices=_padded(rows.indices.astype(np.int32, copy=False), nonzero_slots),
        values=_padded(rows.data.astype(np.float32), nonzero_slots),
        shape=shape,
        piece=piece_size(X.nnz, X.shape[0]),
    )


def _padded(array: np.ndarray, slots: int) -> np.ndarray:
    padded = np.zeros((slots, *array.shape[1:]), dtype=array.dtype)
    padded[: len(array)] = array
    return padded


def permutations(
    visits: np.ndarray, seed: int, first_epoch: int, n_epochs: int, shape: tuple[int, int]
):
    """The order of the visits in each of `n_epochs` epochs, a row each, zeros up to `shape`.

    A pure function of (visits, seed, epoch), so that it does not matter how many epochs are drawn
    together, nor by whom.
    """
    orders = _aligned_zeros(shape, np.int32)
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


def automatic_batch_size(n_visits: int) -> int:
    """The power of two nearest to the square root of the visits of an epoch, within 32 and 256."""
    return int(np.clip(2 ** round(np.log2(max(n_visits, 1)) / 2), 32, 256))
