"""Sparse rows as inputs, in chunks of non-zeros.

Each sparse row is split into chunks of at most `chunk` non-zeros. A loop processes as many chunks
per iteration as the batch has rows. The number of iterations is dynamic, so shapes do not depend on
the rows. A long row costs only its own non-zeros, and the padding is at most `chunk` - 1 non-zeros
per row. The decision notes have the figures of five ways to do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from skreg._nn.inputs import InputLayer
from skreg._tensorflow import tensorflow


@dataclass(frozen=True)
class SparseInputs(InputLayer):
    """Rows in CSR form, of which only the non-zeros cost anything."""

    chunk: int

    def to_tensors(self, table, encoding=None):
        """Return the three arrays of the table as tensors."""
        tf = tensorflow()
        return SparseTensors(
            tf.constant(table.indptr), tf.constant(table.indices), tf.constant(table.values)
        )

    def make_batch(self, table, rows, compute_mask=None, scale=1.0, parameters=None):
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

    def compute_gradients(self, delta, kernel) -> list:
        """Return no gradients, since the layer has no parameters."""
        return []


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
    """Return for each of `at` the first index with a larger end, by bisection.

    tf.searchsorted compares every pair.
    """
    tf = tensorflow()
    index, step = tf.zeros_like(at), 1 << (ends.shape[0] - 1).bit_length()
    while step > 1:
        step //= 2
        last = index + (step - 1)
        inside = last < ends.shape[0]
        below = tf.gather(ends, tf.minimum(last, ends.shape[0] - 1)) <= at
        index = tf.where(inside & below, index + step, index)
    return tf.minimum(index, ends.shape[0] - 1)


def _read_nonzero(batch: SparseBatch, row, start, count, j):
    """Return column and value of the j-th non-zero of each chunk; past its end the value is 0."""
    tf = tensorflow()
    real = j < count
    at = tf.where(real, start + tf.cast(j, start.dtype), 0)
    column, value = tf.gather(batch.table.indices, at), tf.gather(batch.table.values, at)
    if batch.compute_mask is not None:
        # Rows whose positions are 2^32 apart share a mask, of 2^20 columns every 4,096th row.
        kept = batch.compute_mask(tf.cast(row * batch.n_columns + column, tf.uint32))
        value = tf.where(kept, value * batch.scale, 0.0)
    return column, tf.where(real, value, 0.0)
