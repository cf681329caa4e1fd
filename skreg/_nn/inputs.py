"""The first layer on sparse rows: products with the rows of a batch, and with their transpose.

Owns how a batch of rows in CSR form is multiplied inside a compiled program, at a cost in
proportion to its non-zeros, whatever their number. Does not own the table, its scale, nor which
rows a batch has.

Every row is cut into pieces of at most k non-zeros, and b pieces (not rows) are worked on at a
time, in a loop whose number of turns is dynamic. So shapes are static whatever the rows hold, a
long row costs only its own non-zeros, and the padding is at most k - 1 non-zeros a row.
CONTRIBUTING.md has the figures of the five ways that were measured.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from skreg._tensorflow import tensorflow


class DenseBatch(NamedTuple):
    """Inputs of a batch as they enter the first layer, its dropout done; shape (b, d)."""

    values: Any

    def times(self, kernel):
        """The batch times the kernel (d, h), shape (b, h)."""
        return tensorflow().matmul(self.values, kernel)

    def transposed_times(self, delta):
        """The transpose of the batch times delta (b, h), shape (d, h)."""
        return tensorflow().matmul(self.values, delta, transpose_a=True)


class SparseTable(NamedTuple):
    """A table in CSR form, as tensors."""

    indptr: Any  # int32 or int64, shape (row_slots + 1,)
    indices: Any  # int32, shape (nonzero_slots,), at least one
    values: Any  # float32, shape (nonzero_slots,)


class SparseBatch(NamedTuple):
    """The rows of a step, in any order and with repetitions."""

    table: SparseTable
    n_columns: int
    k: int  # non-zeros of a piece
    starts: Any  # of each row, in the table's non-zeros; shape (b,), as all that follow
    lengths: Any  # int32
    pieces: Any  # int32, number of pieces of each row
    ends: Any  # int32, cumulated pieces
    keep: Any  # callable: counters (slot * n_columns + column) -> what dropout keeps; or None
    scale: Any  # of what is kept

    def times(self, kernel):
        """The batch times the kernel (d, h), shape (b, h)."""
        tf = tensorflow()
        size = self.ends.shape[0]

        def body(first, out):
            slot, start, count = _group(self, first)
            # Unrolled, so that XLA makes one kernel of it, and only sums of pieces are scattered.
            products = tf.zeros_like(out)
            for j in range(self.k):
                column, value = _item(self, slot, start, count, j)
                products += tf.gather(kernel, column) * value[:, None]
            return out + tf.math.unsorted_segment_sum(products, slot, size)

        return _over_groups(self, body, tf.zeros((size, kernel.shape[1])))

    def transposed_times(self, delta):
        """The transpose of the batch times delta (b, h), shape (d, h); scattered in place."""
        tf = tensorflow()

        def body(first, total):
            slot, start, count = _group(self, first)
            within = tf.range(self.k)[None, :]
            column, value = _item(self, slot[:, None], start[:, None], count[:, None], within)
            updates = value[:, :, None] * tf.gather(delta, slot)[:, None, :]
            updates = tf.reshape(updates, (-1, delta.shape[1]))
            return tf.tensor_scatter_nd_add(total, tf.reshape(column, (-1, 1)), updates)

        return _over_groups(self, body, tf.zeros((self.n_columns, delta.shape[1])))


def sparse_batch(table, n_columns: int, k: int, rows, keep=None, scale=1.0) -> SparseBatch:
    """The batch of the given row numbers, shape (b,)."""
    tf = tensorflow()
    starts = tf.gather(table.indptr, rows)
    lengths = tf.cast(tf.gather(table.indptr, rows + 1) - starts, tf.int32)
    pieces = (lengths + (k - 1)) // k
    return SparseBatch(table, n_columns, k, starts, lengths, pieces, tf.cumsum(pieces), keep, scale)


def _first_above(ends, at):
    """For each of `at` the first slot whose end is above it; tf.searchsorted compares them all."""
    tf = tensorflow()
    slot, step = tf.zeros_like(at), 1 << (ends.shape[0] - 1).bit_length()
    while step > 1:
        step //= 2
        last = slot + (step - 1)
        inside = last < ends.shape[0]
        below = tf.gather(ends, tf.minimum(last, ends.shape[0] - 1)) <= at
        slot = tf.where(inside & below, slot + step, slot)
    return tf.minimum(slot, ends.shape[0] - 1)


def _group(batch: SparseBatch, first):
    """Of the b pieces from `first` on: slot in the batch, where they start, non-zeros."""
    tf = tensorflow()
    at = first + tf.range(batch.ends.shape[0])
    slot = _first_above(batch.ends, at)
    offset = (at - tf.gather(batch.ends - batch.pieces, slot)) * batch.k
    count = tf.where(at < batch.ends[-1], tf.gather(batch.lengths, slot) - offset, 0)
    return slot, tf.gather(batch.starts, slot) + tf.cast(offset, batch.starts.dtype), count


def _item(batch: SparseBatch, slot, start, count, j):
    """Column and value of the j-th non-zero of each piece; beyond its end, the value is zero."""
    tf = tensorflow()
    real = j < count
    at = tf.where(real, start + tf.cast(j, start.dtype), 0)
    column, value = tf.gather(batch.table.indices, at), tf.gather(batch.table.values, at)
    if batch.keep is not None:
        kept = batch.keep(tf.cast(slot * batch.n_columns + column, tf.uint32))
        value = tf.where(kept, value * batch.scale, 0.0)
    return column, tf.where(real, value, 0.0)


def _over_groups(batch: SparseBatch, body, start):
    size = batch.ends.shape[0]
    return tensorflow().while_loop(
        lambda first, _: first < batch.ends[-1],
        lambda first, total: (first + size, body(first, total)),
        (tensorflow().constant(0), start),
    )[1]
