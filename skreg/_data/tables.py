"""Padded float32 tables.

Targets are class codes of shape (n,), or numbers of shape (n, q).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from skreg._data.epochs import count_visits
from skreg._data.padding import (
    allocate_aligned,
    choose_chunk,
    pad_features,
    pad_size,
    pad_validation_rows,
)
from skreg._data.rows import MergedRows
from skreg._data.scaling import standardize, standardize_sparse
from skreg._data.statistics import count_nonzeros, iterate_blocks
from skreg._data.weights import compute_shares

# A table is held as dense rows if at least this share of its cells is filled: dense rows are faster
# then, and take at most 4 * 16 bytes a non-zero. The decision notes have the measurement.
_DENSE_SHARE = 1 / 16


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
    table = allocate_aligned(shape)
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
