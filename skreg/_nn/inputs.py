"""What the first layer takes: dense rows, or sparse rows in chunks of non-zeros.

Each kind of table has an input layer, a static part of the program, that turns row numbers into a
batch. A batch multiplies itself with a kernel, and its transpose with a derivative.

Each sparse row is split into chunks of at most `chunk` non-zeros. A loop processes as many chunks
per iteration as the batch has rows. The number of iterations is dynamic, so shapes do not depend on
the rows. A long row costs only its own non-zeros, and the padding is at most `chunk` - 1 non-zeros
per row. The decision notes have the figures of five ways to do it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

from skreg._data.tables import CSRTable, DenseTable, Table
from skreg._nn.dropout import Mask
from skreg._tensorflow import tensorflow, view_as_tensor


@dataclass(frozen=True)
class InputLayer(ABC):
    """Contract of an input layer; hashable, since it decides on the program.

    Attributes
    ----------
    n_columns : int
        Padded features.
    """

    n_columns: int

    @abstractmethod
    def to_tensors(self, table: Table):
        """Return the table as tensors."""

    @abstractmethod
    def make_batch(self, table, rows, compute_mask=None, scale=1.0):
        """Return the batch of the given row numbers.

        Parameters
        ----------
        table
            From `to_tensors`.
        rows : tensor of int32, shape (b,)
        compute_mask : callable, default=None
            From positions, batch row * n_columns + column, to those that dropout keeps. None has no
            dropout.
        scale : tensor, shape ()
            Factor of the values that are kept.
        """


@dataclass(frozen=True)
class DenseInputs(InputLayer):
    """Rows of float32 numbers."""

    def to_tensors(self, table):
        """Return a tensor over the memory of the table."""
        return view_as_tensor(table.values)

    def make_batch(self, table, rows, compute_mask=None, scale=1.0):
        """Return a `DenseBatch`."""
        tf = tensorflow()
        values = tf.gather(table, rows)
        if compute_mask is not None:
            counters = tf.range(rows.shape[0] * self.n_columns, dtype=tf.int32)
            counters = tf.cast(tf.reshape(counters, (rows.shape[0], self.n_columns)), tf.uint32)
            values = Mask(compute_mask(counters), scale).apply(values)
        return DenseBatch(values)


@dataclass(frozen=True)
class SparseInputs(InputLayer):
    """Rows in CSR form, of which only the non-zeros cost anything."""

    chunk: int

    def to_tensors(self, table):
        """Return the three arrays of the table as tensors."""
        tf = tensorflow()
        return SparseTensors(
            tf.constant(table.indptr), tf.constant(table.indices), tf.constant(table.values)
        )

    def make_batch(self, table, rows, compute_mask=None, scale=1.0):
        """Return a `SparseBatch`."""
        tf = tensorflow()
        starts = tf.gather(table.indptr, rows)
        lengths = tf.cast(tf.gather(table.indptr, rows + 1) - starts, tf.int32)
        chunks = (lengths + (self.chunk - 1)) // self.chunk
        return SparseBatch(
            table=table,
            n_columns=self.n_columns,
            chunk=self.chunk,
            starts=starts,
            lengths=lengths,
            chunks=chunks,
            ends=tf.cumsum(chunks),
            compute_mask=compute_mask,
            scale=scale,
        )


def make_input_layer(table: Table) -> InputLayer:
    """Return the input layer of a table."""
    if isinstance(table, DenseTable):
        return DenseInputs(table.shape[1])
    if isinstance(table, CSRTable):
        return SparseInputs(table.shape[1], table.chunk)
    raise TypeError(f"Expected a DenseTable or a CSRTable; received {type(table).__name__}.")


class DenseBatch(NamedTuple):
    """Inputs of a layer, after dropout; shape (b, d)."""

    values: Any

    def matmul(self, kernel):
        """Return the batch times the kernel (d, h), of shape (b, h)."""
        return tensorflow().matmul(self.values, kernel)

    def matmul_transposed(self, delta):
        """Return the transpose of the batch times delta (b, h), of shape (d, h)."""
        return tensorflow().matmul(self.values, delta, transpose_a=True)


class SparseTensors(NamedTuple):
    """A table in CSR form."""

    indptr: Any  # int32 or int64, shape (padded rows + 1,)
    indices: Any  # int32, shape (padded non-zeros,), at least one
    values: Any  # float32, shape (padded non-zeros,)


class SparseBatch(NamedTuple):
    """Sparse inputs of the first layer: rows in any order and with repetitions."""

    table: SparseTensors
    n_columns: int
    chunk: int
    starts: Any  # of each row, in the table's non-zeros; shape (b,), as the next three
    lengths: Any  # int32, non-zeros of each row
    chunks: Any  # int32, chunks of each row
    ends: Any  # int32, cumulated chunks
    compute_mask: Any  # as in `InputLayer.make_batch`
    scale: Any

    def matmul(self, kernel):
        """Return the batch times the kernel (d, h), of shape (b, h)."""
        tf = tensorflow()
        size = self.ends.shape[0]

        def body(first, out):
            row, start, count = _locate_chunks(self, first)
            # Unrolled, so that XLA makes one kernel of it and scatters only the sums of chunks.
            products = tf.zeros_like(out)
            for j in range(self.chunk):
                column, value = _read_nonzero(self, row, start, count, j)
                products += tf.gather(kernel, column) * value[:, None]
            return out + tf.math.unsorted_segment_sum(products, row, size)

        return _loop_over_chunks(self, body, tf.zeros((size, kernel.shape[1])))

    def matmul_transposed(self, delta):
        """Return the transpose of the batch times delta (b, h), of shape (d, h)."""
        tf = tensorflow()

        def body(first, total):
            row, start, count = _locate_chunks(self, first)
            within = tf.range(self.chunk)[None, :]
            column, value = _read_nonzero(
                self, row[:, None], start[:, None], count[:, None], within
            )
            updates = value[:, :, None] * tf.gather(delta, row)[:, None, :]
            updates = tf.reshape(updates, (-1, delta.shape[1]))
            return tf.tensor_scatter_nd_add(total, tf.reshape(column, (-1, 1)), updates)

        return _loop_over_chunks(self, body, tf.zeros((self.n_columns, delta.shape[1])))


def _loop_over_chunks(batch: SparseBatch, body, start):
    """Call `body` for the first of every b chunks, until all chunks are done."""
    size = batch.ends.shape[0]
    return tensorflow().while_loop(
        lambda first, _: first < batch.ends[-1],
        lambda first, total: (first + size, body(first, total)),
        (tensorflow().constant(0), start),
    )[1]


def _locate_chunks(batch: SparseBatch, first):
    """Return batch row, first non-zero and number of non-zeros of the b chunks from `first` on."""
    tf = tensorflow()
    at = first + tf.range(batch.ends.shape[0])
    row = _search_sorted(batch.ends, at)
    offset = (at - tf.gather(batch.ends - batch.chunks, row)) * batch.chunk
    count = tf.where(at < batch.ends[-1], tf.gather(batch.lengths, row) - offset, 0)
    return row, tf.gather(batch.starts, row) + tf.cast(offset, batch.starts.dtype), count


def _search_sorted(ends, at):
    """Return for each of `at` the first place with a larger end, by bisection.

    tf.searchsorted compares every pair.
    """
    tf = tensorflow()
    place, step = tf.zeros_like(at), 1 << (ends.shape[0] - 1).bit_length()
    while step > 1:
        step //= 2
        last = place + (step - 1)
        inside = last < ends.shape[0]
        below = tf.gather(ends, tf.minimum(last, ends.shape[0] - 1)) <= at
        place = tf.where(inside & below, place + step, place)
    return tf.minimum(place, ends.shape[0] - 1)


def _read_nonzero(batch: SparseBatch, row, start, count, j):
    """Return column and value of the j-th non-zero of each chunk; past its end the value is 0."""
    tf = tensorflow()
    real = j < count
    at = tf.where(real, start + tf.cast(j, start.dtype), 0)
    column, value = tf.gather(batch.table.indices, at), tf.gather(batch.table.values, at)
    if batch.compute_mask is not None:
        kept = batch.compute_mask(tf.cast(row * batch.n_columns + column, tf.uint32))
        value = tf.where(kept, value * batch.scale, 0.0)
    return column, tf.where(real, value, 0.0)
