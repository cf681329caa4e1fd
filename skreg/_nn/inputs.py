"""What the first layer takes: the contract of an input layer, and dense rows.

Each kind of table has an input layer, a static part of the program, that turns row numbers into a
batch. A batch multiplies itself with a kernel, and its transpose with a derivative. Sparse rows are
in `sparse_inputs.py`, encoded columns in `piecewise.py` and `periodic.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skreg._data.tables import Table
from skreg._nn.dropout import Mask
from skreg._tensorflow import tensorflow, view_as_tensor


@dataclass(frozen=True)
class InputLayer(ABC):
    """Contract of an input layer; hashable, since it decides on the program.

    Attributes
    ----------
    n_columns : int
        Padded columns of the table.
    """

    n_columns: int

    @property
    def n_parameters(self) -> int:
        """Numbers of the layer that are trained."""
        return 0

    @property
    def n_inputs(self) -> int:
        """Rows of the first kernel, padding included."""
        return self.n_columns

    def find_rows(self, n_features: int, n_inputs: int) -> slice | np.ndarray:
        """Return the rows of the first kernel that are not padding.

        Parameters
        ----------
        n_features : int
            Columns of the table without padding.
        n_inputs : int
            Columns and encoded inputs without padding.
        """
        return slice(n_features)

    @abstractmethod
    def to_tensors(self, table: Table, encoding=None):
        """Return the table as tensors, with the constants of the encoding if there is one."""

    @abstractmethod
    def make_batch(self, table, rows, compute_mask=None, scale=1.0, parameters=None):
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
        parameters : tensor, shape (n_parameters,)
            The numbers that are trained.
        """


@dataclass(frozen=True)
class EncodedInputs(InputLayer):
    """Dense rows and the encoded inputs of their columns.

    Attributes
    ----------
    n_encoded : int
        Number of encoded inputs, or of encoded columns; padding included.
    """

    n_encoded: int

    def find_rows(self, n_features, n_inputs):
        """Return the rows of columns, then those of encoded inputs."""
        encoded = np.arange(n_inputs - n_features) + self.n_columns
        return np.concatenate([np.arange(n_features), encoded])


@dataclass(frozen=True)
class DenseInputs(InputLayer):
    """Rows of float32 numbers."""

    def to_tensors(self, table, encoding=None):
        """Return a tensor over the memory of the table."""
        return view_as_tensor(table.values)

    def make_batch(self, table, rows, compute_mask=None, scale=1.0, parameters=None):
        """Return a `DenseBatch`."""
        tf = tensorflow()
        values = tf.gather(table, rows)
        if compute_mask is not None:
            mask = Mask(compute_mask(compute_positions(rows, self.n_columns)), scale)
            values = mask.apply(values)
        return DenseBatch(values)


def compute_positions(rows, n_columns: int):
    """Return the positions in a batch of these rows: row * n_columns + column."""
    tf = tensorflow()
    positions = tf.range(rows.shape[0] * n_columns, dtype=tf.int32)
    return tf.cast(tf.reshape(positions, (rows.shape[0], n_columns)), tf.uint32)


def select_columns(values, columns):
    """Return columns of a batch (b, d), in any order and with repetitions.

    The batch is gathered from its flattened form. With tf.gather along the columns XLA makes a
    transposed matrix, and Eigen splits the sums of its product among threads, so the bits would
    depend on their number.
    """
    positions = compute_column_positions(*values.shape, columns)
    return tensorflow().gather(tensorflow().reshape(values, [-1]), positions)


def compute_column_positions(size: int, n_columns: int, columns):
    """Return the positions of these columns in a batch (size, n_columns)."""
    return tensorflow().range(size)[:, None] * n_columns + columns[None, :]


class DenseBatch(NamedTuple):
    """Inputs of a layer, after dropout; shape (b, d)."""

    values: Any

    def matmul(self, kernel):
        """Return the batch times the kernel (d, h), of shape (b, h)."""
        return tensorflow().matmul(self.values, kernel)

    def matmul_transposed(self, delta):
        """Return the transpose of the batch times delta (b, h), of shape (d, h)."""
        return tensorflow().matmul(self.values, delta, transpose_a=True)

    def compute_gradients(self, delta, kernel) -> list:
        """Return no gradients, since the layer has no parameters."""
        return []
