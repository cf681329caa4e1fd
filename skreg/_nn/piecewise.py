"""The piecewise-linear encoding of numeric columns (Gorishniy et al. 2022).

A column x with the edges e_0 < e_1 < ... has the inputs clip((x - e_t) / (e_{t+1} - e_t), 0, 1),
one for each bin. So a linear function of them is a piecewise linear function of the column. The
edges are weighted quantiles, and are not trained.

References
----------
.. [1] Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features in Tabular Deep
   Learning", NeurIPS 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skreg._nn.dropout import Mask
from skreg._nn.encoding import Encoding, pad_encoded, pad_vector
from skreg._nn.inputs import DenseBatch, EncodedInputs, compute_column_positions, select_columns
from skreg._tensorflow import tensorflow, view_as_tensor

# Bins of a column, less where quantiles are equal. The decision notes have the figures.
N_BINS = 8

# Narrower bins, as a share of the edge's distance to zero, would magnify what float32 rounds away.
_MIN_WIDTH = 2.0**-14
# So that 1 / width is finite in float32.
_TINY = 1e-30
_FLOAT32_MAX = np.finfo(np.float32).max


@dataclass(frozen=True, eq=False)
class PiecewiseEncoding(Encoding):
    """The bins of all columns, one after the other.

    Attributes
    ----------
    columns : ndarray of int32, shape (n_bins,)
        Index of the column of each bin, in ascending order.
    lower, width : ndarray of float32, shape (n_bins,)
        Lower edge and width of each bin, in units of the standardised column.
    """

    name = "piecewise"
    keras_layers = "bin_lower", "bin_width", "bin_bounds"
    lower: np.ndarray
    width: np.ndarray

    @classmethod
    def initialize(cls, columns, find_quantiles, generator):
        """Return bins between quantiles of equal distance. Edges that are equal become one."""
        quantiles = find_quantiles(np.arange(1, N_BINS) / N_BINS).astype(np.float32)
        edges = [_merge_edges(column_edges) for column_edges in quantiles.T]
        n_bins = [len(column_edges) - 1 for column_edges in edges]
        return cls(
            np.repeat(columns, n_bins).astype(np.int32),
            np.concatenate([np.empty(0, np.float32), *(part[:-1] for part in edges)]),
            np.concatenate([np.empty(0, np.float32), *(np.diff(part) for part in edges)]),
        )

    @property
    def sources(self):
        """Index of the column of each bin."""
        return self.columns

    def name_outputs(self, names):
        """Return the names of the columns with numbers of bins, from 1 on."""
        first = np.searchsorted(self.columns, self.columns)
        numbers = np.arange(1, len(first) + 1) - first
        return [f"{names[k]}_bin_{t}" for k, t in zip(self.columns, numbers, strict=True)]

    def encode(self, values):
        """Return the share of each bin that lies below the value."""
        dtype = values.dtype
        encoded = values[:, self.columns]
        encoded -= self.lower.astype(dtype)
        encoded /= self.width.astype(dtype)
        return np.clip(encoded, 0, 1, out=encoded)

    def make_layer(self, n_columns):
        """Return the layer of the compiled program."""
        return PiecewiseInputs(n_columns, pad_encoded(self.n_outputs))

    def rescale(self, ratio, shift):
        """Return bins with the same edges in other units."""
        ratio, shift = ratio[self.columns], shift[self.columns]
        lower, width = (self.lower - shift) / ratio, np.maximum(self.width / ratio, _TINY)
        return PiecewiseEncoding(self.columns, lower.astype(np.float32), width.astype(np.float32))

    def apply_in_keras(self, keras, columns, dtype):
        """Return the bins: two layers of Rescaling, since a difference first is more precise."""
        lower, width, bounds = self.keras_layers
        layers, factor = keras.layers, 1 / self.width.astype(np.float64)
        above = layers.Rescaling(1.0, -self.lower, name=lower, dtype=dtype)(columns)
        share = layers.Rescaling(factor, name=width, dtype=dtype)(above)
        return layers.ReLU(max_value=1.0, name=bounds, dtype=dtype)(share)

    def add_to_onnx(self, graph, values):
        """Add the share of each bin that lies below the value."""
        lower, width = self.lower.astype(np.float64), self.width.astype(np.float64)
        above = graph.add("Sub", graph.take_columns(values, self.columns), lower)
        share = graph.add("Clip", graph.add("Div", above, width), np.float64(0), np.float64(1))
        return graph.cast(share, np.float32)

    @classmethod
    def from_keras(cls, columns, layers):
        """Return the bins of the layers."""
        lower, width, _ = (layers[name] for name in cls.keras_layers)
        offset, scale = np.asarray(lower.offset, float), np.asarray(width.scale, float)
        return cls(columns, -offset.astype(np.float32), (1 / scale).astype(np.float32))


def _merge_edges(edges: np.ndarray) -> np.ndarray:
    """Return the ascending edges without those that are too near to the one before."""
    kept = [edges[0]]
    for edge in edges[1:]:
        least = max(_TINY, _MIN_WIDTH * max(abs(edge), abs(kept[-1])))
        if edge - kept[-1] >= least:
            kept.append(edge)
    # The last bin ends with the largest value.
    kept[-1] = max(kept[-1], edges[-1])
    return np.array(kept, np.float32)


class PiecewiseTensors(NamedTuple):
    """A table, and what each input is: clip((column - lower) / width, least, most).

    A column itself is such an input, too, with wide bounds. One rule for all is faster than
    columns and bins that are joined.
    """

    values: Any  # float32, shape (padded rows, n_columns)
    columns: Any  # int32, shape (n_inputs,), as the next four, which are float32
    lower: Any
    width: Any
    least: Any
    most: Any


@dataclass(frozen=True)
class PiecewiseInputs(EncodedInputs):
    """Dense rows and the bins of their columns.

    Attributes
    ----------
    n_encoded : int
        Bins, padding included. Padded ones are zero.
    """

    @property
    def n_inputs(self) -> int:
        """Columns and bins."""
        return self.n_columns + self.n_encoded

    def to_tensors(self, table, encoding=None):
        """Return a `PiecewiseTensors`."""

        def join(for_columns, for_bins, padding=0.0):
            padded = pad_vector(np.asarray(for_bins, np.float32), self.n_encoded, padding)
            for_columns = np.full(self.n_columns, for_columns, np.float32)
            return tensorflow().constant(np.concatenate([for_columns, padded]))

        columns = pad_vector(encoding.columns, self.n_encoded)
        columns = np.concatenate([np.arange(self.n_columns, dtype=np.int32), columns])
        ones = np.ones(len(encoding.columns))
        return PiecewiseTensors(
            values=view_as_tensor(table.values),
            columns=tensorflow().constant(columns),
            lower=join(0.0, encoding.lower),
            width=join(1.0, encoding.width, 1.0),
            least=join(-_FLOAT32_MAX, 0.0 * ones),
            most=join(_FLOAT32_MAX, ones),
        )

    def make_batch(self, table, rows, compute_mask=None, scale=1.0, parameters=None):
        """Return a `DenseBatch`."""
        tf = tensorflow()
        values = select_columns(tf.gather(table.values, rows), table.columns)
        values = (values - table.lower) / table.width
        values = tf.minimum(tf.maximum(values, table.least), table.most)
        if compute_mask is not None:
            # The mask of each input is that of its column, hashed again.
            positions = compute_column_positions(rows.shape[0], self.n_columns, table.columns)
            values = Mask(compute_mask(tf.cast(positions, tf.uint32)), scale).apply(values)
        return DenseBatch(values)
